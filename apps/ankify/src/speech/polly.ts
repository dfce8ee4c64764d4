/** Speech by Amazon Polly: neural voices, billed by the character, retried when it is busy. */
import {
  type LanguageCode,
  PollyClient,
  type PollyClientConfig,
  SynthesizeSpeechCommand,
  type VoiceId,
} from '@aws-sdk/client-polly';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { isMp3 } from './mp3.ts';
import { type PollyVoice, pollyVoices } from './polly-voices.ts';
import { pollyDollarsPerMillion } from './prices.ts';
import { checkSpoken, maxClipBytes, type Speech, SpeechRefusal, SpeechUnavailable, type Voice } from './speech.ts';
import { ssmlPieces } from './ssml.ts';
import { turns } from './turns.ts';
import { checkChoices, chooseVoice, type VoiceChoices } from './voice-choice.ts';

export interface PollyOptions {
  /** Region, endpoint, credentials: the client's own. */
  readonly client?: Pick<PollyClientConfig, 'region' | 'endpoint' | 'credentials'>;
  readonly voices?: VoiceChoices;
  /** Requests at once. Default 4; a new account may make 8 a second with neural voices. */
  readonly atOnce?: number;
  /** For one request, with every retry, from its turn on. Default 60. */
  readonly timeoutSeconds?: number;
  /** Tries of one request, with exponential back-off and jitter between them. Default 5. */
  readonly attempts?: number;
}

/** Throws an `Error` that names a wrong choice of a voice. Without credentials, every clip is `SpeechUnavailable`. */
export function pollySpeech(options: PollyOptions = {}): Speech & { close(): void } {
  const { voices: choices = {}, atOnce = 4, timeoutSeconds = 60, attempts = 5 } = options;
  checkChoices(pollyVoices, choices);
  const client = new PollyClient({
    ...options.client,
    // The client's own handler speaks HTTP/2, which no proxy and no test server here does.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5000,
      requestTimeout: 20_000,
      socketTimeout: 20_000,
      throwOnRequestTimeout: true,
    }),
    maxAttempts: attempts,
    retryMode: 'standard',
  });
  const line = turns(atOnce);
  const speakPiece = async (text: string, voice: PollyVoice, signal: AbortSignal): Promise<Uint8Array> => {
    const { AudioStream, ContentType } = await client.send(
      new SynthesizeSpeechCommand({
        Engine: voice.engine,
        LanguageCode: voice.languageCode as LanguageCode, // of the same table; it matters for voices of two languages
        OutputFormat: 'mp3',
        SampleRate: voice.engine === 'neural' ? '24000' : '22050',
        Text: text,
        TextType: 'ssml',
        VoiceId: voice.id as VoiceId,
      }),
      { abortSignal: signal },
    );
    if (!AudioStream || ContentType !== 'audio/mpeg') throw new Error(`Polly answered with ${ContentType}`);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of AudioStream as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxClipBytes) throw new SpeechRefusal('The text takes too long to say. Divide the card.');
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    if (!isMp3(bytes)) throw new Error('what Polly sent as audio/mpeg is no MP3');
    return bytes;
  };
  return {
    provider: 'polly',
    voices: () => pollyVoices,
    voiceFor: (language) => chooseVoice(pollyVoices, language, choices),
    costOf(text, voice) {
      const characters = Array.from(text).length;
      return { characters, microDollars: characters * pollyDollarsPerMillion[known(voice).engine] };
    },
    async speak(text, given, signal) {
      const voice = known(given);
      checkSpoken(text);
      const pieces: Uint8Array[] = [];
      const inTime = (piece: string) => {
        // From its turn on: what waits behind a long deck is not late.
        const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
        return speakPiece(piece, voice, signal ? AbortSignal.any([signal, deadline]) : deadline);
      };
      try {
        for (const piece of ssmlPieces(text)) pieces.push(await line.take(() => inTime(piece), signal));
      } catch (error) {
        signal?.throwIfAborted();
        throw explained(error);
      }
      const [first = new Uint8Array(), ...others] = pieces;
      const clip = Buffer.concat([first, ...others.map(withoutId3)]);
      if (clip.length > maxClipBytes) throw new SpeechRefusal('The text takes too long to say. Divide the card.');
      return clip;
    },
    close: () => client.destroy(),
  };
}

function known({ id, language }: Voice): PollyVoice {
  const voice = pollyVoices.find((one) => one.id === id && one.language === language);
  if (!voice) throw new SpeechRefusal(`There is no voice ${id} for ${language} here.`);
  return voice;
}

const refused = new Set([
  'TextLengthExceededException',
  'InvalidSsmlException',
  'LanguageNotSupportedException',
  'EngineNotSupportedException',
]);

function explained(error: unknown): unknown {
  if (error instanceof SpeechRefusal) return error;
  const { name, $retryable, $metadata } = error as Error & {
    $retryable?: { throttling?: boolean };
    $metadata?: { httpStatusCode?: number };
  };
  if (refused.has(name)) {
    return new SpeechRefusal('Amazon Polly cannot say this text with this voice. Set the audio to "device".', {
      cause: error,
    });
  }
  const busy = $retryable?.throttling === true || $metadata?.httpStatusCode === 429 || name === 'ThrottlingException';
  const message = busy ? 'Amazon Polly is busy.' : 'Amazon Polly cannot be used now.';
  return new SpeechUnavailable(message, { retrySeconds: busy ? 30 : 120, cause: error });
}

/** A tag belongs at a file's beginning only. Its size is four times seven bits (ID3v2.4 §3.1). */
function withoutId3(bytes: Uint8Array): Uint8Array {
  const [i, d, three] = bytes;
  if (i !== 0x49 || d !== 0x44 || three !== 0x33) return bytes;
  const size = bytes.subarray(6, 10).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  return bytes.subarray(10 + size);
}
