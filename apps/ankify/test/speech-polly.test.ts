/** Amazon Polly over its wire protocol: each request signed and as the published model has it. And clips by content. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type AwsAnswer,
  type AwsCall,
  type AwsService,
  credentials,
  region,
  startAwsService,
} from '../../../packages/models/test/aws-service.ts';
import { openDirectoryBlobs } from '../src/blobs/directory.ts';
import { audioStore } from '../src/speech/audio-store.ts';
import { encodeMp3, isMp3 } from '../src/speech/mp3.ts';
import { type PollyOptions, pollySpeech } from '../src/speech/polly.ts';
import { pollyVoices } from '../src/speech/polly-voices.ts';
import { type Speech, SpeechRefusal, SpeechUnavailable, type Voice } from '../src/speech/speech.ts';

let clip: Buffer;
beforeAll(async () => {
  const samples = Int16Array.from({ length: 22_050 }, (_, at) => 8000 * Math.sin(at / 8));
  clip = Buffer.from(await encodeMp3({ samples, sampleRate: 22_050 }));
});

let closing: Array<() => unknown>;
beforeEach(() => {
  closing = [];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

const audio = (): AwsAnswer => ({
  body: clip,
  headers: { 'content-type': 'audio/mpeg', 'x-amzn-requestcharacters': '4' },
});
const refusal = (type: string, status = 400): AwsAnswer => ({
  status,
  headers: { 'x-amzn-errortype': type },
  body: '{"message":"no"}',
});

async function started(answer: (call: AwsCall) => AwsAnswer | Promise<AwsAnswer>, options: PollyOptions = {}) {
  const service = await startAwsService({
    service: 'polly',
    operations: { SynthesizeSpeech: 'POST /v1/speech' },
    answer,
  });
  const speech = pollySpeech({ client: { endpoint: service.endpoint, region, credentials }, ...options });
  closing.push(
    () => service.close(),
    () => speech.close(),
  );
  return { service, speech };
}

function voiceOf(speech: Speech, language: string): Voice {
  const voice = speech.voiceFor(language);
  if (!voice) throw new Error(`no voice for ${language}`);
  return voice;
}

const textsOf = (service: AwsService) => service.calls.map(({ input }) => input.Text);

describe('a request', () => {
  test('is signed and fits the published model', async ({ skip }) => {
    const { service, speech } = await started(audio);
    if (!service.model && !process.env.CI) skip('BOTOCORE_DATA does not name botocore’s models');
    expect(service.model).toBeDefined();
    const spoken = await speech.speak('der Hund; AT&T <b> "x"', voiceOf(speech, 'de-DE'));
    expect(Buffer.from(spoken).equals(clip)).toBe(true);
    expect(service.problems).toEqual([]);
    expect(service.calls[0]?.input).toEqual({
      Engine: 'neural',
      LanguageCode: 'de-DE',
      OutputFormat: 'mp3',
      SampleRate: '24000',
      Text: '<speak>der Hund<break time="400ms"/> AT&amp;T &lt;b&gt; &quot;x&quot;</speak>',
      TextType: 'ssml',
      VoiceId: 'Vicki',
    });
  });

  test('of every voice has a name, a language and an engine that the model knows', async ({ skip }) => {
    const { service, speech } = await started(audio);
    if (!service.model && !process.env.CI) skip('BOTOCORE_DATA does not name botocore’s models');
    for (const voice of speech.voices()) await speech.speak('a', voice);
    expect(service.calls).toHaveLength(pollyVoices.length);
    expect(service.problems).toEqual([]);
    const keys = service.calls.map(({ input }) => `${input.VoiceId} ${input.LanguageCode}`);
    expect(new Set(keys).size).toBe(pollyVoices.length);
    expect(keys).toContain('Kajal hi-IN');
  });

  test('is several for a long text, and the clip is all of them', async () => {
    const { service, speech } = await started(audio);
    const spoken = await speech.speak('Ein Satz. '.repeat(450), voiceOf(speech, 'de'));
    expect(service.calls).toHaveLength(2);
    expect(spoken.length).toBe(2 * clip.length);
    expect(textsOf(service).every((text) => String(text).length <= 6000)).toBe(true);
  });

  test('an ID3 tag stays at the beginning of a clip only', async () => {
    const tag = Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 1, 2, ...Buffer.alloc(130)]);
    const { speech } = await started(() => ({ ...audio(), body: Buffer.concat([tag, clip]) }));
    const spoken = await speech.speak('Ein Satz. '.repeat(450), voiceOf(speech, 'de'));
    expect(Buffer.from(spoken).equals(Buffer.concat([tag, clip, clip]))).toBe(true);
  });

  test('is never more than so many at once', async () => {
    let now = 0;
    let most = 0;
    const { speech } = await started(
      async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 5));
        now--;
        return audio();
      },
      { atOnce: 3 },
    );
    const voice = voiceOf(speech, 'de');
    await Promise.all(Array.from({ length: 12 }, (_, index) => speech.speak(`Wort ${index}`, voice)));
    expect(most).toBe(3);
  });
});

describe('a cost', () => {
  test('is of the text’s characters, without tags, by the engine’s price', async () => {
    const { speech } = await started(audio);
    expect(speech.costOf('Hund; <b>🦊', voiceOf(speech, 'de'))).toEqual({ characters: 10, microDollars: 160 });
    expect(speech.costOf('собака', voiceOf(speech, 'ru'))).toEqual({ characters: 6, microDollars: 24 });
  });
});

describe('a failure', () => {
  test('throttling and 5xx are tried again, apart', async () => {
    const { service, speech } = await started(({ attempt }) =>
      attempt === 1
        ? refusal('ThrottlingException', 429)
        : attempt === 2
          ? refusal('ServiceFailureException', 500)
          : audio(),
    );
    expect(isMp3(await speech.speak('Hund', voiceOf(speech, 'de')))).toBe(true);
    expect(service.calls).toHaveLength(3);
    expect(service.problems).toEqual([]);
  });

  test('throttling without end is SpeechUnavailable, within its bound', async () => {
    const { service, speech } = await started(() => refusal('ThrottlingException'), { attempts: 2 });
    await expect(speech.speak('Hund', voiceOf(speech, 'de'))).rejects.toMatchObject({
      name: 'SpeechUnavailable',
      retrySeconds: 30,
      message: 'Amazon Polly is busy.',
    });
    expect(service.calls).toHaveLength(2);
  });

  test.each(['InvalidSsmlException', 'TextLengthExceededException', 'EngineNotSupportedException'])(
    '%s is SpeechRefusal, once',
    async (type) => {
      const { service, speech } = await started(() => refusal(type));
      await expect(speech.speak('Hund', voiceOf(speech, 'de'))).rejects.toThrow(SpeechRefusal);
      expect(service.calls).toHaveLength(1);
    },
  );

  test.each<[string, () => AwsAnswer]>([
    ['a refusal of our key', () => refusal('AccessDeniedException', 403)],
    ['a page of a proxy', () => ({ body: '<html>'.repeat(99), headers: { 'content-type': 'text/html' } })],
    ['something else that claims to be audio', () => ({ ...audio(), body: '<html>'.repeat(99) })],
    ['an empty clip', () => ({ ...audio(), body: '' })],
    ['a clip that breaks off', () => ({ ...audio(), cutAfter: 500 })],
  ])('%s is SpeechUnavailable', async (_, answer) => {
    const { speech } = await started(answer, { attempts: 2 });
    await expect(speech.speak('Hund', voiceOf(speech, 'de'))).rejects.toThrow(SpeechUnavailable);
  });

  test('a clip without end is not read to its end', async () => {
    const { speech } = await started(() => ({
      ...audio(),
      body: Buffer.concat([clip, Buffer.alloc(13 * 1024 * 1024)]),
    }));
    await expect(speech.speak('Hund', voiceOf(speech, 'de'))).rejects.toThrow('takes too long to say');
  });

  test('silence ends with the time that was given, an abort at once between two tries', {
    timeout: 10_000,
  }, async () => {
    const silent = await started(() => ({ silent: true }), { timeoutSeconds: 0.2 });
    await expect(silent.speech.speak('Hund', voiceOf(silent.speech, 'de'))).rejects.toThrow(SpeechUnavailable);
    for (const answer of [refusal('ThrottlingException', 429), { ...audio(), stallAfter: 500 }]) {
      const stop = new AbortController();
      const slow = await started(() => {
        setTimeout(() => stop.abort(new Error('the user left')), 50);
        return { ...answer, headers: { ...answer.headers, 'retry-after': '60' } };
      });
      await expect(slow.speech.speak('Hund', voiceOf(slow.speech, 'de'), stop.signal)).rejects.toThrow('the user left');
      expect(slow.service.calls).toHaveLength(1);
    }
  });

  test('nothing is sent for what cannot be said, or by a voice that is none', async () => {
    const { service, speech } = await started(audio);
    const voice = voiceOf(speech, 'de');
    for (const text of ['', '?!', 'a'.repeat(5001)])
      await expect(speech.speak(text, voice)).rejects.toThrow(SpeechRefusal);
    await expect(speech.speak('a', { ...voice, id: 'Nobody' })).rejects.toThrow(SpeechRefusal);
    await expect(speech.speak('a', { ...voice, language: 'fr-FR' })).rejects.toThrow(SpeechRefusal);
    expect(service.calls).toEqual([]);
  });

  test('a choice of a voice that Polly has not is told at the start', () => {
    expect(() => pollySpeech({ voices: { 'de-DE': 'Nobody' } })).toThrow('no voice "Nobody" that speaks de-DE');
  });
});

describe('clips by content', () => {
  async function stored(answer: (call: AwsCall) => AwsAnswer | Promise<AwsAnswer>) {
    const { service, speech } = await started(answer);
    const directory = mkdtempSync(join(tmpdir(), 'ankify-audio-'));
    const clock = { seconds: 1_795_000_000 };
    const now = () => clock.seconds;
    const blobs = await openDirectoryBlobs({ directory, now });
    closing.push(
      () => rmSync(directory, { recursive: true }),
      () => blobs.close(),
    );
    return { service, speech, store: audioStore({ blobs, speech, now }), voice: voiceOf(speech, 'de'), clock };
  }

  test('the same text in the same voice is made once, and is another in another voice, text or language', async () => {
    const { service, speech, store, voice } = await stored(audio);
    const first = await store.make('Hund', voice);
    expect(first).toEqual({ key: expect.stringMatching(/^audio\/[0-9a-f]{64}\.mp3$/), made: true });
    expect(await store.make('Hund', voice)).toEqual({ key: first.key, made: false });
    expect(Buffer.from((await store.read(first.key)) ?? []).equals(clip)).toBe(true);
    expect([await store.has(first.key), await store.has(store.keyOf('Katze', voice))]).toEqual([true, false]);
    expect(service.calls).toHaveLength(1);
    const kajal = ['en-IN', 'hi-IN'].map((language) => voiceOf(speech, language));
    const keys = [...kajal, voice, voiceOf(speech, 'de-AT')].map((one) => store.keyOf('Hund', one));
    expect(new Set([...keys, store.keyOf('Hund ', voice)]).size).toBe(5);
  });

  test('fifty who ask at once cause one request, and one of them made it', async () => {
    const { service, store, voice } = await stored(audio);
    const made = await Promise.all(Array.from({ length: 50 }, () => store.make('Hund', voice)));
    expect(made.filter((one) => one.made)).toHaveLength(1);
    expect(service.calls).toHaveLength(1);
  });

  test('who leaves does not stop it for the others; the last who leaves does, and who comes then starts anew', async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { service, store, voice } = await stored(async ({ attempt }) => {
      asked.resolve();
      if (attempt === 1) await gate.promise;
      return audio();
    });
    const [one, two] = [new AbortController(), new AbortController()];
    const first = store.make('Hund', voice, one.signal);
    const second = store.make('Hund', voice, two.signal);
    await asked.promise;
    one.abort(new Error('one left'));
    await expect(first).rejects.toThrow('one left');
    two.abort(new Error('two left'));
    const third = store.make('Hund', voice);
    await expect(second).rejects.toThrow('two left');
    expect(await third).toMatchObject({ made: true });
    gate.resolve();
    expect(service.calls).toHaveLength(2);
    await expect(store.make('Katze', voice, one.signal)).rejects.toThrow('one left');
  });

  test('who stays gets the clip, and is the one who made it', async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { store, voice } = await stored(async () => {
      asked.resolve();
      await gate.promise;
      return audio();
    });
    const leaving = new AbortController();
    const first = store.make('Hund', voice, leaving.signal);
    const second = store.make('Hund', voice);
    await asked.promise;
    leaving.abort(new Error('left'));
    gate.resolve();
    await expect(first).rejects.toThrow('left');
    expect(await second).toMatchObject({ made: true });
  });

  test('a failure is told to all who waited, keeps nothing, and the next try makes it', async () => {
    let fails = true;
    const { store, voice } = await stored(() => (fails ? refusal('AccessDeniedException', 403) : audio()));
    const failed = await Promise.allSettled([store.make('Hund', voice), store.make('Hund', voice)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await store.has(store.keyOf('Hund', voice))).toBe(false);
    fails = false;
    expect(await store.make('Hund', voice)).toMatchObject({ made: true });
  });

  test('a refusal is remembered for a day: nobody asks again, and there is no clip', async () => {
    const { service, store, voice, clock } = await stored(() => refusal('InvalidSsmlException'));
    const key = store.keyOf('Hund', voice);
    const first = await store.make('Hund', voice).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(SpeechRefusal);
    await expect(store.make('Hund', voice)).rejects.toThrow((first as Error).message);
    expect([await store.has(key), await store.read(key), service.calls.length]).toEqual([true, undefined, 1]);
    clock.seconds += 24 * 3600;
    expect(await store.has(key)).toBe(false);
    await expect(store.make('Hund', voice)).rejects.toThrow(SpeechRefusal);
    expect(service.calls).toHaveLength(2);
  });
});
