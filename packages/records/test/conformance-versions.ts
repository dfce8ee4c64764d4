/** Owns the records contract as tests: several releases on one database, which know different versions of a kind. */

import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { maxValueBytes } from '../src/limits.ts';
import { type Kinds, NewerRecordError, type Records, RecordsError, type Stored, update } from '../src/records.ts';
import type { Backend } from './backend.ts';
import { kinds, type TestRecords } from './kinds.ts';

/** What release `version` writes: it says of every value how it came to be. */
function release(version: number): Kinds<TestRecords> {
  if (version === 1) return kinds;
  return {
    ...kinds,
    any: { version, upgrade: (value, from) => ({ ...value, upgraded: `${from} to ${version}` }) },
    deck: { version, groupOf: (deck) => deck.owner, upgrade: (deck) => ({ ...deck, owner: `team ${deck.owner}` }) },
  };
}

export function recordsVersionConformance(name: string, backend: Backend): void {
  const opened: Records<TestRecords>[] = [];
  afterEach(async () => {
    for (const records of opened.splice(0)) await records.close();
  });

  /** One database, opened by releases that know version 1, 2 and 3. */
  async function releases(now?: () => number) {
    const place = await backend.place();
    const [one, two, three] = [1, 2, 3].map((version) => {
      const records = backend.open(place, now, release(version));
      opened.push(records);
      return records;
    });
    return { one, two, three } as Record<'one' | 'two' | 'three', Records<TestRecords>>;
  }

  async function read(records: Records<TestRecords>, id: string): Promise<Stored<TestRecords['any']>> {
    const stored = await records.get('any', id);
    if (stored === undefined) throw new Error(`no record ${id}`);
    return stored;
  }

  const newer = (known: number, version: number, id = 'r') =>
    `record any "${id}" was written by a newer release (version ${version}; this one knows ${known}): run that release`;

  async function refusedAsNewer(verb: Promise<unknown>, words: string): Promise<void> {
    const error = await verb.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(NewerRecordError);
    expect(error, 'for whoever knows only the base').toBeInstanceOf(RecordsError);
    expect((error as Error).message).toBe(words);
  }

  describe(`${name}: versions`, () => {
    test('an older value is upgraded by get, list and take, and stays as it is until it is written', async () => {
      const { one, two, three } = await releases();
      await one.create('any', 'r', { made: 1 }, 4e9);
      const wasThen = await read(one, 'r');
      expect((await read(two, 'r')).value).toEqual({ made: 1, upgraded: '1 to 2' });
      expect(await read(three, 'r')).toEqual({ ...wasThen, value: { made: 1, upgraded: '1 to 3' } });
      expect((await three.list('any')).items).toEqual([await read(three, 'r')]);
      expect(await read(one, 'r'), 'reading writes nothing').toEqual(wasThen);
      expect(await three.take('any', 'r')).toEqual({ made: 1, upgraded: '1 to 3' });
      expect(await one.get('any', 'r')).toBeUndefined();
    });

    test('the next write stores the new version; compare-and-swap is about the write and not about the shape', async () => {
      const { one, two, three } = await releases();
      await one.create('any', 'r', { made: 1 });
      const was = await read(two, 'r');
      expect(await two.replace('any', was, { made: 2 }, 4e9)).toBe(true);
      expect(await one.replace('any', was, { late: true }), 'somebody wrote first').toBe(false);
      expect(await three.replace('any', was, { late: true })).toBe(false);
      expect(await read(two, 'r')).toMatchObject({ value: { made: 2 }, expiresAt: 4e9 });
      expect((await read(three, 'r')).value, 'from what was written last').toEqual({ made: 2, upgraded: '2 to 3' });
      await refusedAsNewer(one.get('any', 'r'), newer(1, 2));
    });

    test('a newer record is refused with words, and nothing happens to it', async () => {
      const { one, two, three } = await releases();
      await one.create('any', 'before', { made: 1 });
      const unwritten = await read(one, 'before');
      await three.create('any', 'r', { made: 3 });
      const was = await read(three, 'r');
      for (const [older, known] of [
        [one, 1],
        [two, 2],
      ] as const) {
        await refusedAsNewer(older.get('any', 'r'), newer(known, 3));
        await refusedAsNewer(older.take('any', 'r'), newer(known, 3));
        await refusedAsNewer(older.list('any'), newer(known, 3));
        await refusedAsNewer(
          update(older, 'any', 'r', () => ({ write: { value: {} }, result: 0 })),
          newer(known, 3),
        );
        expect(await older.create('any', 'r', { made: known }), 'there is a live one').toBe(false);
        expect(await older.replace('any', { ...unwritten, id: 'r' }, {}), 'another write').toBe(false);
      }
      expect(await read(three, 'r')).toEqual(was);
      expect(await three.take('any', 'r')).toEqual({ made: 3 });
      expect(await one.take('any', 'r'), 'gone is gone').toBeUndefined();
    });

    test('a page is refused only where the newer record is on it, and as long as it is there', async () => {
      const { one, two } = await releases();
      for (const id of ['a', 'b', 'd']) await one.create('any', id, { id });
      await two.create('any', 'c', { id: 'c' });
      const first = await one.list('any', { limit: 2 });
      expect(first.items.map(({ id }) => id)).toEqual(['a', 'b']);
      await refusedAsNewer(one.list('any', { limit: 2 }, first.next), newer(1, 2, 'c'));
      expect((await two.list('any')).items.map(({ value }) => value.id)).toEqual(['a', 'b', 'c', 'd']);
      await two.take('any', 'c');
      expect((await one.list('any', { limit: 2 }, first.next)).items.map(({ id }) => id)).toEqual(['d']);
    });

    test('an expired newer record is absent to an older release', async () => {
      let seconds = 1000;
      const { one, two } = await releases(() => seconds);
      for (const id of ['got', 'taken', 'created']) await two.create('any', id, { made: 2 }, 1010);
      await refusedAsNewer(one.take('any', 'taken'), newer(1, 2, 'taken'));
      seconds = 1010;
      expect(await one.get('any', 'got')).toBeUndefined();
      expect(await one.take('any', 'taken')).toBeUndefined();
      expect((await one.list('any')).items).toEqual([]);
      expect(await one.create('any', 'created', { made: 1 })).toBe(true);
      expect((await read(one, 'created')).value).toEqual({ made: 1 });
    });

    test('a group is that of the value that was written', async () => {
      const { one, two } = await releases();
      await one.create('deck', 'd', { owner: 'ann', title: '' });
      const [item] = (await two.list('deck', { group: 'ann' })).items;
      expect(item?.value.owner).toBe('team ann');
      await two.replace('deck', item as Stored<TestRecords['deck']>, (item as Stored<TestRecords['deck']>).value);
      expect((await two.list('deck', { group: 'ann' })).items).toEqual([]);
      expect((await two.list('deck', { group: 'team ann' })).items).toHaveLength(1);
      expect((await one.list('deck', { group: 'ann' })).items, 'and no longer in the way of the older').toEqual([]);
    });

    test('the longest value has room beside its version, and what is longer is refused as ever', async () => {
      const { two } = await releases();
      const value = { text: 'x'.repeat(maxValueBytes - JSON.stringify({ text: '' }).length) };
      expect(await two.create('any', 'r', value)).toBe(true);
      expect((await read(two, 'r')).value).toEqual(value);
      expect(await two.take('any', 'r')).toEqual(value);
      await expect(two.create('any', 'r', { text: `${value.text}x` })).rejects.toThrow(RecordsError);
    });

    test('an upgrade that fails or gives nothing is a refusal that names the record', async () => {
      const place = await backend.place();
      const broken: Kinds<TestRecords> = {
        ...kinds,
        any: {
          version: 2,
          upgrade(value) {
            if (value === 'unreadable') throw new TypeError('of no shape');
            return undefined;
          },
        },
      };
      const [one, two] = [kinds, broken].map((using) => backend.open(place, undefined, using));
      opened.push(one as Records<TestRecords>, two as Records<TestRecords>);
      await one?.create('any', 'r', 'unreadable');
      await one?.create('any', 's', 'nothing');
      for (const [id, words] of [
        ['r', 'record any "r" of version 1 cannot be upgraded'],
        ['s', 'record any "s" of version 1: its upgrade gives nothing'],
      ] as const) {
        const error = await two?.get('any', id).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(RecordsError);
        expect((error as Error).message).toBe(words);
      }
    });

    test('a take by an older release and a write by a newer one: it was taken before, or is refused', async () => {
      const { one, two } = await releases();
      for (let round = 0; round < 20; round++) {
        const id = `r${round}`;
        await one.create('any', id, { made: 1 });
        const was = await read(two, id);
        const [written, taken] = await Promise.all([
          two.replace('any', was, { made: 2 }),
          one.take('any', id).catch((error: unknown) => error),
        ]);
        if (written) expect(taken).toBeInstanceOf(NewerRecordError);
        else expect(taken).toEqual({ made: 1 });
        expect((await two.get('any', id))?.value).toEqual(written ? { made: 2 } : undefined);
      }
    });

    test('of takes by several releases one receives the value', async () => {
      const { one, two, three } = await releases();
      for (let round = 0; round < 20; round++) {
        await one.create('any', `r${round}`, { made: 1 });
        const callers = [one, two, three, one, two, three].map((records) => records.take('any', `r${round}`));
        expect((await Promise.all(callers)).filter((value) => value !== undefined)).toMatchObject([{ made: 1 }]);
      }
    });

    test('of three releases in any order each sees what the others wrote, or is refused', async () => {
      const { one, two, three } = await releases();
      const instances = [one, two, three];
      const step = fc.record({
        by: fc.integer({ min: 1, max: 3 }),
        verb: fc.constantFrom('get', 'create', 'replace', 'take'),
        id: fc.constantFrom('x', 'y'),
      });
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 16 }), async (steps) => {
          const prefix = `run ${++run} `;
          const model = new Map<string, { readonly by: number; readonly n: number }>();
          for (const [n, { by, verb, id }] of steps.entries()) {
            const records = instances[by - 1] as Records<TestRecords>;
            const key = prefix + id;
            const there = model.get(id);
            const refused = there !== undefined && there.by > by;
            const seen = there && (there.by === by ? { n: there.n } : { n: there.n, upgraded: `${there.by} to ${by}` });
            if (verb === 'create') {
              expect(await records.create('any', key, { n })).toBe(there === undefined);
              if (!there) model.set(id, { by, n });
            } else if (refused) {
              const words = newer(by, there.by, key);
              await refusedAsNewer(verb === 'take' ? records.take('any', key) : records.get('any', key), words);
            } else if (verb === 'take') {
              expect(await records.take('any', key)).toEqual(seen);
              model.delete(id);
            } else {
              const stored = await records.get('any', key);
              expect(stored?.value).toEqual(seen);
              if (verb !== 'replace' || !stored) continue;
              expect(await records.replace('any', stored, { n })).toBe(true);
              model.set(id, { by, n });
            }
          }
        }),
        { numRuns: 25 },
      );
    });
  });
}
