/** The web-standard adapter: Request in, Response out. */
import { describe, expect, it } from 'vitest';
import { fetchHandler, maxBodyBytes } from '../../src/gatehouse.ts';
import { authorizePath, pkce, registerClient, startHarness } from '../harness.ts';

const harness = startHarness();
const handle = fetchHandler(harness.server);
const base = 'https://auth.example';
const post = (
  path: string,
  body: string | ReadableStream,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) => handle(new Request(base + path, { method: 'POST', headers, body, duplex: 'half' } as RequestInit));

/** A body that comes in pieces and says nothing of its length; `pulled` counts how many were asked for. */
function stream(pieces: number, size: number) {
  const counted = { pulled: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      counted.pulled += 1;
      if (counted.pulled > pieces) controller.close();
      else controller.enqueue(new Uint8Array(size).fill(32));
    },
  });
  return { body, counted };
}

describe('fetch', () => {
  it('answers our paths', async () => {
    const response = await post('/register', JSON.stringify({ redirect_uris: ['http://localhost/cb'] }));
    expect(response?.status).toBe(201);
    expect(response?.headers.get('cache-control')).toBe('no-store');
    expect(await response?.json()).toHaveProperty('client_id');
  });

  it('leaves the others alone, with their bodies unread', async () => {
    for (const path of ['/mcp', '/', '/token/', '/%74oken']) {
      const request = new Request(base + path, { method: 'POST', body: 'x' });
      expect(await handle(request)).toBeUndefined();
      expect(request.bodyUsed).toBe(false);
    }
  });

  it('keeps the query as it was, and the page whole', async () => {
    const client = await registerClient(harness, { client_name: 'Bücher' });
    const response = await handle(new Request(base + authorizePath(client.client_id, pkce().challenge)));
    expect(response?.status).toBe(200);
    expect(response?.headers.getSetCookie()).toHaveLength(1);
    expect(await response?.text()).toContain('Bücher');
  });

  it('a redirect and a preflight have no body', async () => {
    const client = await registerClient(harness);
    const refused = await handle(
      new Request(base + authorizePath(client.client_id, pkce().challenge, { response_type: 'token' })),
    );
    expect([refused?.status, refused?.body]).toEqual([303, null]);
    const preflight = await handle(new Request(`${base}/token`, { method: 'OPTIONS' }));
    expect([preflight?.status, preflight?.body]).toEqual([204, null]);
  });

  it('credentials in two headers are no credentials', async () => {
    const headers = new Headers({ 'content-type': 'application/x-www-form-urlencoded' });
    headers.append('authorization', 'Basic YTpi');
    headers.append('authorization', 'Basic YTpi');
    const response = await handle(new Request(`${base}/token`, { method: 'POST', headers, body: 'grant_type=x' }));
    expect(response?.status).toBe(401);
    expect(harness.events.at(-1)?.reason).toBe('client.basic_malformed');
  });

  it.each([
    ['one byte more than the limit', ' '.repeat(maxBodyBytes + 1)],
    ['a megabyte', ' '.repeat(1024 * 1024)],
  ])('%s: 413 as JSON', async (_, body) => {
    const response = await post('/register', body);
    expect(response?.status).toBe(413);
    expect(await response?.json()).toEqual({ error: 'invalid_request', error_description: 'The body is too large.' });
  });

  it('where a person is waiting, 413 is a page', async () => {
    const response = await post('/consent', ' '.repeat(maxBodyBytes + 1), {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect([response?.status, response?.headers.get('content-type')]).toEqual([413, 'text/html; charset=utf-8']);
    expect(harness.events.at(-1)?.reason).toBe('body.too_large');
  });

  it('an endless body is not read to its end', async () => {
    const { body, counted } = stream(100_000, 1024);
    expect((await post('/register', body))?.status).toBe(413);
    expect(counted.pulled).toBeLessThan(80);
  });

  it('exactly the limit is read', async () => {
    const text = JSON.stringify({ redirect_uris: ['http://localhost/cb'] }).padEnd(maxBodyBytes, ' ');
    expect((await post('/register', text))?.status).toBe(201);
  });
});
