/** Owns the records contract as tests: what holds among several processes on one database, and across their deaths. */

import { afterEach, describe, expect, test } from 'vitest';
import { type Records, update } from '../src/records.ts';
import { type Backend, readNote } from './backend.ts';
import type { TestRecords } from './kinds.ts';
import { type Process, startProcess } from './process.ts';
import type { Job } from './worker.ts';

export interface SharedBackend extends Backend {
  /** A module that exports `open(place)`, for the other processes. */
  readonly module: URL;
}

const rounds = 200;

export function recordsProcessConformance(name: string, backend: SharedBackend): void {
  const opened: Records<TestRecords>[] = [];
  const started: Process[] = [];
  afterEach(async () => {
    for (const records of opened.splice(0)) await records.close();
    for (const process of started.splice(0)) await process.kill();
  });

  function open(place: string): Records<TestRecords> {
    const records = backend.open(place);
    opened.push(records);
    return records;
  }

  function start(count: number): Process[] {
    const processes = Array.from({ length: count }, () => startProcess(backend.module));
    started.push(...processes);
    return processes;
  }

  /** This process and two others, on one database. */
  async function three(): Promise<{ records: Records<TestRecords>; others: Process[] }> {
    const place = await backend.place();
    const records = open(place);
    const others = start(2);
    for (const other of others) expect(await other.ask({ do: 'open', place })).toBe(true);
    return { records, others };
  }

  /** Which of the parallel calls of all processes won; `mine` are this process's. */
  async function race(others: Process[], job: (by: string) => Job, mine: () => Promise<boolean>): Promise<string[]> {
    const answers = await Promise.all([
      ...others.map((other, i) => other.ask(job(`process ${i}`))),
      Promise.all([mine(), mine(), mine()]),
    ]);
    return answers.flatMap((won, i) => {
      const by = i < others.length ? `process ${i}` : 'this process';
      return (won as boolean[]).filter(Boolean).map(() => by);
    });
  }

  describe(`${name}: several processes`, () => {
    test('of parallel takes by three processes one receives the value', async () => {
      const { records, others } = await three();
      for (let i = 0; i < rounds; i++) {
        const id = `n${i}`;
        await records.create('note', id, { text: '' });
        const mine = async () => (await records.take('note', id)) !== undefined;
        expect(await race(others, (by) => ({ do: 'take', id, by }), mine)).toHaveLength(1);
      }
    });

    test('of parallel creates by three processes one writes', async () => {
      const { records, others } = await three();
      for (let i = 0; i < rounds; i++) {
        const id = `n${i}`;
        const mine = () => records.create('note', id, { text: 'this process' });
        const winners = await race(others, (by) => ({ do: 'create', id, by }), mine);
        expect(winners).toEqual([(await readNote(records, id)).value.text]);
      }
    });

    test('of parallel replaces by three processes one writes', async () => {
      const { records, others } = await three();
      await records.create('note', 'n', { text: '' });
      for (let i = 0; i < rounds; i++) {
        const was = await readNote(records, 'n');
        const mine = () => records.replace('note', was, { text: 'this process' });
        const winners = await race(others, (by) => ({ do: 'replace', was, by }), mine);
        expect(winners).toEqual([(await readNote(records, 'n')).value.text]);
      }
    });

    test('no update of three processes is lost', async () => {
      const { records, others } = await three();
      const counting = others.map((other) => other.ask({ do: 'count', id: 'c', times: rounds }));
      for (let i = 0; i < rounds; i++) await increment(records);
      expect(await Promise.all(counting)).toEqual([rounds, rounds]);
      expect((await records.get('counter', 'c'))?.value.n).toBe(3 * rounds);
    });

    test('a read sees what another process has acknowledged', async () => {
      const { records, others } = await three();
      const [other] = others as [Process, Process];
      for (let i = 0; i < 50; i++) {
        await other.ask({ do: 'create', id: `n${i}`, by: 'other' });
        expect((await readNote(records, `n${i}`)).value.text).toBe('other');
        await records.create('note', `m${i}`, { text: '' });
        expect(await other.ask({ do: 'take', id: `m${i}`, by: 'other' })).toContain(true);
        expect(await records.get('note', `m${i}`)).toBeUndefined();
      }
    });

    test('processes that open a fresh database at the same moment all succeed', async () => {
      const others = start(4);
      for (let i = 0; i < 50; i++) {
        const place = await backend.place();
        const wrote = await Promise.all(others.map((other) => other.ask({ do: 'open', place })));
        expect(wrote).toEqual([true, true, true, true]);
        expect((await open(place).list('note')).items).toHaveLength(4);
        await Promise.all(others.map((other) => other.ask({ do: 'close' })));
      }
    });
  });

  describe(`${name}: what was acknowledged stays`, () => {
    test('after closing and opening again', async () => {
      const place = await backend.place();
      const first = open(place);
      await first.create('deck', 'd', { owner: 'ann', title: 'one' }, 4e9);
      await first.create('note', 'taken', { text: '' });
      await first.take('note', 'taken');
      const was = await first.get('deck', 'd');
      await first.close();
      const second = open(place);
      expect(await second.get('deck', 'd')).toEqual(was);
      expect((await second.list('deck', { group: 'ann' })).items).toEqual([was]);
      expect(await second.get('note', 'taken')).toBeUndefined();
    });

    test('after the writing process was killed in the midst of it', async () => {
      const place = await backend.place();
      let acknowledged = 0;
      for (const lines of [1, 40, 333]) {
        const [writer] = start(1) as [Process];
        expect(await writer.ask({ do: 'open', place })).toBe(true);
        writer.send({ do: 'write until killed' });
        let last = 0;
        for (let i = 0; i < lines; i++) last = Number(await writer.line());
        await writer.kill();
        // What it said before it died, and was not read yet.
        for (let said = await writer.line(); said !== undefined; said = await writer.line()) last = Number(said);
        acknowledged += last;

        const records = open(place);
        for (let n = 1; n <= last; n++) {
          expect((await readNote(records, `kept ${n}`)).value.text).toHaveLength(200);
          expect(await records.get('note', `passing ${n}`), 'taken').toBeUndefined();
          await records.take('note', `kept ${n}`);
        }
        const written = (await records.get('counter', 'written'))?.value.n as number;
        expect(written).toBeGreaterThanOrEqual(acknowledged);
        expect(written, 'at most one increment was under way').toBeLessThanOrEqual(acknowledged + 1);
        acknowledged = written;
        for (const id of [`kept ${last + 1}`, `passing ${last + 1}`]) await records.take('note', id);
        await records.close();
      }
    });
  });
}

function increment(records: Records<TestRecords>): Promise<undefined> {
  const decide = (stored: { value: { n: number } } | undefined) => {
    return { write: { value: { n: (stored?.value.n ?? 0) + 1 } }, result: undefined };
  };
  return update(records, 'counter', 'c', decide, { tries: 1000 });
}
