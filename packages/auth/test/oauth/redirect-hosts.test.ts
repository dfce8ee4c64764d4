/** The operator's list of where answers may go: hosts, hosts below one, schemes, and nothing that only looks like them. */
import { describe, expect, it } from 'vitest';
import { redirectHostFaults, redirectHosts } from '../../src/oauth/redirect-hosts.ts';

const allows = redirectHosts(['claude.ai', '*.example.com', 'localhost', '[::1]', 'cursor:']);

it.each([
  'https://claude.ai/api/mcp/auth_callback',
  'https://CLAUDE.ai/x',
  'https://claude.ai:8443/x',
  'https://a.example.com/x',
  'https://a.b.example.com/x',
  'http://localhost:33418/',
  'http://[::1]:7/',
  'cursor://anysphere.cursor-mcp/oauth/callback',
  'cursor:/callback',
])('allows %s', (uri) => {
  expect(allows(uri)).toBe(true);
});

it.each([
  'https://claude.ai.evil.example/x',
  'https://evil.example/claude.ai',
  'https://notclaude.ai/x',
  'https://example.com/x',
  'https://evilexample.com/x',
  'https://claude.ai@evil.example/x',
  'http://127.0.0.1/x',
  'vscode://claude.ai/x',
  'cursory://x/y',
  'https://cursor:443/x',
  'https://claude.ai%2e.evil.example/',
  'not a uri',
  '',
])('refuses %s', (uri) => {
  expect(allows(uri)).toBe(false);
});

describe('the list', () => {
  it('left out allows everything, empty nothing', () => {
    expect(redirectHosts(undefined)('https://anywhere.example/')).toBe(true);
    expect(redirectHosts([])('https://anywhere.example/')).toBe(false);
  });

  it('says what is wrong with it', () => {
    expect(redirectHostFaults(['claude.ai', '*.example.com', 'cursor:', '[::1]', '127.0.0.1'])).toEqual([]);
    for (const wrong of ['https://claude.ai', 'claude.ai/x', '*', '*.', 'a b', '', '*.*.example.com', 'x:y']) {
      expect(redirectHostFaults([wrong]), wrong).toHaveLength(1);
    }
  });
});
