/** Tool rules: which rule a tool meets, what no rule names, and what is wrong with rules. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Needs } from '../../src/resource-server/require.ts';
import { toolNeeds, toolPolicy, toolRuleFaults } from '../../src/resource-server/tool-needs.ts';

const scopes = ['read', 'write', 'admin'];
const tools: Record<string, Needs> = {
  get: { scope: 'read' },
  'delete_*': { scope: 'admin' },
  'delete_draft*': { scope: 'write' },
  delete_draft_now: { role: 'editor' },
  open: {},
  größe: { scope: 'read' },
};
const strongest = { scope: scopes };

describe('which rule', () => {
  const needs = toolNeeds({ tools, scopes });
  it.each<[string, Needs | undefined]>([
    ['get', { scope: 'read' }],
    ['delete_all', { scope: 'admin' }],
    ['delete_', { scope: 'admin' }],
    ['delete_draft', { scope: 'write' }],
    ['delete_draft_now', { role: 'editor' }],
    ['delete_draft_now2', { scope: 'write' }],
    ['open', {}],
    // Nobody names it: the strongest, whatever it resembles.
    ['delete', strongest],
    ['Get', strongest],
    ['gets', strongest],
    ['constructor', strongest],
    ['__proto__', strongest],
    ['delete_*', { scope: 'admin' }],
    // More than one reading, and no rule of its own.
    ['größe', { scope: 'read' }],
    ['größen', undefined],
    ['get ', undefined],
    ['open\0', undefined],
    ['delete_\u0000', undefined],
    ['', undefined],
    ['ｇｅｔ', undefined],
    ['a'.repeat(257), undefined],
  ])('%j', (tool, expected) => expect(needs(tool)).toEqual(expected));

  it('`*` stands for what nothing else names, and for no name of two readings', () => {
    const open = toolNeeds({ tools: { ...tools, '*': { scope: 'read' } }, scopes });
    expect(open('anything')).toEqual({ scope: 'read' });
    expect(open('delete_all')).toEqual({ scope: 'admin' });
    expect(open('get\u200b')).toBeUndefined();
  });

  it('the order rules are written in does not matter', () => {
    const names = fc.stringMatching(/^[ab]{1,4}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.stringMatching(/^[ab]{0,3}\*?$/), fc.constantFrom(...scopes)), {
          selector: ([name]) => name,
          maxLength: 8,
        }),
        names,
        (written, tool) => {
          const rules = written.filter(([name]) => name !== '').map(([name, scope]) => [name, { scope }] as const);
          const forward = toolNeeds({ tools: Object.fromEntries(rules), scopes })(tool);
          expect(toolNeeds({ tools: Object.fromEntries(rules.toReversed()), scopes })(tool)).toEqual(forward);
          const matching = rules.filter(([name]) =>
            name.endsWith('*') ? tool.startsWith(name.slice(0, -1)) : name === tool,
          );
          const exact = matching.find(([name]) => name === tool);
          const longest = matching.toSorted(([a], [b]) => b.length - a.length)[0];
          expect(forward).toEqual((exact ?? longest)?.[1] ?? strongest);
        },
      ),
    );
  });
});

describe('denials', () => {
  const policy = toolPolicy({ tools, scopes, hierarchy: { write: ['read'], admin: ['write'] } });
  const denied = (scope: string[], tool: string, more = {}) => {
    const denial = policy.denial({ scope, ...more }, tool);
    return denial && [denial.error.code, denial.error.status, denial.error.reason, denial.scope.join(' ')];
  };

  it('says what is missing, in union with what is held', () => {
    expect(denied(['read'], 'get')).toBeUndefined();
    expect(denied([], 'open')).toBeUndefined();
    expect(denied(['read'], 'delete_draft')).toEqual(['insufficient_scope', 403, 'token.scope', 'read write']);
    expect(denied(['read'], 'unheard_of')).toEqual(['insufficient_scope', 403, 'token.scope', 'read write admin']);
    expect(denied(['admin'], 'delete_draft_now')).toEqual(['access_denied', 403, 'token.role', '']);
    expect(denied(['admin'], 'delete_draft_now', { roles: ['editor'] })).toBeUndefined();
    expect(denied(['admin'], 'get\0')).toEqual(['access_denied', 403, 'tool.name', '']);
  });

  it('a scope brings along those it includes', () => {
    expect(denied(['write'], 'get')).toBeUndefined();
    expect(denied(['admin'], 'unheard_of')).toBeUndefined();
    expect(denied(['read'], 'delete_all')).toEqual(['insufficient_scope', 403, 'token.scope', 'read admin']);
  });

  it('what may reach any tool needs every scope, whatever `*` says', () => {
    const open = toolPolicy({ tools: { '*': {} }, scopes });
    expect(open.denial({ scope: [] }, 'anything')).toBeUndefined();
    expect(open.denialOfAny({ scope: ['read'] })?.scope).toEqual(scopes);
    expect(open.denialOfAny({ scope: scopes })).toBeUndefined();
  });
});

describe('faults of rules', () => {
  it('none', () => expect(toolRuleFaults({ tools, scopes, hierarchy: { write: ['read'] } })).toEqual([]));

  it('names that are none, and scopes nobody can be granted', () => {
    const faulty = { 'a*b': {}, '**': {}, '': {}, x: { scope: ['read', 'reed'] }, y: { scope: 'rite' } };
    expect(toolRuleFaults({ tools: faulty, scopes, hierarchy: { wride: ['reat'] } })).toEqual([
      "tools.a*b: is a tool's name, or the start of one and a * at its end",
      "tools.**: is a tool's name, or the start of one and a * at its end",
      "tools.: is a tool's name, or the start of one and a * at its end",
      'tools.x: the scope "reed" is not in scopes',
      'tools.y: the scope "rite" is not in scopes',
      'scopeHierarchy: the scope "wride" is not in scopes',
      'scopeHierarchy: the scope "reat" is not in scopes',
    ]);
  });
});

it('a name in other letters of case is not let through by a wider rule', () => {
  const tools = { 'delete_*': { scope: 'admin' }, wipe: { role: 'boss' }, '*': {} };
  const policy = toolPolicy({ tools, scopes: ['read', 'admin'] });
  const open = (tool: string) => policy.denial({ scope: ['read'] }, tool) === undefined;
  expect(['DELETE_all', 'Delete_all', 'WIPE'].filter(open)).toEqual([]);
  expect(['Search', 'search'].filter(open)).toEqual(['Search', 'search']);
  const both = toolPolicy({ tools: { 'A*': {}, 'a*': { scope: 'admin' } }, scopes: ['admin'] });
  expect([both.denial({ scope: [] }, 'Ab'), both.denial({ scope: [] }, 'ab')?.scope]).toEqual([undefined, ['admin']]);
});
