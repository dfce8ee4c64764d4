/** Memory stays bounded, and ids stay in order. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Entry, Shelf, sweeper } from '../src/memory-shelf.ts';
import { compareUtf8, OrderedIds } from '../src/ordered-ids.ts';

function entry(expiresAt: number | undefined, group?: string): Entry {
  return { text: '1', version: '1', expiresAt, group };
}

test('at a steady pace of writes, expired records never outnumber half the living', () => {
  const shelves = [new Shelf(), new Shelf(), new Shelf()];
  const sweep = sweeper(shelves);
  const lifetime = 1000;
  let most = 0;
  for (let second = 0; second < 50_000; second++) {
    sweep(second);
    shelves[second % 3]?.put(`n${second}`, entry(second + lifetime, `g${second % 7}`));
    if (second > 5000)
      most = Math.max(
        most,
        shelves.reduce((sum, { size }) => sum + size, 0),
      );
  }
  expect(most).toBeLessThanOrEqual(1.5 * lifetime);
});

test('what does not expire is never swept', () => {
  const shelf = new Shelf();
  const sweep = sweeper([shelf]);
  for (let i = 0; i < 1000; i++) shelf.put(`n${i}`, entry(i % 2 ? 1 : undefined));
  for (let i = 0; i < 2000; i++) sweep(9e9);
  expect(shelf.size).toBe(500);
  expect([...shelf.after(undefined, '', 9e9)]).toHaveLength(500);
});

test('ids are in the order of their UTF-8 bytes', () => {
  const anyId = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(anyId, anyId, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 2000 },
  );
});

test('many ids, added and deleted in any order, are those a sorted set would hold', () => {
  const step = fc.record({ add: fc.boolean(), from: fc.nat(3000), count: fc.integer({ min: 1, max: 1500 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(4500), (steps, start) => {
      const ids = new OrderedIds();
      const model = new Set<string>();
      const name = (n: number) => `k${(n * 7919) % 4507}`;
      for (const { add, from, count } of steps) {
        for (let n = from; n < from + count; n++) {
          if (add) ids.add(name(n));
          else ids.delete(name(n));
          if (add) model.add(name(n));
          else model.delete(name(n));
        }
      }
      const sorted = [...model].sort(compareUtf8);
      expect([...ids.after('')]).toEqual(sorted);
      expect([...ids.after(name(start))]).toEqual(sorted.filter((id) => compareUtf8(id, name(start)) > 0));
      expect(ids.empty).toBe(sorted.length === 0);
    }),
    { numRuns: 40 },
  );
});
