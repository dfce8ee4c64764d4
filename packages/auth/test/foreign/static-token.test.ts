/** The static token of development: exact, on loopback, and nowhere else. */
import { describe, expect, it } from 'vitest';
import { dangerouslyStaticToken, type StaticTokenOptions } from '../../src/resource-server/static-token.ts';
import { judged, start } from './loopback-issuer.ts';

const options: StaticTokenOptions = {
  token: 'sixteen-letters.',
  subject: 'developer',
  scope: ['read'],
  issuer: 'http://localhost:8000',
  resource: 'http://127.0.0.1:8000/mcp',
  now: () => start,
};

it('is somebody', async () => {
  const verify = dangerouslyStaticToken({ ...options, roles: ['admin'], permissions: ['write:all'] });
  const token = await judged(verify, options.token);
  expect(token).toEqual({
    subject: 'developer',
    clientId: 'static-token',
    scope: ['read'],
    audience: options.resource,
    issuer: options.issuer,
    issuedAt: start,
    expiresAt: start + 3600,
    tokenId: expect.stringMatching(/^static-[\w-]{16}$/),
    roles: ['admin'],
    permissions: ['write:all'],
  });
  expect(JSON.stringify(token)).not.toContain(options.token);
});

it.each(['', 'sixteen-letters', 'sixteen-letters..', 'Sixteen-letters.', 'x'.repeat(100_000), 'sixteen-letters.\0'])(
  'another token is refused',
  async (token) => expect(await judged(dangerouslyStaticToken(options), token)).toBe('token.static'),
);

describe('refused at start', () => {
  it.each<[Partial<StaticTokenOptions>, RegExp]>([
    [{ issuer: 'https://auth.example' }, /^issuer: /],
    [{ issuer: 'http://localhost.evil.example' }, /^issuer: /],
    [{ issuer: 'http://localhost@evil.example' }, /^issuer: /],
    [{ issuer: 'nonsense' }, /^issuer: /],
    [{ resource: 'https://auth.example/mcp' }, /^resource: /],
    [{ resource: 'http://10.0.0.1/mcp' }, /^resource: /],
    [{ token: 'short' }, /^token: /],
    [{ token: 'with a space in it' }, /^token: /],
    [{ token: 'sixteen-letters.\n' }, /^token: /],
    [{ token: 'x'.repeat(513) }, /^token: /],
    [{ subject: '' }, /^subject: /],
  ])('%o', (changes, words) => {
    expect(() => dangerouslyStaticToken({ ...options, ...changes })).toThrow(words);
    expect(() => dangerouslyStaticToken({ ...options, ...changes })).toThrow(TypeError);
  });

  it('the words do not hold the token', () => {
    try {
      dangerouslyStaticToken({ ...options, token: 'my secret token of old' });
    } catch (error) {
      expect(String(error)).not.toContain('secret');
    }
  });
});
