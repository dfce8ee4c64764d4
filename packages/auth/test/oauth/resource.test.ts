/** Resource indicators as clients write them: RFC 8707 §2. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultScopeOf, resourceMatches } from '../../src/oauth/resource.ts';

const mcp = 'https://tools.example/mcp';
const origin = 'https://tools.example';

describe('resourceMatches', () => {
  it.each([
    ['the same text', mcp, mcp, true],
    ['a scheme in capitals', 'HTTPS://tools.example/mcp', mcp, true],
    ['a host in capitals', 'https://TOOLS.example/mcp', mcp, true],
    ['a trailing slash on an origin, as new URL().href adds it', `${origin}/`, origin, true],
    ['an origin where the resource has the slash', origin, `${origin}/`, true],
    ['a trailing slash on a path', `${mcp}/`, mcp, false],
    ['a path in capitals', 'https://tools.example/MCP', mcp, false],
    ['the origin of a path', origin, mcp, false],
    ['a path below it', `${mcp}/more`, mcp, false],
    ['a longer name', `${mcp}2`, mcp, false],
    ['a query', `${mcp}?a=b`, mcp, false],
    ['an origin with a query', `${origin}?a=b`, origin, false],
    ['an origin with a slash and a query', `${origin}/?a=b`, origin, false],
    ['a fragment', `${mcp}#part`, mcp, false],
    ['an empty fragment', `${mcp}#`, mcp, false],
    ['the default port', 'https://tools.example:443/mcp', mcp, false],
    ['another port', 'https://tools.example:8443/mcp', mcp, false],
    ['plain http', 'http://tools.example/mcp', mcp, false],
    ['userinfo', 'https://user@tools.example/mcp', mcp, false],
    ['userinfo that looks like the host', 'https://tools.example@evil.example/mcp', mcp, false],
    ['a sub-domain', 'https://a.tools.example/mcp', mcp, false],
    ['a suffix', 'https://tools.example.evil/mcp', mcp, false],
    ['a backslash', 'https://tools.example\\mcp', mcp, false],
    ['dot segments', 'https://tools.example/x/../mcp', mcp, false],
    ['an encoded path', 'https://tools.example/%6dcp', mcp, false],
    ['a space before', ` ${mcp}`, mcp, false],
    ['a line feed after', `${mcp}\n`, mcp, false],
    ['no scheme', 'tools.example/mcp', mcp, false],
    ['another scheme', 'ftp://tools.example/mcp', 'ftp://tools.example/mcp', false],
    ['a name', 'urn:example:tools', 'urn:example:tools', false],
    ['nothing', '', mcp, false],
  ])('%s', (_, presented, resource, matches) => {
    expect(resourceMatches(presented, resource)).toBe(matches);
  });

  it('whatever matches is the same place to a URL parser', () => {
    const host = fc.constantFrom('a.example', 'A.example', 'b.example', 'a.example:8443', 'a.example:443');
    const path = fc.constantFrom('', '/', '/mcp', '/MCP', '/mcp/', '?a', '/?a', '//', '/%6dcp', '/./mcp');
    const uri = fc.tuple(fc.constantFrom('https://', 'HTTPS://', 'http://'), host, path).map((parts) => parts.join(''));
    fc.assert(
      fc.property(uri, uri, (presented, resource) => {
        if (resourceMatches(presented, resource)) expect(new URL(presented).href).toBe(new URL(resource).href);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('defaultScopeOf', () => {
  it('is all of the scopes unless told', () => {
    const scopes = { read: 'read', write: 'write' };
    expect(defaultScopeOf({ uri: mcp, scopes })).toEqual(['read', 'write']);
    expect(defaultScopeOf({ uri: mcp, scopes, defaultScope: ['read'] })).toEqual(['read']);
    expect(defaultScopeOf({ uri: mcp, scopes, defaultScope: [] })).toEqual([]);
  });
});
