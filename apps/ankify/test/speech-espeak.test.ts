/**
 * The espeak-ng program itself (Debian package `espeak-ng`, in CI always), its clips decoded by mpg123 (package
 * `mpg123`), and programs that only pretend to be it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { espeakSpeech, readVoices } from '../src/speech/espeak.ts';
import { SpeechRefusal, SpeechUnavailable, type Voice } from '../src/speech/speech.ts';

const isInstalled = ['espeak-ng', 'mpg123'].every((program) => spawnSync(program, ['--version']).status === 0);
const notHere = 'espeak-ng and mpg123 are not installed here (apt-get install espeak-ng mpg123)';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ankify-speech-'));
});
afterEach(() => rmSync(home, { recursive: true }));

/** Seconds and loudness of an MP3, by a decoder that nobody here wrote. */
function heard(clip: Uint8Array): { seconds: number; peak: number } {
  const file = join(home, 'clip.mp3');
  writeFileSync(file, clip);
  const pcm = execFileSync('mpg123', ['-q', '-s', '-r', '22050', '-m', file], { maxBuffer: 64 * 1024 * 1024 });
  let peak = 0;
  for (let at = 0; at + 1 < pcm.length; at += 2) peak = Math.max(peak, Math.abs(pcm.readInt16LE(at)));
  return { seconds: pcm.length / 2 / 22_050, peak };
}

const voiceOf = (speech: { voiceFor(language: string): Voice | undefined }, language: string): Voice => {
  const voice = speech.voiceFor(language);
  if (!voice) throw new Error(`no voice for ${language}`);
  return voice;
};

describe('espeak-ng', () => {
  test.for([
    ['de-DE', 'ärgern'],
    ['en-US', 'dog'],
    ['fr-FR', 'chien'],
    ['es-MX', 'perro'],
    ['ru-RU', 'собака'],
    ['ar-SA', 'كلب'],
    ['hi-IN', 'कुत्ता'],
    ['zh-CN', '狗'],
    ['he-IL', 'כלב'],
    ['tr-TR', 'köpek'],
  ] as const)('says a word of %s, and a decoder hears it', async ([language, word], { skip }) => {
    if (!isInstalled && !process.env.CI) skip(notHere);
    const speech = await espeakSpeech();
    const voice = voiceOf(speech, language);
    const { seconds, peak } = heard(await speech.speak(word, voice));
    expect(seconds).toBeGreaterThan(0.3);
    expect(seconds).toBeLessThan(3);
    expect(peak).toBeGreaterThan(1000);
    expect(speech.costOf(word, voice)).toEqual({ characters: 0, microDollars: 0 });
  });

  test('takes every text for a text', async ({ skip }) => {
    if (!isInstalled && !process.env.CI) skip(notHere);
    const speech = await espeakSpeech();
    const voice = voiceOf(speech, 'de-DE');
    const silence = heard(await speech.speak('a', voice)).seconds;
    // Each would be shorter than what is said if it were an option, phonemes, markup or an embedded command.
    for (const [text, seconds] of [
      ['-v ärgern', 1],
      ['--version', 0.8],
      ['-w /tmp/x', 1],
      ["[[h@'loU]] [[[f'u:ks]]]", 1.5],
      ['<script>alert(1)</script>', 1.5],
      ['\x0149999s Wort und \x01+10p noch ein Wort', 1.5],
      ['$(touch owned) `touch owned`; touch owned', 2],
      ['a\nb\r\nc\0d', 1],
      ['AT&T 🦊 e\u0301 שלום \ud800', 1],
    ] as const) {
      expect([text, heard(await speech.speak(text, voice)).seconds > Math.max(seconds, silence)]).toEqual([text, true]);
    }
    expect(existsSync('owned')).toBe(false);
  });

  test('a pause is heard', async ({ skip }) => {
    if (!isInstalled && !process.env.CI) skip(notHere);
    const speech = await espeakSpeech();
    const voice = voiceOf(speech, 'de-DE');
    const [together, apart] = [await speech.speak('Hund Hunde', voice), await speech.speak('Hund; Hunde', voice)];
    expect(heard(apart).seconds).toBeGreaterThan(heard(together).seconds + 0.1);
  });

  test('refuses what cannot be said, and a voice that is none', async ({ skip }) => {
    if (!isInstalled && !process.env.CI) skip(notHere);
    const speech = await espeakSpeech();
    const voice = voiceOf(speech, 'de');
    for (const text of ['', '?!', 'lang '.repeat(1001)]) {
      await expect(speech.speak(text, voice)).rejects.toThrow(SpeechRefusal);
    }
    await expect(speech.speak('x', { ...voice, id: '../../etc/passwd' })).rejects.toThrow(SpeechRefusal);
    await expect(speech.speak('x', { ...voice, id: '--help' })).rejects.toThrow(SpeechRefusal);
  });

  test('twenty asked for at once are all made, each its own, and an abort leaves the line', async ({ skip }) => {
    if (!isInstalled && !process.env.CI) skip(notHere);
    const speech = await espeakSpeech();
    const voice = voiceOf(speech, 'de-DE');
    const stop = new AbortController();
    const clips = Array.from({ length: 20 }, (_, index) => speech.speak(`Wort ${index}`, voice));
    const late = speech.speak('zu spät', voice, stop.signal);
    stop.abort(new Error('the user left'));
    await expect(late).rejects.toThrow('the user left');
    expect(new Set((await Promise.all(clips)).map((clip) => Buffer.from(clip).toString('base64'))).size).toBe(20);
  });

  test('the operator’s voice is used, and a wrong one is told at the start', async ({ skip }) => {
    if (!isInstalled && !process.env.CI) skip(notHere);
    expect((await espeakSpeech({ voices: { en: 'en-gb-scotland' } })).voiceFor('en-US')?.id).toBe('en-gb-scotland');
    await expect(espeakSpeech({ voices: { de: 'Vicki' } })).rejects.toThrow('no voice "Vicki" that speaks de');
  });
});

