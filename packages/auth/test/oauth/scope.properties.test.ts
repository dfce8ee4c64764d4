/** Scope as an algebra: whatever is asked for, the answer is a part of what there is, in its order, and asking again changes nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantableScope, narrowedScope, parseScope } from '../../src/oauth/scope.ts';
import { includedScope } from '../../src/resource-server/require.ts';

/** Few names, so that they meet, and names that objects already have. */
const name = fc.constantFrom('read', 'write', 'admin', 'READ', 'a:b', 'constructor', '__proto__', 'toString');
const names = fc.array(name, { maxLength: 10 });
const distinct = fc.uniqueArray(name, { maxLength: 8 });
/** What a resource has, and the part of it that is its default. */
const offered = fc
  .uniqueArray(name, { minLength: 1, maxLength: 8 })
  .chain((known) => fc.tuple(fc.constant(known), fc.subarray(known)));
const hierarchy = fc.dictionary(name, names, { maxKeys: 8 });
const runs = { numRuns: 2000 };

/** The one list in the order of the other, which holds all of it. */
function isPartInOrder(part: readonly string[], whole: readonly string[]): boolean {
  const places = part.map((one) => whole.indexOf(one));
  return places.every((place, at) => place > (places[at - 1] ?? -1));
}

describe('parseScope', () => {
  it('has every token once, and what is read back from it is itself', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: fc.constantFrom(...'ab "\\\t\u00e9'), maxLength: 40 }),
    );
    fc.assert(
      fc.property(text, (given) => {
        const tokens = parseScope(given);
        expect(new Set(tokens).size).toBe(tokens.length);
        for (const token of tokens) expect(token).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
        expect(isPartInOrder(tokens, [...new Set(given.split(' '))])).toBe(true);
        expect(parseScope(tokens.join(' '))).toEqual(tokens);
      }),
      runs,
    );
  });
});

describe('grantableScope', () => {
  it('grantableScope is a part of what the resource knows, in its order', () => {
    fc.assert(
      fc.property(names, offered, (requested, [known, fallback]) => {
        const granted = grantableScope(requested, known, fallback);
        expect(isPartInOrder(granted, known)).toBe(true);
        // All that was asked for and is known, or else the default, and nothing between the two.
        const wanted = known.filter((one) => requested.includes(one));
        expect(granted).toEqual(wanted.length > 0 ? wanted : fallback);
      }),
      runs,
    );
  });

  it('granted once is granted: asking for what was granted gives it again', () => {
    fc.assert(
      fc.property(names, offered, (requested, [known, fallback]) => {
        const granted = grantableScope(requested, known, fallback);
        expect(grantableScope(granted, known, fallback)).toEqual(granted);
      }),
      runs,
    );
  });

  it('order, repetition and strangers in the request change nothing', () => {
    fc.assert(
      fc.property(names, offered, names, (requested, [known, fallback], more) => {
        const strangers = more.map((one) => `not ${one}`);
        const again = [...strangers, ...requested.toReversed(), ...requested];
        expect(grantableScope(again, known, fallback)).toEqual(grantableScope(requested, known, fallback));
      }),
      runs,
    );
  });
});

describe('narrowedScope', () => {
  it('narrowedScope is a part of the grant, in its order', () => {
    fc.assert(
      fc.property(names, distinct, (requested, granted) => {
        const narrowed = narrowedScope(requested, granted);
        expect(isPartInOrder(narrowed, granted)).toBe(true);
        expect(narrowed).toEqual(requested.length === 0 ? granted : granted.filter((one) => requested.includes(one)));
      }),
      runs,
    );
  });

  it('narrowing again to the same changes nothing, and two narrowings are one to what both ask for', () => {
    fc.assert(
      fc.property(names, names, distinct, (one, other, granted) => {
        const once = narrowedScope(one, granted);
        expect(narrowedScope(one, once)).toEqual(once);
        const both = granted.filter((token) =>
          [one, other].every((asked) => asked.length === 0 || asked.includes(token)),
        );
        expect(narrowedScope(other, once)).toEqual(both);
      }),
      runs,
    );
  });
});

describe('includedScope', () => {
  it('includedScope is the smallest closed set around what is held', () => {
    fc.assert(
      fc.property(names, hierarchy, (held, includes) => {
        const all = includedScope(held, includes);
        for (const one of held) expect(all).toContain(one);
        // Closed: whatever one of them includes is there.
        const below = (one: string) => (Object.hasOwn(includes, one) ? (includes[one] ?? []) : []);
        for (const one of all) for (const other of below(one)) expect(all).toContain(other);
        // Smallest: each is held, or comes with another that is there.
        const reached = new Set(held);
        for (let before = -1; before < reached.size; ) {
          before = reached.size;
          for (const one of [...reached]) for (const other of below(one)) reached.add(other);
        }
        expect([...all].sort()).toEqual([...reached].sort());
      }),
      runs,
    );
  });

  it('more held is never less, and what is included already adds nothing', () => {
    fc.assert(
      fc.property(names, names, hierarchy, (held, more, includes) => {
        const all = includedScope(held, includes);
        expect(includedScope([...all], includes)).toEqual(all);
        const wider = includedScope([...held, ...more], includes);
        expect([...all].filter((one) => !wider.has(one))).toEqual([]);
      }),
      runs,
    );
  });
});
