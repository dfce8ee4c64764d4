/** Packages with recorded speech, as SQLite and ZIP see them, and how finished ones are kept and given out. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { unzipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { credentials, region } from '../../../packages/models/test/aws-service.ts';
import { maxMediaBytes, writeApkg } from '../src/anki/apkg.ts';
import { openDirectoryBlobs } from '../src/blobs/directory.ts';
import { s3Blobs } from '../src/blobs/s3.ts';
import { type AnkifyRecords, ankifyKinds, type DeckWithCards } from '../src/decks/deck.ts';
import { download } from '../src/exports/download.ts';
import { linkLifetimeSeconds, sealLink } from '../src/exports/link.ts';
import { createPackages, packageKey } from '../src/exports/packages.ts';
import { audioStore } from '../src/speech/audio-store.ts';
import { deckClips } from '../src/speech/deck-clips.ts';
import { pollyVoices } from '../src/speech/polly-voices.ts';
import { type Speech, SpeechRefusal } from '../src/speech/speech.ts';
import { chooseVoice } from '../src/speech/voice-choice.ts';
import { deckOf, edited, readApkg } from './decks.ts';
import { recordedApkg, recordingOf, toneClip } from './recorded.ts';
import { startBucket } from './s3-service.ts';

const languages = { speech: 'recorded', frontLanguage: 'de-DE', backLanguage: 'en-GB' } as const;
const animals = [
  { front: 'Hund', back: 'dog' },
  { front: 'Maus / Ratte', back: '🦊' },
  { front: 'Hund', back: 'hound' },
];

describe('a package', () => {
  test('has every clip once, under its number, and each note plays its own', async () => {
    const deck = deckOf({ noteType: 'reversed', ...languages }, animals);
    const { sounds, files } = await recordingOf(deck);
    const bytes = await recordedApkg(deck);
    const read = readApkg(bytes);
    expect(read.files).toEqual(['0', '1', '2', '3', 'collection.anki2', 'media']);
    const zip = unzipSync(bytes);
    for (const [number, name] of Object.entries(read.media as Record<string, string>)) {
      expect(name).toMatch(/^ankify-[0-9a-f]{20}\.mp3$/);
      expect(Buffer.from(zip[number] ?? []).equals(Buffer.from(files.get(name) ?? [1]))).toBe(true);
    }
    const played = read.notes.map(({ flds }) => String(flds).split('\x1f').slice(3));
    const expected = deck.cards.map(({ id }) => {
      const { front, back } = sounds.get(id) ?? {};
      return [`[sound:${front}]`, back ? `[sound:${back}]` : ''];
    });
    expect(played).toEqual(expected);
    expect(played[0]?.[0]).toBe(played[2]?.[0]); // both say “Hund”
    expect(read.integrity).toBe('ok');
  });

  test('is the same bytes for the same version and clips, in whatever order they came', async () => {
    const deck = deckOf(languages, animals);
    const { sounds, files } = await recordingOf(deck);
    const turned = { sounds, files: new Map([...files].reverse()) };
    expect(Buffer.from(writeApkg(deck, turned)).equals(Buffer.from(writeApkg(deck, { sounds, files })))).toBe(true);
  });

  test('uses the note type of a deck that the device reads, so that one can become the other', async () => {
    const [device, recorded] = [deckOf({ ...languages, speech: 'device' }, animals), deckOf(languages, animals)];
    const [first, second] = [readApkg(writeApkg(device)), readApkg(await recordedApkg(recorded))];
    expect(second.models).toEqual(first.models);
    expect(first.notes.every(({ flds }) => !String(flds).includes('[sound:'))).toBe(true);
    expect(first.media).toEqual({});
  });

  test('keeps what looks like a sound in a text as text', async () => {
    const deck = deckOf(languages, [{ front: '[sound:../../x.mp3]', back: 'a [sound:y.mp3] b' }]);
    const [note] = readApkg(await recordedApkg(deck)).notes;
    const [front, back, , frontSound, backSound] = String(note?.flds).split('\x1f');
    expect([front, back]).toEqual(['&#91;sound:../../x.mp3]', 'a &#91;sound:y.mp3] b']);
    expect([frontSound, backSound]).toEqual(['', expect.stringMatching(/^\[sound:ankify-[0-9a-f]{20}\.mp3\]$/)]);
  });

  test('has colours for the dark for all that is shown, recorded or not', async () => {
    const { models } = readApkg(await recordedApkg(deckOf({ noteType: 'reversed', ...languages }, animals)));
    const [model] = Object.values(models);
    for (const rule of ['.card.nightMode {', '.nightMode .extra', '.nightMode .cloze'])
      expect(model?.css).toContain(rule);
    expect(model?.tmpls.map(({ qfmt }) => qfmt)).toEqual([
      expect.stringContaining('{{FrontSound}}{{^FrontSound}}{{tts de_DE:Front}}{{/FrontSound}}'),
      expect.stringContaining('{{BackSound}}{{^BackSound}}{{tts en_GB:Back}}{{/BackSound}}'),
    ]);
  });

  test('with more than fits is a fault, not a broken file', async () => {
    const files = new Map([
      ['ankify-a.mp3', new Uint8Array(maxMediaBytes)],
      ['ankify-b.mp3', new Uint8Array(1)],
    ]);
    expect(() => writeApkg(deckOf(languages, animals), { sounds: new Map(), files })).toThrow(RangeError);
  });

  test('of 300 cards spoken on both sides is a ZIP that unzip finds whole', async ({ skip }) => {
    if (spawnSync('unzip', ['-v']).status !== 0) skip('unzip is not installed here');
    const deck = deckOf(
      languages,
      Array.from({ length: 300 }, (_, index) => ({ front: `Wort ${index}`, back: `word ${index}` })),
    );
    const file = join(home, 'deck.apkg');
    writeFileSync(file, await recordedApkg(deck));
    expect(execFileSync('unzip', ['-t', file]).toString()).toContain('No errors detected');
    expect(readApkg(await recordedApkg(deck)).files).toHaveLength(602);
  });
});

let home: string;
let closing: Array<() => unknown>;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ankify-package-'));
  closing = [() => rmSync(home, { recursive: true })];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

const linkKey = Buffer.alloc(32, 7);

/** A deck in records, an engine whose clips are tones, and its blobs in a directory or a bucket. */
async function kept(deck: DeckWithCards, kind: 'directory' | 's3' = 'directory') {
  const clock = { seconds: Math.floor(Date.now() / 1000) };
  const now = () => clock.seconds;
  const records = memoryRecords<AnkifyRecords>({ kinds: ankifyKinds, now });
  await records.create('deck', deck.deck.id, deck.deck);
  await records.create('cards', deck.deck.contents, { owner: deck.deck.owner, cards: deck.cards });
  let spoken = 0;
  let refused: string | undefined;
  const speech: Speech = {
    provider: 'polly',
    voices: () => pollyVoices,
    voiceFor: (language) => chooseVoice(pollyVoices, language),
    costOf: () => ({ characters: 0, microDollars: 0 }),
    speak(text) {
      spoken++;
      return text === refused ? Promise.reject(new SpeechRefusal('not this')) : toneClip(text);
    },
  };
  const bucket = kind === 's3' ? await startBucket(now) : undefined;
  const client = bucket && { region, credentials, endpoint: bucket.endpoint, forcePathStyle: true };
  const blobs = client
    ? s3Blobs({ bucket: 'decks', client, now })
    : await openDirectoryBlobs({ directory: join(home, 'blobs'), now });
  closing.push(
    () => bucket?.close(),
    () => blobs.close(),
    () => records.close(),
  );
  const audio = audioStore({ blobs, speech, now });
  const packages = createPackages({ records, blobs, recording: { speech, audio }, now });
  const clips = deckClips(deck, speech, audio).clips;
  return {
    blobs,
    packages,
    clock,
    records,
    bucket,
    clips,
    spoken: () => spoken,
    refuse: (text: string) => {
      refused = text;
    },
    /** All that can be; then throws what was refused. */
    speakAll: async () => {
      const made = await Promise.allSettled(clips.map(({ text, voice }) => audio.make(text, voice)));
      for (const one of made) if (one.status === 'rejected') throw one.reason;
    },
    get: (given = deck.deck) =>
      download({ records, packages, linkKey, now }, sealLink(linkKey, given, clock.seconds + linkLifetimeSeconds)),
  };
}

