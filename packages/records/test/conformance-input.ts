/** Owns the records contract as tests: hostile and impossible input is refused the same way by every back-end. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Records, RecordsError, type Stored } from '../src/records.ts';
import { type Backend, freshRecords, readNote as read } from './backend.ts';
import type { TestRecords } from './kinds.ts';

export function recordsInputConformance(name: string, backend: Backend): void {
  const fresh = freshRecords(backend);

  describe(`${name}: hostile input`, () => {
    async function refused(records: Records<TestRecords>, kind: string, id: string): Promise<void> {
      const verbs = [
        records.get(kind as 'note', id),
        records.create(kind as 'note', id, { text: 'x' }),
        records.replace(kind as 'note', { id, value: { text: 'x' }, version: '1' }, { text: 'x' }),
        records.take(kind as 'note', id),
      ];
      for (const verb of verbs) await expect(verb).rejects.toThrow(RecordsError);
    }

    test('kinds cannot collide, whatever separators an id holds', async () => {
      const records = await fresh();
      await records.create('a', 'b#c', { text: 'a' });
      await records.create('a', 'b:c', { text: 'a' });
      expect(await records.get('a#b', 'c')).toBeUndefined();
      expect(await records.create('a#b', 'c', { text: 'a#b' })).toBe(true);
      expect(await records.create('a:b', 'c', { text: 'a:b' })).toBe(true);
      expect(await records.take('a#b', 'c')).toEqual({ text: 'a#b' });
      expect((await records.get('a', 'b#c'))?.value).toEqual({ text: 'a' });
      expect((await records.get('a', 'b:c'))?.value).toEqual({ text: 'a' });
      expect((await records.list('a')).items).toHaveLength(2);
      expect((await records.list('a:b')).items).toHaveLength(1);
    });

    test('kinds that are not listed are refused', async () => {
      const records = await fresh();
      for (const kind of ['other', '', '__proto__', 'constructor', 'toString', 'note\0', 'NOTE']) {
        await refused(records, kind, 'n');
        await expect(records.list(kind as 'note')).rejects.toThrow(RecordsError);
      }
    });

    test('ids of any bytes name exactly one record or are refused by every verb', async () => {
      const records = await fresh();
      for (const id of ['', '\0', 'a\0b', '\ud800', 'a\udc00', 'x'.repeat(1025), '€'.repeat(342), 7, null, {}, ['n']]) {
        await refused(records, 'note', id as string);
      }
      for (const id of ['x'.repeat(1024), '€'.repeat(341), '\u{1f600}'.repeat(256), '__proto__', "'; --", '\u200b']) {
        expect(await records.create('note', id, { text: id })).toBe(true);
        expect(await records.take('note', id)).toEqual({ text: id });
      }
      const unit = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0xd83d, 0xde00, 0x23, 0x25, 0x27));
      const anyString = fc.array(unit, { maxLength: 20 }).map((units) => String.fromCharCode(...units));
      await fc.assert(
        fc.asyncProperty(anyString, anyString, async (one, other) => {
          const allowed = (id: string) => id !== '' && !id.includes('\0') && id.isWellFormed();
          for (const id of [one, other]) if (!allowed(id)) await refused(records, 'note', id);
          if (!allowed(one) || !allowed(other) || one === other) return;
          expect(await records.create('note', one, { text: one })).toBe(true);
          expect(await records.create('note', other, { text: other })).toBe(true);
          expect((await read(records, one)).id).toBe(one);
          expect(await records.take('note', one)).toEqual({ text: one });
          expect(await records.take('note', other)).toEqual({ text: other });
        }),
        { numRuns: 200 },
      );
    });

    test('any JSON comes back as it was', async () => {
      const records = await fresh();
      let n = 0;
      await fc.assert(
        fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (value) => {
          await records.create('any', `v${++n}`, value);
          expect(JSON.stringify((await records.get('any', `v${n}`))?.value)).toBe(JSON.stringify(value));
        }),
        { numRuns: 200 },
      );
      const hostile =
        '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"\\ud800":"\\udfff\\u0000"}';
      await records.create('any', 'hostile', JSON.parse(hostile));
      const { value } = (await records.get('any', 'hostile')) as Stored<object>;
      expect(JSON.stringify(value)).toBe(hostile);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
      await records.create('any', 'undefined', { kept: 1, gone: undefined });
      expect((await records.get('any', 'undefined'))?.value).toStrictEqual({ kept: 1 });
    });

    test('what is no JSON, too long, of no group or of no time is refused, and nothing is written', async () => {
      const records = await fresh();
      const cycle: unknown[] = [];
      cycle.push(cycle);
      let deep: unknown = 0;
      for (let i = 0; i < 100_000; i++) deep = [deep];
      const envelope = JSON.stringify({ text: '' }).length;
      const long = { text: 'x'.repeat(1024 * 1024 - envelope + 1) };
      const longInBytes = { text: '€'.repeat(350_000) };
      for (const value of [undefined, () => 1, Symbol('s'), 1n, { n: 1n }, cycle, deep, long, longInBytes]) {
        await expect(records.create('any', 'n', value)).rejects.toThrow(RecordsError);
      }
      for (const owner of ['', '\0', '\ud800', 'x'.repeat(1025), undefined as unknown as string]) {
        await expect(records.create('deck', 'n', { owner, title: '' })).rejects.toThrow(RecordsError);
      }
      for (const expiresAt of [Number.NaN, Number.POSITIVE_INFINITY, '1e9', null] as number[]) {
        await expect(records.create('any', 'n', 1, expiresAt)).rejects.toThrow(RecordsError);
      }
      expect(await records.get('any', 'n')).toBeUndefined();
      expect(await records.get('deck', 'n')).toBeUndefined();
      expect(await records.create('any', 'n', { text: long.text.slice(1) })).toBe(true);
      const was = (await records.get('any', 'n')) as Stored<unknown>;
      await expect(records.replace('any', was, cycle)).rejects.toThrow(RecordsError);
      await expect(records.replace('any', { ...was, version: 1 as never }, 1)).rejects.toThrow(RecordsError);
      expect(await records.get('any', 'n')).toEqual(was);
    });

    test('a page is 1 to 1000 records of a group that can be', async () => {
      const records = await fresh();
      for (const limit of [0, -1, 1001, 1.5, Number.NaN, '10' as never, null as never]) {
        await expect(records.list('note', { limit })).rejects.toThrow(RecordsError);
      }
      for (const group of ['', '\0', '\udfff', 'x'.repeat(1025), 5 as never]) {
        await expect(records.list('deck', { group })).rejects.toThrow(RecordsError);
      }
      await expect(records.list('note', { group: 'g' }), 'a kind without groups').rejects.toThrow(RecordsError);
    });

    test('a cursor that this list did not give out is refused', async () => {
      const records = await fresh();
      for (let i = 0; i < 9; i++) {
        await records.create('note', `n${i}`, { text: '' });
        await records.create('deck', `d${i}`, { owner: i % 2 ? 'ann' : 'bob', title: '' });
      }
      const { next } = await records.list('deck', { group: 'ann', limit: 2 });
      const cursor = next as string;
      expect((await records.list('deck', { group: 'ann', limit: 2 }, cursor)).items[0]?.id).toBe('d5');
      await expect(records.list('deck', { group: 'bob' }, cursor), 'another group').rejects.toThrow(RecordsError);
      await expect(records.list('deck', {}, cursor), 'all groups').rejects.toThrow(RecordsError);
      await expect(records.list('note', {}, cursor), 'another kind').rejects.toThrow(RecordsError);
      const forged = [
        '',
        'n3',
        "' OR 1=1 --",
        `${cursor}=`,
        ` ${cursor}`,
        `${cursor}\n`,
        'A'.repeat(100_000),
        7,
        {},
        null,
      ];
      const inside = Buffer.from(cursor, 'base64url').subarray(0, 8);
      for (const bytes of [[], [0], [0x61, 0], [0xff], [0xed, 0xa0, 0x80], new Array(1025).fill(0x61)]) {
        forged.push(Buffer.concat([inside, Buffer.from(bytes)]).toString('base64url'));
      }
      for (const after of forged) {
        await expect(records.list('deck', { group: 'ann' }, after as string), String(after)).rejects.toThrow(
          RecordsError,
        );
      }
      await fc.assert(
        fc.asyncProperty(fc.string(), async (after) => {
          await expect(records.list('note', {}, after)).rejects.toThrow(RecordsError);
        }),
      );
    });
  });
}
