/** Shapes of stored values are judged rightly: what the tests of fixtures rely on. */

import { expect, test } from 'vitest';
import { type AnyFields, fieldRows } from '../src/described.ts';
import { faultsOf, unreadable } from './shapes.ts';

test('a table names the path of every field, those in lists and in others among them', () => {
  const table: AnyFields = {
    name: ['text', 'plain', 'a name'],
    'next?': { of: { at: ['number', 'plain', 'when'] } },
    keys: { each: { 'sealed?': ['text', 'sealed', 'a secret'] } },
  };
  expect(fieldRows(table).map(({ path, type }) => `${path} ${type}`)).toEqual([
    'name text',
    'next?.at number',
    'keys[].sealed? text',
  ]);
});

const fields = ['name text', 'next?.at number', 'keys[].id text', 'keys[].old? flag', 'tags texts', 'any JSON'];
const value = { name: 'n', keys: [{ id: 'a' }, { id: 'b', old: true }], tags: ['t'], any: [{ x: null }] };

test.each<[what: string, change: object, faults: string[]]>([
  ['as described', {}, []],
  ['an optional part is there', { next: { at: 1 } }, []],
  ['not described', { other: 1 }, ['other is not described']],
  ['missing', { name: undefined }, ['name is missing']],
  ['of another type', { name: 1 }, ['name is no text']],
  ['a list of another type', { tags: [1] }, ['tags is no texts']],
  ['missing in a part', { next: {} }, ['next.at is missing']],
  ['not described in a list', { keys: [{ id: 'a' }, { id: 'b', x: 1 }] }, ['keys[1].x is not described']],
  ['no list', { keys: {} }, ['keys is no list']],
  ['no object', { next: 'x' }, ['next. is no object']],
])('%s', (_, change, faults) => {
  expect(faultsOf(JSON.parse(JSON.stringify({ ...value, ...change })), fields)).toEqual(faults);
});

test.each<[what: string, before: string[], after: string[], faults: string[]]>([
  ['the same', ['a text'], ['a text'], []],
  ['a field less', ['a text', 'b? text'], ['a text'], []],
  ['a new field that may be missing', ['a text'], ['a text', 'b? text'], []],
  ['a new part that may be missing', ['a text'], ['a text', 'b?.c text'], []],
  ['a field that may now be missing', ['a text'], ['a? text'], []],
  ['a new field that must be there', ['a text'], ['a text', 'b text'], ['b text']],
  ['a field that must now be there', ['a? text'], ['a text'], ['a text']],
  ['another type', ['a text'], ['a number'], ['a number']],
  ['another type of what may be missing', ['a? text'], ['a? number'], ['a? number']],
  ['a new field that must be in a part', ['b?.c text'], ['b?.c text', 'b?.d text'], ['b?.d text']],
  ['a new field that may be in a part', ['b?.c text'], ['b?.c text', 'b?.d? text'], []],
  ['a field that must now be in a part', ['b?.c? text'], ['b?.c text'], ['b?.c text']],
  ['a value that becomes a part', ['b? text'], ['b?.c? text'], ['b?.c? text']],
  ['a value that becomes a list', ['b?.c? text'], ['b?[].c? text'], ['b?[].c? text']],
  ['missing and of another type', ['a text'], ['a? number'], ['a? number']],
])('read as the next: %s', (_, before, after, faults) => {
  expect(unreadable(before, after)).toEqual(faults);
});
