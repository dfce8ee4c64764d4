/** The requirements table both ways: no requirement without a test, no test without a requirement (architecture, section 9). */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requirementIds, requirements } from '../requirements.ts';
import type { TestReference } from './requirement.ts';
import { readTestFile, type TestFile } from './test-titles.ts';
import { vulnerabilities } from './vulnerabilities.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Whose tests must each belong to a requirement or to a class of vulnerability. */
const tested = ['packages/auth/test', 'packages/gateway/test', 'packages/records/test', 'conformance'];

/** Test files that show no requirement, each with its reason. */
const withoutRequirement: Readonly<Record<string, string>> = {
  'conformance/requirements/coverage.test.ts': 'tests this table',
  'conformance/requirements/test-titles.test.ts': 'tests the reader that the table is checked with',
};

const rows: ReadonlyArray<{ readonly id: string; readonly tests: readonly TestReference[] }> = [
  ...requirements.map(({ id, tests = [] }) => ({ id, tests })),
  ...vulnerabilities,
];
const references = rows.flatMap(({ id, tests }) => tests.map((test) => ({ id, ...test })));

const read = new Map<string, TestFile | undefined>();
function testFile(file: string): TestFile | undefined {
  if (!read.has(file)) {
    const path = resolve(root, file);
    read.set(file, existsSync(path) ? readTestFile(readFileSync(path, 'utf8')) : undefined);
  }
  return read.get(file);
}

describe('every requirement', () => {
  it('that we know of has a row, and no row has been made up', () => {
    expect(requirements.map(({ id }) => id)).toEqual(requirementIds);
  });

  it('has an id of its own', () => {
    const ids = rows.map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it('has tests, or says why not', () => {
    const bare = requirements.filter(({ tests, notOurs, later }) => tests === undefined && !notOurs && !later);
    expect(bare.map(({ id }) => id)).toEqual([]);
    const empty = rows.filter(({ id, tests }) => tests.length === 0 && !requirements.some((one) => one.id === id));
    expect(empty).toEqual([]);
  });

  it('applies to a revision of MCP at least', () => {
    expect(requirements.filter(({ revisions }) => revisions.length === 0)).toEqual([]);
  });

  it('names each of its tests once', () => {
    const names = references.map(({ id, file, title }) => `${id}: ${file}: ${title}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });
});

describe('every test that is named', () => {
  it('is there, under this title', () => {
    const wrong = references.flatMap(({ id, file, title }) => {
      const found = testFile(file);
      if (!found) return [`${id}: there is no file ${file}`];
      return found.titles.includes(title) ? [] : [`${id}: no it, test or describe in ${file} is called '${title}'`];
    });
    expect(wrong).toEqual([]);
  });

  it('says what it is about: a template without words is named by its suite', () => {
    expect(references.filter(({ title }) => !/[a-z]{2}/i.test(title.replace(/%\w|\$\{?\w+\}?/g, '')))).toEqual([]);
  });

  it('runs: nothing in its file is skipped, left to do, or the only one', () => {
    const files = [...new Set(references.map(({ file }) => file))];
    const leftOut = files.flatMap((file) => (testFile(file)?.leftOut ?? []).map((what) => `${file}: ${what}`));
    expect(leftOut).toEqual([]);
  });

  it('is in a file that Vitest runs, or in a suite that such files call', () => {
    const wrong = references.flatMap(({ id, file, ranBy }) => {
      if (ranBy === undefined) return file.endsWith('.test.ts') ? [] : [`${id}: ${file} is no test file: say ranBy`];
      const name = file.slice(file.lastIndexOf('/') + 1);
      return ranBy
        .filter(
          (by) => !existsSync(resolve(root, by)) || !readFileSync(resolve(root, by), 'utf8').includes(`/${name}'`),
        )
        .map((by) => `${id}: ${by} does not run ${file}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('every test file', () => {
  it('shows a requirement or a class of vulnerability', () => {
    const shown = new Set(references.flatMap(({ file, ranBy = [] }) => [file, ...ranBy]));
    const files = tested.flatMap((folder) =>
      globSync(`${folder}/**/*.test.ts`, { cwd: root, exclude: ['**/node_modules'] }),
    );
    const missing = files
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => !shown.has(file) && !(file in withoutRequirement))
      .sort()
      .map(
        (file) =>
          `${file} shows nothing: give it a name in conformance/requirements/test-files.ts and one of its titles to a row of ` +
          `conformance/requirements/, such as { id: 'SEC-…', tests: [name('${testFile(file)?.titles[0] ?? 'title'}')] }`,
      );
    expect(missing).toEqual([]);
  });

  it('that shows nothing on purpose is there', () => {
    expect(Object.keys(withoutRequirement).filter((file) => !existsSync(resolve(root, file)))).toEqual([]);
  });
});
