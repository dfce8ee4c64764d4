/**
 * Owns what is demanded of the stored shapes of a package as tests. A change of shape is a new fixture; one that would
 * misread what is stored already is a new version besides.
 */

import { expect, test } from 'vitest';
import { type Release, type Row, type Shapes, textOf } from './released.ts';
import { faultsOf, unreadable } from './shapes.ts';

export interface ShapesUnderTest {
  readonly releases: ReadonlyArray<readonly [name: string, release: Release]>;
  /** Of the types. */
  readonly now: Shapes;
  /** What real flows store now, of every kind. */
  readonly store: () => Promise<readonly Row[]>;
  /** What makes the next fixture. */
  readonly command: string;
}

export function shapesConformance({ releases, now, store, command }: ShapesUnderTest): void {
  test('the last fixture has the shapes that the types have now', () => {
    expect(releases.at(-1)?.[1].shapes, `a shape has changed: ${command}`).toEqual(now);
  });

  test('a shape as which an older one cannot be read has a higher version', () => {
    const all = releases.map(([, { shapes }]) => shapes);
    const pairs = all.flatMap((before, at) => [...all.slice(at + 1), now].map((after) => [before, after] as const));
    for (const [before, after] of pairs) {
      for (const [kind, shape] of Object.entries(after)) {
        const old = before[kind];
        if (!old) continue;
        expect(shape.version, kind).toBeGreaterThanOrEqual(old.version);
        if (shape.version === old.version) expect(unreadable(old.fields, shape.fields), kind).toEqual([]);
      }
    }
  });

  test.each(releases)('the records of fixture %s have the shapes it names', (_, { shapes, rows }) => {
    expectShapes(rows, shapes);
  });

  test('what is really stored has the shapes of the types', async () => {
    expectShapes(await store(), now);
  });
}

function expectShapes(rows: readonly Row[], shapes: Shapes): void {
  expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(Object.keys(shapes)));
  for (const row of rows) {
    const { version, json } = textOf(row);
    expect(version, row.kind).toBe(shapes[row.kind]?.version);
    expect(faultsOf(JSON.parse(json), shapes[row.kind]?.fields ?? []), `${row.kind} ${row.id}`).toEqual([]);
  }
}
