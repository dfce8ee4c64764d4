/**
 * Speech by the program espeak-ng: free, on this machine, robotic. It is run as a process and never linked, and is given
 * its text on standard input: as an argument, a text that begins with `-` would be an option.
 */
import { spawn } from 'node:child_process';
import { encodeMp3, readWav } from './mp3.ts';
import { checkSpoken, maxClipBytes, type Speech, SpeechRefusal, SpeechUnavailable, type Voice } from './speech.ts';
import { turns } from './turns.ts';
import { canonicalTag, checkChoices, chooseVoice, type VoiceChoices } from './voice-choice.ts';

export interface EspeakOptions {
  /** A name in the path or an absolute path. Default `espeak-ng`. */
  readonly program?: string;
  readonly voices?: VoiceChoices;
  /** Processes at once. Default 2. */
  readonly atOnce?: number;
  /** For one clip. Default 30. */
  readonly timeoutSeconds?: number;
}

/** The program's own default is 175, which is fast for who hears a word for the first time. */
const wordsPerMinute = 150;
/** As sound, so many bytes become one of MP3 at 64 kbit/s. */
const maxWavBytes = maxClipBytes * 6;
const minSeconds = 0.05;

/** The program is not here. */
export class NoSpeechProgram extends Error {
  override readonly name = 'NoSpeechProgram';
}

/** Rejects with `NoSpeechProgram`, which says what to install, or an `Error` for a voice that there is not. */
export async function espeakSpeech(options: EspeakOptions = {}): Promise<Speech> {
  const { program = 'espeak-ng', atOnce = 2, timeoutSeconds = 30, voices: choices = {} } = options;
  const listed = await run(program, ['--voices'], '', { timeoutSeconds: 10, maxBytes: 1_000_000 }).catch(
    (error: unknown) => {
      throw new NoSpeechProgram(
        `the speech program ${program} cannot be run; install it (Debian, Ubuntu: apt-get install espeak-ng; ` +
          'macOS: brew install espeak-ng), or choose another speech engine',
        { cause: error },
      );
    },
  );
  const voices = readVoices(listed.toString('utf8'));
  if (voices.length === 0) throw new Error(`${program} --voices lists no voice: is it espeak-ng, with its data?`);
  checkChoices(voices, choices);
  const line = turns(atOnce);
  return {
    provider: 'espeak-ng',
    voices: () => voices,
    voiceFor: (language) => chooseVoice(voices, language, choices),
    costOf: () => ({ characters: 0, microDollars: 0 }),
    async speak(text, voice, signal) {
      if (!voices.some(({ id }) => id === voice.id)) throw new SpeechRefusal(`There is no voice ${voice.id} here.`);
      checkSpoken(text);
      const args = ['-v', voice.id, '-s', String(wordsPerMinute), '-b', '1', '--stdin', '--stdout'];
      return line.take(async () => {
        const limits = { timeoutSeconds, maxBytes: maxWavBytes, signal };
        const pcm = readWav(await run(program, args, withoutCommands(text), limits));
        if (!pcm) throw new SpeechUnavailable('The speech program gave no sound.', { retrySeconds: 60 });
        if (pcm.samples.length < pcm.sampleRate * minSeconds || !pcm.samples.some((sample) => Math.abs(sample) > 64)) {
          throw new SpeechRefusal(`The voice ${voice.name} has nothing to say for this text.`);
        }
        return encodeMp3(pcm, signal);
      }, signal);
    },
  };
}

/** `[[…]]` is read as phonemes, and control characters begin commands: neither may come from a card. */
function withoutCommands(text: string): string {
  return text
    .toWellFormed()
    .replace(/\p{Cc}/gu, ' ')
    .replace(/\[(?=\[)/g, '[ ');
}

/**
 * The table of `--voices`: priority, language, age and gender, name, file. Of two voices for one language the first is
 * kept; those of MBROLA need files that may not be there.
 */
export function readVoices(table: string): Voice[] {
  const voices = new Map<string, Voice>();
  for (const line of table.split('\n')) {
    const [, id = '', name = '', file = ''] = /^\s*\d+\s+(\S+)\s+\S+\s+(\S+)\s+(\S+)/.exec(line) ?? [];
    const language = canonicalTag(id);
    if (!/^[a-z][a-z0-9-]*$/i.test(id) || file.startsWith('mb/') || language === undefined || voices.has(id)) continue;
    voices.set(id, { id, language, name: name.replaceAll('_', ' '), quality: 'robotic' });
  }
  return [...voices.values()];
}

interface RunLimits {
  readonly timeoutSeconds: number;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

function run(program: string, args: readonly string[], input: string, limits: RunLimits): Promise<Buffer> {
  const { timeoutSeconds, maxBytes, signal } = limits;
  return new Promise((resolve, reject) => {
    // Nothing of ours is in its environment: it needs no secret to speak.
    const { PATH, HOME, ESPEAK_DATA_PATH } = process.env;
    const child = spawn(program, args, { stdio: 'pipe', env: { PATH, HOME, ESPEAK_DATA_PATH, LC_ALL: 'C.UTF-8' } });
    const chunks: Buffer[] = [];
    let length = 0;
    let complaint = '';
    const end = (fault: unknown) => {
      child.kill('SIGKILL');
      settle(() => reject(fault));
    };
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      finish();
    };
    const abort = () => end(signal?.reason);
    const timer = setTimeout(() => {
      end(new SpeechUnavailable(`The speech program took longer than ${timeoutSeconds} s.`, { retrySeconds: 60 }));
    }, timeoutSeconds * 1000);
    signal?.addEventListener('abort', abort, { once: true });
    child.once('error', (error) =>
      settle(() =>
        reject(new SpeechUnavailable('The speech program cannot be run.', { retrySeconds: 60, cause: error })),
      ),
    );
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) end(new SpeechRefusal('The text takes too long to say. Divide the card.'));
      else chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString('utf8')).slice(0, 300);
    });
    child.once('close', (code, killedBy) =>
      settle(() => {
        if (code === 0) return resolve(Buffer.concat(chunks));
        const cause = new Error(`${program} ended with ${code ?? killedBy}: ${complaint.trim()}`);
        reject(new SpeechUnavailable('The speech program failed.', { retrySeconds: 60, cause }));
      }),
    );
    // It may end before it has read everything; how it ended says why.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
