/** The reader of test files sees what Vitest would run, and what it would not. */
import { expect, it } from 'vitest';
import { readTestFile } from './test-titles.ts';

const titles = (source: string) => readTestFile(source).titles;
const leftOut = (source: string) => readTestFile(source).leftOut;

it.each<[string, string, readonly string[]]>([
  ['in any quotes', `it('a', f); test("b", f); describe(\`c \${d} e\`, f)`, ['a', 'b', `c \${d} e`]],
  ['inside suites', `describe('a', () => { it('b', async () => { expect(1); }); });`, ['a', 'b']],
  ['on a line of their own', `it(\n  // why\n  'a',\n  f)`, ['a']],
  ['of a table', `it.each([['(', ")", /[)']/], [f('x')]])('a %s', f)`, ['a %s']],
  ['of a table with types', `it.each<[string, () => Map<string, number>]>([])('a', f)`, ['a']],
  ['of a table in a template', `it.each\`a\n\${1}\`('b $a', f)`, ['b $a']],
  ['of tests that run together', `it.concurrent.each([1])('a', f)`, ['a']],
  ['with quotes in them', `it('it\\'s', f); it("a 'b'", f)`, ["it's", "a 'b'"]],
])('titles %s', (_, source, expected) => {
  expect(titles(source)).toEqual(expected);
});

it.each<[string, string]>([
  ['in a comment', `// it('a', f)\n/* it('b', f) */`],
  ['in a text', `const a = "it('b', f)"; const c = \`it('d', f)\``],
  ['in a regular expression', `const a = [/it('b', f)/]`],
  ['of another function', `git('a', f); one.it('b', f); visit('c')`],
  ['that is computed', `it(name, f)`],
])('no title %s', (_, source) => {
  expect(titles(source)).toEqual([]);
});

it.each<[string, string]>([
  ['it.skip', `it.skip('a', f)`],
  ['it.todo', `it.todo('a')`],
  ['describe.only', `describe.only('a', f)`],
  ['it.only', `it.only.each([1])('a', f)`],
  ['it.skip', `it('a', { skip: true }, f)`],
  ['it.fails', `it('a', { timeout: 5, fails: true }, f)`],
])('%s is seen', (expected, source) => {
  expect(leftOut(source)).toEqual([expected]);
});

it('a test that only speaks of skipping is not left out', () => {
  expect(leftOut(`it('may skip: true', { timeout: 1 }, () => { list.skip(1); }); // it.only('a')`)).toEqual([]);
});
