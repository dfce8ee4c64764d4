/** Owns the records contract as tests: the verbs, expiry, races, `update` and paging inside one process. */

import { describe, expect, test } from 'vitest';
import { compareUtf8 } from '../src/ordered-ids.ts';
import { ContentionError, type Records, RecordsError, type Stored, update } from '../src/records.ts';
import { type Backend, freshRecords, readNote as read } from './backend.ts';
import type { TestRecords } from './kinds.ts';

const runners = Array.from({ length: 50 }, (_, i) => i);
const rounds = Array.from({ length: 20 }, (_, i) => `round-${i}`);

export function recordsConformance(name: string, backend: Backend): void {
  const fresh = freshRecords(backend);

  describe(`${name}: the verbs`, () => {
    test('what was created is read, once, until it is taken', async () => {
      const records = await fresh();
      expect(await records.get('note', 'n')).toBeUndefined();
      expect(await records.create('note', 'n', { text: 'one' }, 4e9)).toBe(true);
      expect(await records.create('note', 'n', { text: 'two' })).toBe(false);
      expect(await records.get('note', 'n')).toEqual({
        id: 'n',
        value: { text: 'one' },
        version: expect.any(String),
        expiresAt: 4e9,
      });
      expect(await records.take('note', 'n')).toEqual({ text: 'one' });
      expect(await records.take('note', 'n')).toBeUndefined();
      expect(await records.get('note', 'n')).toBeUndefined();
    });

    test('replace writes over the version it was given and over no other', async () => {
      const records = await fresh();
      await records.create('note', 'n', { text: 'one' });
      const first = await read(records, 'n');
      expect(await records.replace('note', first, { text: 'one' })).toBe(true);
      const second = await read(records, 'n');
      expect(second.version, 'the same value is still another version').not.toBe(first.version);
      expect(await records.replace('note', first, { text: 'late' })).toBe(false);
      expect(await read(records, 'n')).toEqual(second);
      expect(await records.replace('note', { ...second, id: 'other' }, { text: 'x' })).toBe(false);
      expect(await records.get('note', 'other')).toBeUndefined();
    });

    test('a version does not come back: taken and created again is another record', async () => {
      const records = await fresh();
      await records.create('note', 'n', { text: 'one' });
      const was = await read(records, 'n');
      await records.take('note', 'n');
      expect(await records.replace('note', was, { text: 'revived' })).toBe(false);
      expect(await records.get('note', 'n')).toBeUndefined();
      await records.create('note', 'n', { text: 'one' });
      expect(await records.replace('note', was, { text: 'late' })).toBe(false);
      expect((await read(records, 'n')).value.text).toBe('one');
    });

    test('values stay the caller’s: changing what was given or got changes nothing stored', async () => {
      const records = await fresh();
      const given = { text: 'one', inner: { list: [1] } };
      const creating = records.create('any', 'n', given);
      given.inner.list.push(2);
      given.text = 'changed';
      expect(await creating).toBe(true);
      const got = await records.get('any', 'n');
      got?.value.inner.list.push(3);
      expect((await records.get('any', 'n'))?.value).toEqual({ text: 'one', inner: { list: [1] } });
      const page = await records.list('any');
      page.items[0]?.value.inner.list.push(4);
      expect(await records.take('any', 'n')).toEqual({ text: 'one', inner: { list: [1] } });
    });

    test('after close every verb refuses; closing twice is closing once; writes on their way arrive', async () => {
      const records = await fresh();
      await records.create('note', 'n', { text: 'one' });
      const was = await read(records, 'n');
      const underway = records.create('note', 'm', { text: 'underway' });
      await Promise.all([records.close(), records.close()]);
      await records.close();
      expect(await underway).toBe(true);
      await expect(records.get('note', 'n')).rejects.toThrow(RecordsError);
      await expect(records.create('note', 'o', { text: '' })).rejects.toThrow(RecordsError);
      await expect(records.replace('note', was, { text: '' })).rejects.toThrow(RecordsError);
      await expect(records.take('note', 'n')).rejects.toThrow(RecordsError);
      await expect(records.list('note')).rejects.toThrow(RecordsError);
    });
  });

  describe(`${name}: expiry`, () => {
    test('an expired record is absent to every verb, from the very second on', async () => {
      let seconds = 1000;
      const records = await fresh(() => seconds);
      for (const id of ['got', 'replaced', 'taken', 'created']) {
        await records.create('note', id, { text: 'old' }, 1010);
      }
      await records.create('note', 'stays', { text: 'old' });
      const was = await read(records, 'replaced');
      seconds = 1009.9;
      expect((await records.list('note')).items).toHaveLength(5);
      seconds = 1010;
      expect(await records.get('note', 'got')).toBeUndefined();
      expect((await records.list('note')).items.map(({ id }) => id)).toEqual(['stays']);
      expect(await records.replace('note', was, { text: 'new' })).toBe(false);
      expect(await records.get('note', 'replaced')).toBeUndefined();
      expect(await records.take('note', 'taken')).toBeUndefined();
      expect(await records.create('note', 'created', { text: 'new' }, 1020)).toBe(true);
      expect(await read(records, 'created')).toMatchObject({ value: { text: 'new' }, expiresAt: 1020 });
    });

    test('what expired stays absent when the clock goes back after a new one was created', async () => {
      let seconds = 1000;
      const records = await fresh(() => seconds);
      await records.create('note', 'n', { text: 'old' }, 1010);
      const was = await read(records, 'n');
      seconds = 1010;
      await records.create('note', 'n', { text: 'new' }, 1020);
      seconds = 1000;
      expect(await records.replace('note', was, { text: 'late' })).toBe(false);
      expect((await read(records, 'n')).value.text).toBe('new');
    });

    test('replace sets the new expiry, or none', async () => {
      let seconds = 1000;
      const records = await fresh(() => seconds);
      await records.create('note', 'n', { text: '' }, 1010);
      expect(await records.replace('note', await read(records, 'n'), { text: '' }, 1020)).toBe(true);
      seconds = 1015;
      expect((await read(records, 'n')).expiresAt).toBe(1020);
      expect(await records.replace('note', await read(records, 'n'), { text: '' })).toBe(true);
      seconds = 9e9;
      expect(await read(records, 'n')).not.toHaveProperty('expiresAt');
    });

    test('a record created in the past was created, and is absent', async () => {
      const records = await fresh(() => 1000);
      expect(await records.create('note', 'n', { text: '' }, 999)).toBe(true);
      expect(await records.get('note', 'n')).toBeUndefined();
      expect(await records.create('note', 'n', { text: '' }, -1)).toBe(true);
    });

    test('pages are full and complete among thousands of expired records', async () => {
      let seconds = 1000;
      const records = await fresh(() => seconds);
      for (let i = 0; i < 1500; i++) {
        await records.create('note', `n${String(i).padStart(4, '0')}`, { text: '' }, i % 100 === 0 ? 5000 : 1001);
      }
      seconds = 2000;
      const first = await records.list('note', { limit: 10 });
      expect(first.items).toHaveLength(10);
      const second = await records.list('note', { limit: 10 }, first.next);
      expect(second.items).toHaveLength(5);
      expect(second.next).toBeUndefined();
    });
  });

  describe(`${name}: races`, () => {
    test('of 50 parallel takes one receives the value', async () => {
      const records = await fresh();
      for (const id of rounds) {
        await records.create('note', id, { text: id });
        const taken = await Promise.all(runners.map(() => records.take('note', id)));
        expect(taken.filter((value) => value !== undefined)).toEqual([{ text: id }]);
      }
    });

    test('of 50 parallel creates one writes, and its value is the one that is read', async () => {
      const records = await fresh();
      for (const id of rounds) {
        const wrote = await Promise.all(runners.map((i) => records.create('note', id, { text: `${i}` })));
        expect(wrote.filter(Boolean)).toHaveLength(1);
        expect((await read(records, id)).value.text).toBe(`${wrote.indexOf(true)}`);
      }
    });

    test('of 50 parallel creates over an expired record one writes', async () => {
      let seconds = 1000;
      const records = await fresh(() => seconds);
      for (const id of rounds) await records.create('note', id, { text: 'old' }, 1001);
      seconds = 1001;
      for (const id of rounds) {
        const wrote = await Promise.all(runners.map((i) => records.create('note', id, { text: `${i}` })));
        expect(wrote.filter(Boolean)).toHaveLength(1);
      }
    });

    test('of 50 parallel replaces one writes, and its value is the one that is read', async () => {
      const records = await fresh();
      for (const id of rounds) {
        await records.create('note', id, { text: '' });
        const was = await read(records, id);
        const wrote = await Promise.all(runners.map((i) => records.replace('note', was, { text: `${i}` })));
        expect(wrote.filter(Boolean)).toHaveLength(1);
        expect((await read(records, id)).value.text).toBe(`${wrote.indexOf(true)}`);
      }
    });

    test('takes and replaces of one version: either it was replaced before it was taken, or taken', async () => {
      const records = await fresh();
      for (const id of rounds) {
        await records.create('note', id, { text: 'old' });
        const was = await read(records, id);
        const [replaced, taken] = await Promise.all([
          records.replace('note', was, { text: 'new' }),
          records.take('note', id),
        ]);
        expect(taken).toEqual({ text: replaced ? 'new' : 'old' });
        expect(await records.get('note', id)).toBeUndefined();
      }
    });

    test('no update is lost: 50 parallel increments are 50', async () => {
      const records = await fresh();
      const seen = await Promise.all(
        runners.map(() =>
          update(
            records,
            'counter',
            'c',
            (stored) => {
              const n = (stored?.value.n ?? 0) + 1;
              return { write: { value: { n } }, result: n };
            },
            { tries: 200 },
          ),
        ),
      );
      expect((await records.get('counter', 'c'))?.value.n).toBe(50);
      expect(seen.sort((a, b) => a - b)).toEqual(runners.map((i) => i + 1));
    });
  });

  describe(`${name}: update`, () => {
    test('returns what was decided, and writes nothing when nothing is to be written', async () => {
      const records = await fresh();
      expect(await update(records, 'note', 'n', (stored) => ({ result: stored }))).toBeUndefined();
      expect(await records.get('note', 'n')).toBeUndefined();
      await records.create('note', 'n', { text: 'one' }, 4e9);
      const before = await read(records, 'n');
      expect(await update(records, 'note', 'n', (stored) => ({ result: stored?.value.text }))).toBe('one');
      expect(await read(records, 'n')).toEqual(before);
      const write = { value: { text: 'two' }, expiresAt: 5e9 };
      expect(await update(records, 'note', 'n', async () => ({ write, result: 7 }))).toBe(7);
      expect(await read(records, 'n')).toMatchObject(write);
    });

    test('gives up with words after the last lost try, having written nothing', async () => {
      const records = await fresh();
      await records.create('counter', 'c', { n: 0 });
      let decided = 0;
      const beaten = update(
        records,
        'counter',
        'c',
        async (stored) => {
          decided++;
          await records.replace('counter', stored as Stored<{ n: number }>, { n: decided });
          return { write: { value: { n: -1 } }, result: undefined };
        },
        { tries: 4 },
      );
      await expect(beaten).rejects.toThrow(ContentionError);
      expect(decided).toBe(4);
      expect((await records.get('counter', 'c'))?.value.n).toBe(4);
    });

    test('a refusal thrown while deciding is the caller’s, once, and nothing is written', async () => {
      const records = await fresh();
      await records.create('note', 'n', { text: 'one' });
      const refused = update(records, 'note', 'n', () => {
        throw new RangeError('refused');
      });
      await expect(refused).rejects.toThrow(RangeError);
      expect((await read(records, 'n')).value.text).toBe('one');
    });
  });

  describe(`${name}: list`, () => {
    async function all<K extends 'note' | 'deck'>(
      records: Records<TestRecords>,
      kind: K,
      filter: { group?: string; limit?: number },
      between: () => Promise<unknown> = async () => {},
    ): Promise<string[]> {
      const ids: string[] = [];
      let after: string | undefined;
      do {
        const page = await records.list(kind, filter, after);
        if (page.next !== undefined) expect(page.items.length).toBeGreaterThan(0);
        ids.push(...page.items.map(({ id }) => id));
        after = page.next;
        await between();
      } while (after !== undefined);
      return ids;
    }

    test('goes through all records once, in the order of their UTF-8 bytes, whatever the page', async () => {
      const records = await fresh();
      const ids = [
        '~',
        'a',
        'B',
        'ab',
        'é',
        '\u{1f600}',
        '\ufffd',
        '\ue000',
        '\u{10000}',
        '%',
        '_',
        "'",
        '\u0001',
        '\n',
      ];
      for (const id of ids) await records.create('note', id, { text: id });
      const expected = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const limit of [1, 2, 7, ids.length - 1, ids.length, 1000]) {
        expect(await all(records, 'note', { limit })).toEqual(expected);
      }
      expect(await records.list('counter')).toEqual({ items: [] });
    });

    test('a page has 100 records unless told, and names a next one only if there is one', async () => {
      const records = await fresh();
      for (let i = 0; i < 101; i++) await records.create('note', `n${i}`, { text: '' });
      expect((await records.list('note')).items).toHaveLength(100);
      await records.take('note', 'n0');
      expect(await records.list('note')).not.toHaveProperty('next');
    });

    test('what lives throughout appears exactly once, though others come and go meanwhile', async () => {
      const records = await fresh();
      const lasting = Array.from({ length: 300 }, (_, i) => `k${(i * 7919) % 1000}`);
      for (const id of lasting) await records.create('note', id, { text: 'lasting' });
      let turn = 0;
      const listed = await all(records, 'note', { limit: 7 }, async () => {
        turn++;
        const others = runners.map((i) => `k${(turn * 131 + i * 37) % 1000}-other`);
        await Promise.all(others.map((id) => records.create('note', id, { text: 'passing' })));
        await Promise.all(others.filter((_, i) => i % 2 === 0).map((id) => records.take('note', id)));
        const was = await read(records, lasting[turn % lasting.length] as string);
        await records.replace('note', was, { text: 'lasting, changed' });
      });
      expect(listed.filter((id) => !id.endsWith('-other')).sort()).toEqual([...lasting].sort());
      expect(new Set(listed).size).toBe(listed.length);
      expect([...listed].sort(compareUtf8)).toEqual(listed);
      expect(turn).toBeGreaterThan(lasting.length / 7);
    });

    test('a group holds its own records, also after one has changed its group', async () => {
      const records = await fresh();
      for (let i = 0; i < 30; i++) {
        await records.create('deck', `d${i}`, { owner: i % 2 ? 'ann' : "b'; DROP TABLE records; --", title: '' });
      }
      expect(await all(records, 'deck', { group: 'ann', limit: 4 })).toHaveLength(15);
      expect(await all(records, 'deck', { group: 'nobody' })).toEqual([]);
      expect(await all(records, 'deck', {})).toHaveLength(30);
      const was = (await records.get('deck', 'd1')) as Stored<TestRecords['deck']>;
      await records.replace('deck', was, { owner: 'nobody', title: 'given' });
      expect(await all(records, 'deck', { group: 'nobody' })).toEqual(['d1']);
      expect(await all(records, 'deck', { group: 'ann', limit: 4 })).toHaveLength(14);
      await records.take('deck', 'd1');
      expect(await all(records, 'deck', { group: 'nobody' })).toEqual([]);
      await records.create('deck', 'd1', { owner: 'ann', title: 'again' });
      expect(await all(records, 'deck', { group: 'ann', limit: 4 })).toHaveLength(15);
    });

    test('a record created over an expired one is in its own group only', async () => {
      let seconds = 1000;
      const records = await fresh(() => seconds);
      await records.create('deck', 'd', { owner: 'ann', title: 'old' }, 1001);
      seconds = 1001;
      expect(await all(records, 'deck', { group: 'ann' })).toEqual([]);
      await records.create('deck', 'd', { owner: 'bob', title: 'new' });
      expect(await all(records, 'deck', { group: 'ann' })).toEqual([]);
      expect(await all(records, 'deck', { group: 'bob' })).toEqual(['d']);
    });

    test('a page ends early rather than reading many megabytes at once', async () => {
      const records = await fresh();
      const text = 'x'.repeat(1_000_000);
      for (let i = 10; i < 30; i++) await records.create('note', `n${i}`, { text });
      expect((await records.list('note')).items.length).toBeLessThan(12);
      expect(await all(records, 'note', {})).toHaveLength(20);
    });
  });
}
