/** What turns a text into recorded speech: one interface, and its two engines (the espeak-ng program, Amazon Polly). */

export interface Voice {
  /** As the engine names it: `de`, `Vicki`. */
  readonly id: string;
  /** BCP 47, such as `de-DE` or `de`. */
  readonly language: string;
  readonly name: string;
  /** `robotic` is understandable, and no model for pronunciation: say so where a voice is chosen. */
  readonly quality: 'robotic' | 'neural';
}

export interface SpeechCost {
  /** As the engine bills them; 0 where the engine runs on this machine. */
  readonly characters: number;
  /** Millionths of a US dollar, before any free tier. */
  readonly microDollars: number;
}

export interface Speech {
  readonly provider: 'espeak-ng' | 'polly';
  /** In a fixed order; the first of a language is not always its default (see `voiceFor`). */
  voices(): readonly Voice[];
  /** The voice for a BCP 47 tag: of that region, else of that language. Undefined: this engine does not speak it. */
  voiceFor(language: string): Voice | undefined;
  /**
   * MP3. The text is what is said (see `spokenText`), plain: nothing in it is a command.
   * Throws `SpeechRefusal` for what will never work, `SpeechUnavailable` for what may work later, the signal's reason
   * if it was aborted.
   */
  speak(text: string, voice: Voice, signal?: AbortSignal): Promise<Uint8Array>;
  costOf(text: string, voice: Voice): SpeechCost;
}

/** This text cannot be spoken; the message is for the user and says what to do. */
export class SpeechRefusal extends Error {
  override readonly name = 'SpeechRefusal';
}

/** Not now: throttled, unreachable, out of time. The message is for the user, the cause for the log. */
export class SpeechUnavailable extends Error {
  override readonly name = 'SpeechUnavailable';
  readonly retrySeconds: number;

  constructor(message: string, options: { retrySeconds: number; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.retrySeconds = options.retrySeconds;
  }
}

/** About six minutes of speech. Longer is no side of a card, and one clip would hold up all others. */
export const maxSpokenCharacters = 5000;

/** Six minutes at 64 kbit/s are 3 MB; a language whose letters are syllables takes thrice as long for its characters. */
export const maxClipBytes = 12 * 1024 * 1024;

/** Throws `SpeechRefusal` for what no engine shall be asked to say. */
export function checkSpoken(text: string): void {
  if (!/[\p{L}\p{N}]/u.test(text)) {
    throw new SpeechRefusal('There is nothing to say in this text: it has no letter and no digit.');
  }
  const length = Array.from(text).length;
  if (length > maxSpokenCharacters) {
    throw new SpeechRefusal(
      `The text has ${length} characters; at most ${maxSpokenCharacters} are spoken as one side of a card. ` +
        'Divide the card, or set its audio to "device".',
    );
  }
}
