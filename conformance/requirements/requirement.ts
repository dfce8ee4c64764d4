/** What a row of the requirements table is, and how it names the tests that show it. */

/** A test by its file, from the root of the repository, and its literal title: of an `each` the template. */
export interface TestReference {
  readonly file: string;
  readonly title: string;
  /** Where the file is a suite that others run: the test files that run it. */
  readonly ranBy?: readonly string[];
}

/** Shown by tests, or why it is not. `later` beside tests: a part that is still missing. */
export type Proof =
  | { readonly tests: readonly [TestReference, ...TestReference[]]; readonly later?: string; readonly notOurs?: never }
  | { readonly later: string; readonly tests?: never; readonly notOurs?: never }
  | { readonly notOurs: string; readonly tests?: never; readonly later?: never };

export type Requirement = Proof & {
  readonly id: string;
  /** The word of the source; `PROMISE` where the source is ourselves. */
  readonly level: 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT' | 'MAY' | 'CLIENTS' | 'PROMISE';
  /** One sentence, ours. */
  readonly requirement: string;
  /** Where it stands; MCP files are below `docs/specification/` of the specification's repository. */
  readonly source: string;
  readonly revisions: readonly Revision[];
};

/** A way others were broken, and what shows that we are not. */
export interface VulnerabilityClass {
  readonly id: string;
  /** What goes wrong, in one sentence. */
  readonly cause: string;
  /** Published cases of it, not all there are. */
  readonly seenIn: string;
  readonly tests: readonly [TestReference, ...TestReference[]];
}

/** The same on few lines. */
export type VulnerabilityRow = readonly [
  id: string,
  cause: string,
  seenIn: string,
  ...tests: VulnerabilityClass['tests'],
];

export const revisions = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof revisions)[number];

/** The revision and those that came after it. */
export function since(first: Revision): readonly Revision[] {
  return revisions.slice(revisions.indexOf(first));
}

/** The revision and those that came before it. */
export function until(last: Revision): readonly Revision[] {
  return revisions.slice(0, revisions.indexOf(last) + 1);
}

/** A function from title to reference. */
export function testsIn(file: string, ranBy?: readonly string[]): (title: string) => TestReference {
  return (title) => ({ file, title, ...(ranBy && { ranBy }) });
}

/** A promise of our own. */
export function promise(id: string, requirement: string, proof: Proof): Requirement {
  return { id, level: 'PROMISE', requirement, source: 'ours', revisions, ...proof };
}
