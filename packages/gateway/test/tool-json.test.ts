/** The strict JSON reader against `JSON.parse`: it takes nothing that `JSON.parse` refuses, and refuses only what has two readings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonItems, jsonMembers, objectText, strictJson } from '../src/tool-policy/strict-json.ts';

const read = (source: string, depth = 64) => strictJson(source, depth);

/** A document as people write it: any spacing, any spelling of a character, any form of a number. */
const spaces = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const spelled = fc
  .array(fc.tuple(fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }), fc.nat(2)))
  .map((units) => `"${units.map(([unit, how]) => spelling(unit, how)).join('')}"`);
const numbers = fc.stringMatching(/^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?$/);
const { document } = fc.letrec<{ document: string; object: string; array: string }>((tie) => ({
  document: fc
    .tuple(
      spaces,
      fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom('true', 'false', 'null'),
        numbers,
        spelled,
        tie('array'),
        tie('object'),
      ),
      spaces,
    )
    .map((parts) => parts.join('')),
  array: fc.array(tie('document'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
  object: fc
    .array(fc.tuple(spaces, fc.oneof(spelled, fc.constantFrom('"a"', '"\\u0061"', '"b"')), spaces, tie('document')), {
      maxLength: 4,
    })
    .map((members) => `{${members.map(([a, key, b, value]) => `${a}${key}${b}:${value}`).join(',')}}`),
}));

function spelling(unit: string, how: number): string {
  if (how === 0) return JSON.stringify(unit).slice(1, -1);
  return [...unit.split('')]
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
    .replace(/[a-f]/g, (digit) => (how === 1 ? digit : digit.toUpperCase()));
}

/** Keys as `JSON.parse` meets them, with repetitions: asked of the parser itself. */
function judgedByHand(source: string): 'fine' | 'twice' | 'ambiguous' {
  const found = new Set<string>();
  const keys: string[][] = [[]];
  // Every string outside is a key if a colon follows it.
  for (const [token] of source.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}]/g)) {
    if (token === '{') keys.push([]);
    else if (token === '}') keys.pop();
    else if (token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1).trim()) as string;
      const mine = keys.at(-1) as string[];
      if (mine.includes(key)) found.add('twice');
      if (key.includes('\0') || !key.isWellFormed()) found.add('ambiguous');
      mine.push(key);
    }
  }
  return found.has('twice') ? 'twice' : found.has('ambiguous') ? 'ambiguous' : 'fine';
}

describe('against JSON.parse', () => {
  it('what JSON.stringify writes comes out as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        expect(read(text)).toEqual({ text });
      }),
    );
  });

  it('any document with one reading is taken with that reading, and any other refused', () => {
    fc.assert(
      fc.property(document, (source) => {
        const result = read(source);
        const judged = judgedByHand(source);
        if (judged === 'fine') {
          expect(JSON.parse(result.text ?? '')).toEqual(JSON.parse(source));
          // A second reading changes nothing more.
          expect(read(result.text ?? '')).toEqual(result);
        } else expect(['duplicate_key', 'ambiguous_key']).toContain(result.fault);
      }),
      { numRuns: 1000 },
    );
  });

  it('what JSON.parse refuses is refused: documents with a piece cut out, put in or changed', () => {
    const pieces = fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      '\u0000',
      '\ufeff',
      ' ',
      'n',
      '\u00a0',
      '/',
    );
    fc.assert(
      fc.property(document, fc.nat(), fc.nat(2), pieces, (source, where, cut, piece) => {
        const at = where % (source.length + 1);
        const changed = source.slice(0, at) + piece + source.slice(at + cut);
        const result = read(changed);
        let parsed: unknown;
        try {
          parsed = JSON.parse(changed);
        } catch {
          expect(result.fault).toBeDefined();
          return;
        }
        if (result.fault === undefined) expect(JSON.parse(result.text)).toEqual(parsed);
        else expect(judgedByHand(changed)).not.toBe('fine');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('refusals', () => {
  it.each([
    ['', 'syntax'],
    [' ', 'syntax'],
    ['\ufeff{}', 'syntax'],
    ['{} {}', 'syntax'],
    ['{"a":1,}', 'syntax'],
    ['[1,]', 'syntax'],
    ['[,1]', 'syntax'],
    ["{'a':1}", 'syntax'],
    ['{a:1}', 'syntax'],
    ['01', 'syntax'],
    ['+1', 'syntax'],
    ['.5', 'syntax'],
    ['1.', 'syntax'],
    ['NaN', 'syntax'],
    ['truex', 'syntax'],
    ['"\t"', 'syntax'],
    ['"\\x41"', 'syntax'],
    ['"\\u00g0"', 'syntax'],
    ['"a', 'syntax'],
    ['"\\', 'syntax'],
    ['/**/1', 'syntax'],
    ['{"a":1,"a":2}', 'duplicate_key'],
    ['{"a":1,"\\u0061":2}', 'duplicate_key'],
    ['{"x":[{"a":1,"b":{},"a":2}]}', 'duplicate_key'],
    ['{"":1,"":1}', 'duplicate_key'],
    ['{"__proto__":1,"__proto__":2}', 'duplicate_key'],
    ['{"name\\u0000":1}', 'ambiguous_key'],
    ['{"a\\ud800":1}', 'ambiguous_key'],
  ])('%j: %s', (source, fault) => expect(read(source)).toEqual({ fault }));

  it('depth: as deep as it may, and one deeper', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(read(nested(64))).toEqual({ text: nested(64) });
    expect(read(nested(66))).toEqual({ fault: 'depth' });
    expect(read('['.repeat(1_000_000))).toEqual({ fault: 'depth' });
    expect(read('{"a":'.repeat(1_000_000))).toEqual({ fault: 'depth' });
  });
});

describe('what is written anew', () => {
  it.each([
    [
      '{ "a" : -0 , "b":1e400,\n"c": 123456789012345678901234567890.10 }',
      '{"a":-0,"b":1e400,"c":123456789012345678901234567890.10}',
    ],
    ['"\\u0041\\/\\u00e9\\ud83d\\ude00"', '"A/é😀"'],
    ['"\\ud800"', '"\\ud800"'],
    ['{"__proto__":{"\\u0061":1}}', '{"__proto__":{"a":1}}'],
  ])('%j becomes %j', (source, text) => expect(read(source)).toEqual({ text }));

  it('large values of every kind', () => {
    const digits = '9'.repeat(2_000_000);
    const letters = `"${'a'.repeat(2_000_000)}"`;
    expect(read(digits).text?.length).toBe(digits.length);
    expect(read(letters).text).toBe(letters);
    const many = `[${'0,'.repeat(500_000)}0]`;
    expect(read(many).text).toBe(many);
  });

  it('objects and arrays come apart and together again', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()),
        fc.array(fc.jsonValue()),
        (object, array) => {
          const text = JSON.stringify(object);
          const members = jsonMembers(text);
          expect([...(members ?? [])].map(([key, value]) => [key, JSON.parse(value)])).toEqual(
            Object.entries(JSON.parse(text)),
          );
          expect(objectText(members ?? new Map())).toBe(text);
          expect(jsonItems(JSON.stringify(array))).toEqual(array.map((one) => JSON.stringify(one)));
        },
      ),
    );
    expect(jsonMembers('[]')).toBeUndefined();
    expect(jsonItems('{}')).toBeUndefined();
  });
});