describe('a finished package', () => {
  const deck = deckOf({ ...languages, name: 'Sprachen::Deutsch' }, animals);

  test('is not there before its clips are, and says how many are missing', async () => {
    const { packages, speakAll, get, clips, spoken, blobs } = await kept(deck);
    expect(await packages.deliver(deck.deck)).toEqual({ kind: 'unfinished', missingClips: 4 });
    expect(await get()).toMatchObject({ status: 409, body: expect.stringContaining('is not ready') });
    expect(await blobs.has(packageKey(deck.deck))).toBe(false);
    await speakAll();
    expect([clips.length, spoken()]).toEqual([5, 4]);
    const { status, headers, body } = await get();
    expect(status).toBe(200);
    expect(headers['content-disposition']).toBe(
      `attachment; filename="deck.apkg"; filename*=UTF-8''Sprachen%20-%20Deutsch.apkg`,
    );
    expect(readApkg(body as Uint8Array).files).toHaveLength(6);
  });

  test('is made once, given out again without its clips, and ends after a day', async () => {
    const { speakAll, get, clips, blobs, clock } = await kept(deck);
    await speakAll();
    const first = await get();
    for (const { key } of clips) await blobs.remove(key);
    const second = await get();
    expect(Buffer.from(second.body).equals(Buffer.from(first.body as Uint8Array))).toBe(true);
    expect(readdirSync(join(home, 'blobs', 'exports'))).toEqual([`${deck.deck.id}-1.apkg`]);
    clock.seconds += 24 * 3600;
    expect((await get()).status).toBe(409); // the clips were dropped: they are made again by a job
  });

  test('leaves to the device what the engine refuses to say', async () => {
    const { clips, speakAll, get, refuse } = await kept(deck);
    refuse('dog');
    await expect(speakAll()).rejects.toThrow('not this');
    await speakAll().catch(() => undefined);
    const read = readApkg((await get()).body as Uint8Array);
    expect(Object.keys(read.media)).toHaveLength(3);
    expect(clips).toHaveLength(5);
    expect(read.notes.map(({ flds }) => String(flds).split('\x1f').slice(3).map(Boolean))).toEqual([
      [true, false],
      [true, false],
      [true, true],
    ]);
  });

  test('of another version is another one, and the old link says so', async () => {
    const { speakAll, get, records } = await kept(deck);
    await speakAll();
    expect((await get()).status).toBe(200);
    const next = edited(deck);
    const stored = await records.get('deck', deck.deck.id);
    if (!stored) throw new Error('the deck is gone');
    await records.replace('deck', stored, { ...next.deck, contents: `${deck.deck.id}.2` });
    await records.create('cards', `${deck.deck.id}.2`, { owner: 'anna', cards: next.cards });
    expect((await get()).status).toBe(410);
    expect((await get(next.deck)).status).toBe(409);
  });

  test('is served by the bucket itself, by an address that ends in minutes', async () => {
    const { speakAll, get, bucket, clock } = await kept(deck, 's3');
    await speakAll();
    const { status, headers } = await get();
    expect(status).toBe(302);
    expect(headers).toMatchObject({ 'cache-control': 'private, no-store', 'referrer-policy': 'no-referrer' });
    const reply = await fetch(headers.location ?? '');
    expect(reply.headers.get('content-disposition')).toContain("filename*=UTF-8''Sprachen%20-%20Deutsch.apkg");
    expect(readApkg(new Uint8Array(await reply.arrayBuffer())).files).toHaveLength(6);
    expect(bucket?.problems).toEqual([]);
    clock.seconds += 301;
    expect((await fetch(headers.location ?? '')).status).toBe(403);
  });

  test('a deck without recorded speech needs no clip; one whose engine is gone is read by the device', async () => {
    const device = deckOf({ ...languages, speech: 'device' }, animals);
    const { get, records, blobs, clock } = await kept(device);
    expect(readApkg((await get()).body as Uint8Array).media).toEqual({});
    const packages = createPackages({ records, blobs, now: () => clock.seconds });
    const recorded = { ...device.deck, version: 2, speech: 'recorded' as const };
    const delivery = await packages.deliver(recorded);
    expect(delivery.kind === 'bytes' && readApkg(delivery.bytes).media).toEqual({});
  });

  test('of a deleted deck is gone, and one of somebody else never there', async () => {
    const { get, records, packages } = await kept(deck);
    expect((await get({ ...deck.deck, owner: 'eve' })).status).toBe(404);
    await records.take('cards', deck.deck.contents);
    expect(await packages.deliver(deck.deck)).toEqual({ kind: 'gone' });
    await records.take('deck', deck.deck.id);
    expect((await get()).status).toBe(404);
  });
});
