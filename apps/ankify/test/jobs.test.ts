/** Jobs: once for each content, fair, resumed after a kill, told in words; speech is charged before it is made. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { isOpen, type Job, type JobRecord } from '../src/jobs/job.ts';
import { SpeechRefusal, SpeechUnavailable } from '../src/speech/speech.ts';
import { gate, german, openWorkshop, scriptedSpeech, type Workshop, type WorkshopOptions } from './workshop.ts';

const opened: Workshop[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const workshop of opened.splice(0)) await workshop.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function open(options: WorkshopOptions = {}) {
  const workshop = await openWorkshop({ jobs: { backoffSeconds: () => 0.05 }, ...options });
  opened.push(workshop);
  return workshop;
}

const speechOf = (deck: { id: string; version: number }) =>
  ({ kind: 'speech', deckId: deck.id, version: deck.version }) as const;

async function ended({ jobs }: Workshop, owner: string, id: string): Promise<Job> {
  for (;;) {
    const job = await jobs.wait(owner, id, 25);
    if (!job || !isOpen(job)) return job as Job;
  }
}

describe('the speech of a deck', () => {
  test('every distinct clip is made once and charged; again it costs nothing', async () => {
    const speech = scriptedSpeech();
    const workshop = await open({ speech });
    const draft = german(20);
    const doubled = { ...draft, cards: [...draft.cards, ...german(5).cards] };
    const deck = await workshop.shelf.add('anna', doubled);
    const job = await workshop.jobs.start('anna', speechOf(deck));
    expect(job).toMatchObject({ kind: 'speech', deckId: deck.id, deckVersion: 1, state: 'waiting' });
    expect(await ended(workshop, 'anna', job.id)).toMatchObject({ state: 'done', done: 20, total: 20 });
    expect(speech.spoken).toHaveLength(20);
    const characters = german(20)
      .cards.map(({ front }) => front.length)
      .reduce((sum, length) => sum + length);
    expect((await workshop.usage.report('anna')).used.characters).toBe(characters);
    expect(await workshop.pendingSpeech('anna', deck)).toBeUndefined();

    const other = await workshop.shelf.add('ben', { ...doubled, name: 'Other' });
    const second = await workshop.jobs.start('ben', speechOf(other));
    expect(await ended(workshop, 'ben', second.id)).toMatchObject({ state: 'done', done: 20 });
    expect(speech.spoken).toHaveLength(20);
    expect((await workshop.usage.report('ben')).used.characters).toBe(0);
  });

  test('the same work asked for many times at once runs once', async () => {
    const speech = scriptedSpeech();
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(3));
    const all = await Promise.all(Array.from({ length: 8 }, () => workshop.jobs.start('anna', speechOf(deck))));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    await ended(workshop, 'anna', all[0]?.id ?? '');
    await workshop.jobs.start('anna', speechOf(deck));
    expect(workshop.events.filter(({ event }) => event === 'job.started')).toHaveLength(1);
    expect(speech.spoken).toHaveLength(3);
  });

  test('a deck edited while it is recorded is recorded as it is then, by the same job', async () => {
    const speech = scriptedSpeech();
    const { opened: begun, open: begin } = gate();
    const { opened: free, open: release } = gate();
    speech.before = () => {
      begin();
      return free;
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(2));
    const job = await workshop.jobs.start('anna', speechOf(deck));
    await begun;
    const edited = await workshop.shelf.edit('anna', deck.id, { add: [{ front: 'neu', back: 'new' }] });
    expect((await workshop.jobs.start('anna', speechOf(edited?.deck ?? deck))).id).toBe(job.id);
    release();
    expect(await ended(workshop, 'anna', job.id)).toMatchObject({ state: 'done', deckVersion: 2, total: 3 });
    expect(speech.spoken.toSorted()).toEqual(['Wort 1', 'Wort 2', 'neu']);
  });

  test('ends without a further clip when the deck is deleted', async () => {
    const speech = scriptedSpeech();
    const { opened: begun, open: begin } = gate();
    const { opened: free, open: release } = gate();
    speech.before = () => {
      begin();
      return free;
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(50));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    await begun;
    expect(await workshop.jobs.cancel('ben', id, 'x')).toBeUndefined();
    expect(await workshop.jobs.cancel('anna', id, 'The deck was deleted.')).toMatchObject({ state: 'failed' });
    release();
    await workshop.jobs.close();
    expect(speech.spoken.length).toBeLessThan(10);
    // The clips that were cut off stay charged: they may have been billed.
    expect((await workshop.usage.report('anna')).used.characters).toBeLessThanOrEqual(3 * 'Wort 50'.length);
    expect(await workshop.jobs.find('anna', id)).toMatchObject({ error: 'The deck was deleted.' });
  });

  test('ends without a further clip when the deck is deleted by somebody who knows of no job', async () => {
    const speech = scriptedSpeech();
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(50));
    speech.before = async (text) => {
      if (text === 'Wort 5') await workshop.shelf.remove('anna', deck.id);
    };
    const job = await workshop.jobs.start('anna', speechOf(deck));
    expect(await ended(workshop, 'anna', job.id)).toMatchObject({ state: 'failed', error: 'The deck was deleted.' });
    expect(speech.spoken.length).toBeLessThan(20);
  });

  test('a quota that ends in the middle is told, keeps what is made, and charges nothing for what is not', async () => {
    const speech = scriptedSpeech();
    const workshop = await open({ speech, limits: { characters: 20 } });
    const deck = await workshop.shelf.add('anna', german(9));
    const job = await workshop.jobs.start('anna', speechOf(deck));
    const failed = await ended(workshop, 'anna', job.id);
    expect(failed.error).toMatch(
      /6 characters of recorded speech, and 2 of 20 are left this month\..*What is recorded so far is kept/,
    );
    expect(speech.spoken).toHaveLength(3);
    expect((await workshop.usage.report('anna')).used.characters).toBe(18);
    expect(readdirSync(join(workshop.folder, 'blobs', 'audio'))).toHaveLength(3);
  });

  test('a text that cannot be spoken is named, and the others are', async () => {
    const speech = scriptedSpeech();
    speech.before = (text) => {
      if (text === 'Wort 2') throw new SpeechRefusal('There is nothing to say.');
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', { ...german(3), backLanguage: 'xx' });
    const job = await ended(workshop, 'anna', (await workshop.jobs.start('anna', speechOf(deck))).id);
    expect(job).toMatchObject({ state: 'done', done: 3 });
    expect(job.note).toBe('Not recorded: no voice speaks xx; card 2, front: There is nothing to say.');
    expect((await workshop.usage.report('anna')).used.characters).toBe(12);
    expect(await workshop.pendingSpeech('anna', deck)).toBeUndefined();
  });

  test('clips that were lost are made again', async () => {
    const speech = scriptedSpeech();
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(2));
    const first = await workshop.pendingSpeech('anna', deck);
    await ended(workshop, 'anna', first?.id ?? '');
    const [name] = readdirSync(join(workshop.folder, 'blobs', 'audio'));
    await workshop.blobs.remove(`audio/${name}`);
    const again = await workshop.pendingSpeech('anna', deck);
    expect(await ended(workshop, 'anna', again?.id ?? '')).toMatchObject({ state: 'done' });
    expect(speech.spoken).toHaveLength(3);
    expect(await workshop.pendingSpeech('anna', deck)).toBeUndefined();
  });
});

describe('failures', () => {
  test('of the moment are tried again, without making a clip twice', async () => {
    const speech = scriptedSpeech();
    let failures = 3;
    speech.before = (text) => {
      if (text === 'Wort 3' && failures-- > 0) throw new SpeechUnavailable('Busy.', { retrySeconds: 0 });
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(5));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    expect(await ended(workshop, 'anna', id)).toMatchObject({ state: 'done', done: 5 });
    for (const word of [1, 2, 4, 5]) expect(speech.spoken.filter((text) => text === `Wort ${word}`)).toHaveLength(1);
    expect((await workshop.usage.report('anna')).used.characters).toBe(30);
  });

  test('that stay are given up after some tries, in words, and nothing is charged', async () => {
    const speech = scriptedSpeech();
    speech.before = () => {
      throw new SpeechUnavailable('The speech engine is busy.', { retrySeconds: 0 });
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(1));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    const job = await ended(workshop, 'anna', id);
    expect(job.error).toBe('The speech engine is busy. It was tried 6 times. Try again later.');
    expect(speech.spoken).toHaveLength(6);
    expect((await workshop.usage.report('anna')).used.characters).toBe(0);
    // Asked for again, it is tried again.
    speech.before = () => {};
    expect((await workshop.jobs.start('anna', speechOf(deck))).state).toBe('waiting');
    expect(await ended(workshop, 'anna', id)).toMatchObject({ state: 'done' });
  });

  test('of ours say nothing of themselves to the user, and all to the log', async () => {
    const speech = scriptedSpeech();
    speech.before = () => {
      throw new Error('secret path /srv/x');
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(1));
    const job = await ended(workshop, 'anna', (await workshop.jobs.start('anna', speechOf(deck))).id);
    expect(job.error).toBe('Something that this needs failed. It was tried 6 times. Try again later.');
    expect(JSON.stringify(workshop.events)).toContain('secret path');
  });
});

describe('turns', () => {
  test('whoever asks for one job does not wait for the twenty of another', async () => {
    const speech = scriptedSpeech();
    const { opened: free, open: release } = gate();
    speech.before = () => free;
    const workshop = await open({ speech, jobs: { parallel: 2, parallelPerOwner: 2 } });
    const asked: Job[] = [];
    for (let index = 0; index < 20; index++) {
      const deck = await workshop.shelf.add('anna', {
        ...german(1),
        name: `a${index}`,
        cards: [{ front: `a${index}`, back: 'b', tags: [] }],
      });
      asked.push(await workshop.jobs.start('anna', speechOf(deck)));
    }
    const deck = await workshop.shelf.add('ben', { ...german(1), cards: [{ front: 'ben', back: 'b', tags: [] }] });
    const job = await workshop.jobs.start('ben', speechOf(deck));
    release();
    await ended(workshop, 'ben', job.id);
    await Promise.all(asked.map(({ id }) => ended(workshop, 'anna', id)));
    expect(speech.spoken.indexOf('ben')).toBeLessThan(4);
    expect(speech.spoken).toHaveLength(21);
  });

  test('a user has fifty open jobs at most', async () => {
    const workshop = await open({ speech: scriptedSpeech(), jobs: { parallel: 0 } });
    const work = (index: number) => ({ kind: 'speech', deckId: `deck ${index}`, version: 1 }) as const;
    for (let index = 0; index < 50; index++) await workshop.jobs.start('anna', work(index));
    await expect(workshop.jobs.start('anna', work(50))).rejects.toThrow(/50 jobs of yours are not finished/);
    expect((await workshop.jobs.start('anna', work(49))).state).toBe('waiting');
    expect((await workshop.jobs.start('ben', work(50))).state).toBe('waiting');
  });
});

describe('the owner', () => {
  test('alone finds, awaits, watches and cancels a job', async () => {
    const workshop = await open({ speech: scriptedSpeech() });
    const deck = await workshop.shelf.add('anna', german(2));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    expect(await workshop.jobs.find('ben', id)).toBeUndefined();
    expect(await workshop.jobs.wait('ben', id, 25)).toBeUndefined();
    expect(await workshop.jobs.ofDeck('ben', deck.id)).toBeUndefined();
    const seen: Job[] = [];
    const stop = workshop.jobs.watch('ben', id, (job) => seen.push(job));
    await ended(workshop, 'anna', id);
    stop();
    expect(seen).toEqual([]);
    for (const odd of ['', 'x', '\0', '../x', '__proto__'])
      expect(await workshop.jobs.find('anna', odd)).toBeUndefined();
    // Somebody else's work on her deck finds no deck.
    const foreign = await workshop.jobs.start('ben', speechOf(deck));
    expect(await ended(workshop, 'ben', foreign.id)).toMatchObject({ state: 'failed', error: 'The deck was deleted.' });
  });

  test('is told each step, and only what is public', async () => {
    const workshop = await open({ speech: scriptedSpeech() });
    const deck = await workshop.shelf.add('anna', german(12));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    const seen: Job[] = [];
    workshop.jobs.watch('anna', id, (job) => seen.push(job));
    await ended(workshop, 'anna', id);
    expect(seen.at(-1)).toMatchObject({ state: 'done', done: 12 });
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).toSorted((a, b) => a - b));
    const fields = ['createdAt', 'deckId', 'deckVersion', 'done', 'id', 'kind', 'owner', 'state', 'total', 'updatedAt'];
    expect(Object.keys(seen.at(-1) ?? {}).sort()).toEqual(fields);
  });
});

describe('processes', () => {
  test('one that closes gives its job to another at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'jobs-'));
    folders.push(folder);
    const stuck = scriptedSpeech();
    const { opened: begun, open: begin } = gate();
    stuck.before = (text) => {
      if (text !== 'Wort 3') return undefined;
      begin();
      return new Promise((resolve) => setTimeout(resolve, 50));
    };
    const first = await openWorkshop({ folder, speech: stuck, jobs: { parallelPerOwner: 1 } });
    const deck = await first.shelf.add('anna', german(40));
    const { id } = await first.jobs.start('anna', speechOf(deck));
    await begun;
    await first.close();
    const speech = scriptedSpeech();
    const second = await open({ folder, speech });
    expect(await second.jobs.find('anna', id)).toMatchObject({ state: 'waiting' });
    second.jobs.resume();
    expect(await ended(second, 'anna', id)).toMatchObject({ state: 'done', done: 40, total: 40 });
    expect(stuck.spoken.length).toBeLessThan(40);
    const characters = german(40).cards.reduce((sum, { front }) => sum + front.length, 0);
    const { used } = await second.usage.report('anna');
    expect(used.characters).toBeGreaterThanOrEqual(characters);
    expect(used.characters).toBeLessThanOrEqual(characters + 3 * 'Wort 40'.length);
  });

  test('one that closes keeps nobody waiting', async () => {
    const speech = scriptedSpeech();
    const { opened: begun, open: begin } = gate();
    speech.before = async () => {
      begin();
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const workshop = await open({ speech });
    const deck = await workshop.shelf.add('anna', german(40));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    const begunAt = performance.now();
    const waiting = workshop.jobs.wait('anna', id, 25);
    await begun;
    await workshop.jobs.close();
    expect(isOpen((await waiting) as Job)).toBe(true);
    expect(performance.now() - begunAt).toBeLessThan(20_000);
  });

  test('of three that find the same open job one runs it; a change of another process is seen', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'jobs-'));
    folders.push(folder);
    const speech = scriptedSpeech();
    const idle = await open({ folder, speech, jobs: { parallel: 0 } });
    const deck = await idle.shelf.add('anna', german(30));
    const { id } = await idle.jobs.start('anna', speechOf(deck));
    const others = await Promise.all([1, 2, 3].map(() => open({ folder, speech })));
    for (const { jobs } of others) jobs.resume();
    expect(await ended(idle, 'anna', id)).toMatchObject({ state: 'done', done: 30 });
    const started = others.flatMap(({ events }) => events).filter(({ event }) => event === 'job.started');
    expect(started).toHaveLength(1);
    expect(speech.spoken).toHaveLength(30);
  });

  test('one that was killed: its job is left alone while the lease lasts, then another goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'jobs-'));
    folders.push(folder);
    const idle = await open({ folder, speech: scriptedSpeech(), jobs: { parallel: 0 } });
    const deck = await idle.shelf.add('anna', german(30));
    const { id } = await idle.jobs.start('anna', speechOf(deck));

    const first = recorder(folder, 0);
    await first.clips(5);
    first.child.kill('SIGKILL');
    await first.exit;
    const left = (await idle.records.get('job', id))?.value as JobRecord;
    expect(left).toMatchObject({ state: 'working', attempts: expect.any(Number), runner: expect.any(String) });
    const made = readdirSync(join(folder, 'blobs', 'audio')).filter((name) => name.endsWith('.mp3')).length;
    expect(made).toBeGreaterThanOrEqual(1);
    expect(made).toBeLessThan(30);

    const early = await open({ folder, speech: scriptedSpeech() });
    early.jobs.resume();
    expect(await early.jobs.wait('anna', id, 1)).toMatchObject({ state: 'working' });
    expect(early.events).toEqual([]);
    await early.jobs.close();

    const second = recorder(folder, 60);
    try {
      expect(await ended(idle, 'anna', id)).toMatchObject({ state: 'done', done: 30, total: 30 });
    } finally {
      second.child.kill('SIGTERM');
      await second.exit;
    }
    expect(readdirSync(join(folder, 'blobs', 'audio')).filter((name) => name.endsWith('.mp3'))).toHaveLength(30);
    expect(second.lines.length).toBeLessThanOrEqual(30 - made);
    expect((await idle.shelf.read('anna', deck.id))?.cards).toHaveLength(30);
  }, 120_000);

  test('a job that ends every process that runs it is given up', async () => {
    const workshop = await open({ speech: scriptedSpeech(), jobs: { parallel: 0 } });
    const deck = await workshop.shelf.add('anna', german(1));
    const { id } = await workshop.jobs.start('anna', speechOf(deck));
    const stored = await workshop.records.get('job', id);
    if (!stored) throw new Error('no job');
    // As six processes left it that were killed within it.
    await workshop.records.replace('job', stored, { ...stored.value, state: 'working', attempts: 6, leasedUntil: 1 });
    const other = await open({ folder: workshop.folder, speech: scriptedSpeech() });
    other.jobs.resume();
    expect(await ended(other, 'anna', id)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('given up'),
    });
  });
});

/** A real process that records. */
function recorder(folder: string, offsetSeconds: number) {
  const script = join(import.meta.dirname, 'job-process.ts');
  const child = spawn(process.execPath, [script, folder, String(offsetSeconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const exit = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const clips = (count: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (lines.length >= count) resolve();
      };
      waiting.add(look);
      look();
      void exit.then(() => reject(new Error(`the process ended after ${lines.length} clips`)));
    });
  return { child, lines, exit, clips };
}
