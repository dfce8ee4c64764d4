/** The end of an access token: read from its own `exp`, awaited on the clock, shown to the server (RFC 6750 §3.1). */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

/** What the tests let an access token live. */
export const accessTokenSeconds = 2;

/** How long after `exp` the guard still accepts a token, for clocks that differ. */
const skewSeconds = 5;

/** Resolves when the token must be refused. Rejects, at once, if that is too far off to wait for. */
export async function untilExpired(accessToken: string): Promise<void> {
  const end = claims(accessToken).exp + skewSeconds;
  if (end - Date.now() / 1000 > 20) throw new Error(`the token lives too long to wait for its end: ${end}`);
  while (Date.now() / 1000 < end) await sleep(100);
}

export function claims(accessToken: string): { exp: number; iat: number; grant_id: string; client_id: string } {
  return JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString('utf8'));
}

/** The token, as anybody could send it who found it: refused, with the challenge that tells a client what to do. */
export async function expectRefused(mcp: string, accessToken: string): Promise<void> {
  const response = await fetch(mcp, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token",.* resource_metadata="http/);
  await response.body?.cancel();
}
