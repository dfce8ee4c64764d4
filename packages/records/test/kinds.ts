/** Owns the kinds of record the conformance suite writes, in every back-end and every process of it. */

import type { Kinds } from '../src/records.ts';

export type TestRecords = {
  note: { text: string };
  counter: { n: number };
  deck: { owner: string; title: string };
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON a test thinks of.
  any: any;
  a: { text: string };
  'a#b': { text: string };
  'a:b': { text: string };
};

export const kinds: Kinds<TestRecords> = {
  note: {},
  counter: {},
  deck: { groupOf: (deck) => deck.owner },
  any: {},
  a: {},
  'a#b': {},
  'a:b': {},
};
