/** The page's origin: files under a strict policy, their caching, and what is said before there are any. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPage } from '../src/session/page-server.ts';
import { type PageService, startPageService } from './page-service.ts';

let service: PageService;
beforeAll(async () => {
  service = await startPageService();
});
afterAll(() => service.close());

const script = `console.log(${JSON.stringify('x'.repeat(5000))})`;

test('before it is built the page says so, and how it is built; its session works already', async () => {
  const reply = await service.call('GET', '/');
  expect([reply.status, reply.text]).toEqual([503, expect.stringContaining('The page is not built yet')]);
  expect((await service.call('GET', '/session/config')).status).toBe(200);
  expect((await service.call('GET', '/healthz')).text).toBe('ok\n');
});

describe('a built page', () => {
  beforeAll(() => {
    mkdirSync(join(service.folder, 'assets'), { recursive: true });
    mkdirSync(join(service.folder, '.secret'));
    writeFileSync(join(service.folder, 'assets', 'index-3fA2b_9c.js'), script);
    writeFileSync(join(service.folder, 'theme.js'), 'theme');
    writeFileSync(join(service.folder, '.env'), 'SECRET=1');
    writeFileSync(join(service.folder, 'notes.sqlite'), 'no page needs this');
    writeFileSync(join(service.folder, 'index.html'), '<!doctype html><title>Ankify</title>');
  });

  test('is there without a restart; its views all are the same document, asked for anew each time', async () => {
    for (const path of ['/', '/index.html', '/signed-in?code=x&state=y', '/decks/0198', '/decks/a.b/cards']) {
      const reply = await service.call('GET', path);
      expect([path, reply.status, reply.text]).toEqual([path, 200, '<!doctype html><title>Ankify</title>']);
      expect(reply.headers.get('cache-control')).toBe('no-cache');
      const etag = reply.headers.get('etag') ?? '';
      expect((await service.call('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
  });

  test('what is named by its content is kept for a year, the rest is asked for anew', async () => {
    const asset = await service.call('GET', '/assets/index-3fA2b_9c.js');
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(asset.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(asset.text).toBe(script);
    expect((await service.call('GET', '/theme.js')).headers.get('cache-control')).toBe('no-cache');
    const response = await fetch(`${service.origin}/assets/index-3fA2b_9c.js`, {
      headers: { 'accept-encoding': 'br' },
    });
    expect([response.headers.get('content-encoding'), await response.text()]).toEqual(['br', script]);
    expect(Number(response.headers.get('content-length'))).toBeLessThan(200);
    const refused = await service.call('GET', '/theme.js', { headers: { 'accept-encoding': 'br;q=0' } });
    expect(refused.headers.get('content-encoding')).toBeNull();
    expect(() => brotliDecompressSync(Buffer.from(refused.text))).toThrow();
  });

  test('every answer has the policy: own scripts and styles only, the gateway to talk to, no frame', async () => {
    for (const path of ['/', '/theme.js', '/nothing.js', '/session/config', '/session/secrets']) {
      const { headers } = await service.call('GET', path);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
      expect(policy).toContain(`connect-src 'self' ${service.gateway.issuer};`);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|nonce|\*/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
  });

  test.each([
    ['GET', '/nothing.js', 404],
    ['GET', '/.env', 404],
    ['GET', '/notes.sqlite', 404],
    ['GET', '/../package.json', 404],
    ['GET', '/..%2f..%2fpackage.json', 404],
    ['GET', '/assets/../../../etc/passwd.txt', 404],
    ['GET', '//evil.example/x.js', 404],
    ['POST', '/', 405],
    ['DELETE', '/theme.js', 405],
    ['TRACE', '/', 405],
  ])('%s %s: %i', async (method, path, status) => {
    const reply = await service.call(method, path);
    expect([reply.status, reply.text]).toEqual([status, expect.not.stringContaining('SECRET')]);
  });

  test('by another name of this computer one is sent to the page’s own; by any other there is nothing', async () => {
    const host = service.origin.replace('http://localhost', '127.0.0.1');
    const sent = await service.call('GET', '/decks', { headers: { host } });
    expect([sent.status, sent.headers.get('location')]).toEqual([307, `${service.origin}/decks`]);
    expect((await service.call('GET', '/session/config', { headers: { host } })).status).toBe(403);
    const rebound = await service.call('GET', '/', { headers: { host: 'evil.example' } });
    expect([rebound.status, rebound.headers.get('location')]).toEqual([403, null]);
  });

  test('a build that is taken away and comes anew is noticed', async () => {
    rmSync(join(service.folder, 'index.html'));
    expect((await service.call('GET', '/')).status).toBe(503);
    writeFileSync(join(service.folder, 'index.html'), '<!doctype html><title>New</title>');
    expect((await service.call('GET', '/')).text).toContain('New');
  });
});

test('a page that would not be safe, or has no port, does not start', async () => {
  const options = {
    folder: service.folder,
    publicUrl: 'https://gate.example/ankify',
    clientId: 'page',
    key: new Uint8Array(32),
    scope: 'list_decks',
    port: 0,
  };
  await expect(startPage({ ...options, pageUrl: 'http://ankify.example' })).rejects.toThrow(/must be https/);
  for (const pageUrl of ['ankify', 'https://ankify.example/page', 'https://ankify.example/?x', 'ftp://x']) {
    await expect(startPage({ ...options, pageUrl })).rejects.toThrow(/pageUrl must be an origin/);
  }
  const port = Number(new URL(service.origin).port);
  await expect(startPage({ ...options, pageUrl: service.origin, port })).rejects.toThrow(
    /ANKIFY_PAGE_PORT: \d+ is in use/,
  );
});
