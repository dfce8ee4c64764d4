/** Scope values: RFC 6749 §3.3, and what real clients ask for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantableScope, narrowedScope, parseScope } from '../../src/oauth/scope.ts';

describe('parseScope', () => {
  it.each([
    ['nothing', undefined, []],
    ['an empty text', '', []],
    ['spaces alone', '   ', []],
    ['one', 'read', ['read']],
    ['several, in their order', 'write read', ['write', 'read']],
    ['one twice', 'read write read', ['read', 'write']],
    ['a leading space', ' offline_access', ['offline_access']],
    ['several spaces', 'read   write ', ['read', 'write']],
    ['a colon and a slash', 'read:things https://a.example/scope', ['read:things', 'https://a.example/scope']],
    ['a quote', 'read wri"te', ['read']],
    ['a backslash', 'read wri\\te', ['read']],
    ['a tab', 'read\twrite', []],
    ['a line feed', 'read\nwrite ok', ['ok']],
    ['a letter outside ASCII', 'réad ok', ['ok']],
    ['one of 256 characters', 'a'.repeat(256), ['a'.repeat(256)]],
    ['one of 257 characters', `${'a'.repeat(257)} ok`, ['ok']],
    ['names of object properties', '__proto__ constructor', ['__proto__', 'constructor']],
  ])('%s', (_, text, tokens) => {
    expect(parseScope(text)).toEqual(tokens);
  });
});

describe('grantableScope', () => {
  const known = ['read', 'write', 'admin'];
  it.each([
    ['known ones, in the order of the resource', ['write', 'read'], ['read', 'write']],
    ['an unknown one beside', ['read', 'offline_access'], ['read']],
    ['nothing: the default', [], ['read']],
    ["mcp-remote's: the default", ['openid', 'email', 'profile'], ['read']],
    ['another case is another scope', ['READ', 'write'], ['write']],
  ])('%s', (_, requested, granted) => {
    expect(grantableScope(requested, known, ['read'])).toEqual(granted);
  });

  it('never gives what the resource does not know', () => {
    const tokens = fc.array(fc.constantFrom('read', 'write', 'admin', 'openid', '__proto__'));
    fc.assert(
      fc.property(tokens, (requested) => {
        for (const token of grantableScope(requested, known, ['read'])) expect(known).toContain(token);
      }),
    );
  });
});

describe('narrowedScope', () => {
  it.each([
    ['asking for nothing gives all', [], ['read', 'write'], ['read', 'write']],
    ['asking for a part gives the part', ['write'], ['read', 'write'], ['write']],
    ['asking for more gives no more', ['write', 'admin'], ['read', 'write'], ['write']],
    ['asking for others gives nothing', ['admin'], ['read', 'write'], []],
  ])('%s', (_, requested, granted, scope) => {
    expect(narrowedScope(requested, granted)).toEqual(scope);
  });
});
