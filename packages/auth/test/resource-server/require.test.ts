/** Authorization rules: tables for the words, properties for the algebra of scopes and roles. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { challenge } from '../../src/resource-server/challenge.ts';
import {
  includedScope,
  type Needs,
  require,
  roleRuleFaults,
  rolesFrom,
  type ScopeHierarchy,
} from '../../src/resource-server/require.ts';

const token = { scope: ['read', 'list'], roles: ['editor'], permissions: ['read:schemas', 'write:schemas'] };

describe('enough', () => {
  it.each<[Needs]>([
    [{}],
    [{ scope: 'read' }],
    [{ scope: ['list', 'read'] }],
    [{ scope: [] }],
    [{ role: 'editor', permission: ['read:schemas'], scope: 'list' }],
  ])('%o', (needs) => expect(require(token, needs)).toBeUndefined());

  it('a token without roles and permissions, where none are needed', () => {
    expect(require({ scope: ['read'] }, { scope: 'read' })).toBeUndefined();
  });
});

describe('not enough', () => {
  it.each<[Needs, string, string, readonly string[]]>([
    [{ scope: 'write' }, 'insufficient_scope', 'token.scope', ['read', 'list', 'write']],
    [{ scope: ['write', 'read', 'admin'] }, 'insufficient_scope', 'token.scope', ['read', 'list', 'write', 'admin']],
    [{ role: 'admin' }, 'access_denied', 'token.role', []],
    [{ role: ['editor', 'admin'] }, 'access_denied', 'token.role', []],
    [{ permission: 'delete:schemas' }, 'access_denied', 'token.permission', []],
    // More scope would not help: nobody is sent to ask for it.
    [{ scope: 'write', role: 'admin' }, 'access_denied', 'token.role', []],
    [{ scope: 'write', permission: 'delete:schemas' }, 'access_denied', 'token.permission', []],
  ])('%o: %s', (needs, code, reason, scope) => {
    const denial = require(token, needs);
    expect(denial?.error).toMatchObject({ code, reason, status: 403 });
    expect(denial?.scope).toEqual(scope);
  });

  it('nobody says what the user is', () => {
    expect(require({ scope: [] }, { role: 'admin' })?.error.reason).toBe('token.role');
    expect(require({ scope: [] }, { permission: 'x' })?.error.reason).toBe('token.permission');
  });

  it('a scope is no permission, and a permission no role', () => {
    expect(require(token, { permission: 'read' })).toBeDefined();
    expect(require(token, { scope: 'read:schemas' })).toBeDefined();
    expect(require(token, { role: 'read:schemas' })).toBeDefined();
  });

  it('makes a challenge: with scope where scope helps, without where it does not', () => {
    const resourceMetadata = 'https://a.example/.well-known/oauth-protected-resource/mcp';
    const say = (needs: Needs) => {
      const denial = require(token, needs);
      return denial && challenge({ resourceMetadata, scope: denial.scope }, denial.error);
    };
    expect(say({ scope: 'write' })).toMatchObject({
      status: 403,
      headers: {
        'www-authenticate': expect.stringMatching(/^Bearer error="insufficient_scope".* scope="read list write"/),
      },
    });
    expect(say({ role: 'admin' })?.headers['www-authenticate']).not.toContain('scope=');
  });
});

describe('a hierarchy of scopes', () => {
  const hierarchy: ScopeHierarchy = { admin: ['write'], write: ['read', 'list'], a: ['b'], b: ['a'] };
  it('is followed through, and ends where it goes in circles', () => {
    expect(require({ scope: ['admin'] }, { scope: ['read', 'write', 'list'] }, hierarchy)).toBeUndefined();
    expect([...includedScope(['a'], hierarchy)].sort()).toEqual(['a', 'b']);
  });
  it('goes one way', () => {
    expect(require({ scope: ['read'] }, { scope: 'write' }, hierarchy)?.scope).toEqual(['read', 'write']);
  });
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('the scope %s includes itself', (scope) => {
    expect([...includedScope([scope], hierarchy)]).toEqual([scope]);
  });
});

describe('properties', () => {
  const scope = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'constructor', '__proto__');
  const scopes = fc.array(scope, { maxLength: 6 });
  const hierarchies = fc
    .array(fc.tuple(scope, scopes), { maxLength: 6 })
    .map((pairs) => Object.fromEntries(pairs) as ScopeHierarchy);

  it('asking for what the challenge says is enough, and keeps what was held', () => {
    fc.assert(
      fc.property(scopes, scopes, hierarchies, (held, needed, hierarchy) => {
        const denial = require({ scope: held }, { scope: needed }, hierarchy);
        if (!denial) return;
        expect(require({ scope: denial.scope }, { scope: needed }, hierarchy)).toBeUndefined();
        for (const one of held) expect(denial.scope).toContain(one);
        for (const one of denial.scope) expect([...held, ...needed]).toContain(one);
        expect(new Set(denial.scope).size).toBe(denial.scope.length);
      }),
    );
  });

  it('without a hierarchy: enough exactly if nothing needed is missing', () => {
    fc.assert(
      fc.property(scopes, scopes, (held, needed) => {
        expect(require({ scope: held }, { scope: needed }) === undefined).toBe(
          needed.every((one) => held.includes(one)),
        );
      }),
    );
  });

  it('more is never less: neither more scope, nor fewer needs, nor more hierarchy', () => {
    fc.assert(
      fc.property(scopes, scopes, scopes, hierarchies, (held, more, needed, hierarchy) => {
        if (require({ scope: held }, { scope: needed }, hierarchy)) return;
        expect(require({ scope: [...more, ...held] }, { scope: needed }, hierarchy)).toBeUndefined();
        expect(require({ scope: held }, { scope: needed.slice(1) }, hierarchy)).toBeUndefined();
        expect(require({ scope: held }, { scope: needed }, { ...hierarchy, z: more })).toBeUndefined();
      }),
    );
  });

  it('order and repetition do not matter', () => {
    fc.assert(
      fc.property(scopes, scopes, hierarchies, (held, needed, hierarchy) => {
        const one = require({ scope: held }, { scope: needed }, hierarchy);
        const other = require({ scope: [...held, ...held].reverse() }, {
          scope: [...needed, ...needed].reverse(),
        }, hierarchy);
        expect(new Set(other?.scope)).toEqual(new Set(one?.scope));
      }),
    );
  });

  it('what is included is closed: including again adds nothing', () => {
    fc.assert(
      fc.property(scopes, hierarchies, (held, hierarchy) => {
        const once = includedScope(held, hierarchy);
        expect(includedScope([...once], hierarchy)).toEqual(once);
      }),
    );
  });

  it('one more group never takes a role or a permission away, and a stranger adds none', () => {
    const rules = fc.record({ groups: hierarchies, roles: hierarchies });
    fc.assert(
      fc.property(scopes, scope, rules, (groups, group, table) => {
        const few = rolesFrom({ groups }, table);
        const many = rolesFrom({ groups: [...groups, group] }, table);
        for (const role of few.roles) expect(many.roles).toContain(role);
        for (const permission of few.permissions) expect(many.permissions).toContain(permission);
        expect(rolesFrom({ groups: [...groups, 'a group nobody knows'] }, table)).toEqual(few);
      }),
    );
  });
});

describe('roles from groups', () => {
  const rules = {
    groups: { admins: ['admin', 'editor'], writers: ['editor'] },
    roles: { admin: ['delete:all', 'read:all'], editor: ['read:all', 'write:all'] },
  };
  it.each<[readonly string[], readonly string[], readonly string[]]>([
    [[], [], []],
    [['writers'], ['editor'], ['read:all', 'write:all']],
    [
      ['writers', 'admins'],
      ['admin', 'editor'],
      ['delete:all', 'read:all', 'write:all'],
    ],
    [['strangers', 'Admins', 'constructor', '__proto__', ''], [], []],
  ])('%o', (groups, roles, permissions) => {
    expect(rolesFrom({ groups }, rules)).toEqual({ roles, permissions });
  });

  it('a role without an entry is a fault, and says which', () => {
    expect(roleRuleFaults(rules)).toEqual([]);
    expect(roleRuleFaults({ groups: { a: ['amdin', 'constructor'] }, roles: { admin: [] } })).toEqual([
      'groups: the role "amdin" is not in roles',
      'groups: the role "constructor" is not in roles',
    ]);
  });
});