describe('a program that is not it', () => {
  const table = 'Pty Language Age/Gender VoiceName File Other\n 5  de  --/M  German  gmw/de\n';

  /** A script in its place: `--voices` lists German, and then comes what the test says. */
  function pretend(then: string): string {
    const file = join(home, 'espeak-ng');
    writeFileSync(file, `#!/bin/sh\nif [ "$1" = --voices ]; then printf '%s' '${table}'; exit 0; fi\n${then}\n`);
    chmodSync(file, 0o755);
    return file;
  }
  const german: Voice = { id: 'de', language: 'de', name: 'German', quality: 'robotic' };

  test('is told how to be installed if it is missing, or has no voices', async () => {
    await expect(espeakSpeech({ program: join(home, 'nothing') })).rejects.toThrow('apt-get install espeak-ng');
    await expect(espeakSpeech({ program: '/bin/true' })).rejects.toThrow('lists no voice');
    await expect(espeakSpeech({ program: '/bin/false' })).rejects.toThrow('apt-get install espeak-ng');
  });

  test.each([
    ['fails', 'echo oops >&2; exit 3', SpeechUnavailable],
    ['gives no sound', 'cat >/dev/null; echo hello', SpeechUnavailable],
    ['gives nothing', 'cat >/dev/null', SpeechUnavailable],
    ['does not read its input', 'exit 0', SpeechUnavailable],
    ['never ends', 'exec sleep 60', SpeechUnavailable],
    ['never stops', 'exec cat /dev/zero', SpeechRefusal],
  ])('and %s: it is stopped, and said', async (_, then, kind) => {
    const speech = await espeakSpeech({ program: pretend(then), timeoutSeconds: kind === SpeechRefusal ? 30 : 1 });
    await expect(speech.speak('ein Wort', german)).rejects.toThrow(kind);
  });

  test('it gets no secret of ours, its text by standard input, and an abort ends it', async () => {
    const seen = join(home, 'seen');
    process.env.ANKIFY_TEST_SECRET = 'a secret';
    const program = pretend(`{ echo "$@"; env; cat; } > ${seen}`);
    const speech = await espeakSpeech({ program });
    await expect(speech.speak('-v ärgern', german)).rejects.toThrow(SpeechUnavailable);
    delete process.env.ANKIFY_TEST_SECRET;
    const [args = '', ...rest] = readFileSync(seen, 'utf8').split('\n');
    expect(args).toBe('-v de -s 150 -b 1 --stdin --stdout');
    expect(rest.join('\n')).not.toContain('a secret');
    expect(rest.at(-1)).toBe('-v ärgern');
    const pid = join(home, 'pid');
    const slow = await espeakSpeech({ program: pretend(`echo $$ > ${pid}; exec sleep 60`) });
    const stop = new AbortController();
    const speaking = slow.speak('ein Wort', german, stop.signal);
    while (!existsSync(pid) || readFileSync(pid, 'utf8') === '')
      await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort(new Error('the user left'));
    await expect(speaking).rejects.toThrow('the user left');
    const isRunning = () => {
      const state = spawnSync('ps', ['-o', 'stat=', '-p', readFileSync(pid, 'utf8').trim()]).stdout.toString();
      return state !== '' && !state.startsWith('Z');
    };
    while (isRunning()) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test('its table is read line by line, and what cannot be used is left out', () => {
    const odd = `${table}garbage\n 5  -rf  --/M  Bad  x/y\n 6 de --/F german-mbrola-1 mb/mb-de1\n 5  de  --/M  Again  gmw/de2\n 5 yue --/M Chinese_(Cantonese) sit/yue\n`;
    expect(readVoices(odd).map(({ id, name }) => [id, name])).toEqual([
      ['de', 'German'],
      ['yue', 'Chinese (Cantonese)'],
    ]);
  });
});
