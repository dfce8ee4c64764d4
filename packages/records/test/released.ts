/** Fixtures of stored records: what a database held when a release stored it, and the shapes its kinds had. */

import { readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type AnyFields, fieldRows } from '../src/described.ts';

/** A row as SQLite keeps it; its value is the text that every database keeps. */
export interface Row {
  readonly kind: string;
  readonly id: string;
  readonly grp: string | null;
  readonly value: string;
  readonly expires_at: number | null;
}

export interface Shape {
  readonly version: number;
  /** `generation number`, `endedAt? number`: path and type, sorted. */
  readonly fields: readonly string[];
}

export type Shapes = Readonly<Record<string, Shape>>;

export interface Release {
  readonly shapes: Shapes;
  readonly rows: readonly Row[];
}

/** Oldest first: `1.json`, `2.json`. */
export function releasesIn<R extends Release>(folder: string): ReadonlyArray<readonly [name: string, release: R]> {
  return readdirSync(folder)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => [name, JSON.parse(readFileSync(folder + name, 'utf8')) as R]);
}

/** The shapes that the types have now: `described` is held against them by the compiler. */
export function shapesOf(
  kinds: Readonly<Record<string, { readonly version?: number }>>,
  described: Readonly<Record<string, { readonly fields: object }>>,
): Shapes {
  const entries = Object.entries(described).map(([kind, { fields }]): [string, Shape] => {
    const rows = fieldRows(fields as AnyFields);
    return [
      kind,
      { version: kinds[kind]?.version ?? 1, fields: rows.map(({ path, type }) => `${path} ${type}`).sort() },
    ];
  });
  return Object.fromEntries(entries);
}

export function readRows(file: string): readonly Row[] {
  const database = new DatabaseSync(file);
  const rows = database.prepare('SELECT kind, id, grp, value, expires_at FROM records ORDER BY kind, id').all();
  database.close();
  return rows as unknown as readonly Row[];
}

/** Into a file that is ours already and that nobody has open. */
export function writeRows(file: string, rows: readonly Row[]): void {
  const database = new DatabaseSync(file);
  const insert = database.prepare(
    'INSERT INTO records (kind, id, grp, value, version, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  for (const { kind, id, grp, value, expires_at } of rows) insert.run(kind, id, grp, value, 'released', expires_at);
  database.close();
}

/** The version a stored text names, and its JSON. */
export function textOf({ value }: Row): { readonly version: number; readonly json: string } {
  const version = /^v(\d+) /.exec(value)?.[1];
  return { version: Number(version ?? 1), json: version === undefined ? value : value.slice(value.indexOf(' ') + 1) };
}
