/** The HTTP surface: download links, who may call, and bad input to every endpoint, which never gives a 5xx or hangs. */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxBodyBytes } from '../src/mcp-endpoint.ts';
import { type ServerRecords, serverKinds } from '../src/rooms.ts';
import { startAnkify } from '../src/server.ts';
import { animals, publicUrl, type Service, startService } from './service.ts';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('a download link', () => {
  async function link(user: string): Promise<{ url: string; deckId: string }> {
    const { call } = await service.client(user);
    const { data } = await call('create_deck', animals);
    return { url: data.download_url, deckId: data.deck_id };
  }

  test('ends after an hour with a page that says so', async () => {
    const { url } = await link('expiry');
    service.clock.seconds += 3599;
    expect((await service.download(url)).status).toBe(200);
    service.clock.seconds += 1;
    const expired = await service.download(url);
    expect(expired.status).toBe(410);
    expect(expired.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(expired.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await expired.text()).toContain('This link has expired. Ask Ankify to export the deck again');
  });

  test('is one version of the deck: an edited deck needs a new one', async () => {
    const { url, deckId } = await link('edited');
    const stored = await service.records.get('deck', deckId);
    if (!stored) throw new Error('no deck');
    await service.records.replace('deck', stored, { ...stored.value, version: 2 });
    const changed = await service.download(url);
    expect(changed.status).toBe(410);
    expect(await changed.text()).toContain('The deck has changed since this link was made');
  });

  test('is of one owner', async () => {
    const { url, deckId } = await link('owner');
    const stored = await service.records.get('deck', deckId);
    if (!stored) throw new Error('no deck');
    await service.records.replace('deck', stored, { ...stored.value, owner: 'somebody else' });
    expect((await service.download(url)).status).toBe(404);
  });

  test('cannot be changed in any character', async () => {
    const { url } = await link('tamper');
    const start = url.lastIndexOf('/') + 1;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let at = start; at < url.length - '.apkg'.length; at++) {
      const next = alphabet[(alphabet.indexOf(url[at] ?? '') + 1) % alphabet.length];
      const tampered = await service.download(url.slice(0, at) + next + url.slice(at + 1));
      expect([at, tampered.status]).toEqual([at, 404]);
    }
  });

  test('of another key, cut off, or made up is a 404 for people', async () => {
    const other = await startService({ linkKey: randomBytes(32) });
    const { data } = await (await other.client('x')).call('create_deck', animals);
    const { url } = await link('cut');
    await other.close();
    const base = `${publicUrl}/exports/`;
    for (const bad of [
      data.download_url,
      url.slice(0, -9),
      `${url}x`,
      base,
      `${base}.apkg`,
      `${base}a/b.apkg`,
      `${base}%00.apkg`,
      `${base}${'A'.repeat(99)}.apkg`,
    ]) {
      const response = await service.download(bad);
      expect([bad, response.status]).toEqual([bad, 404]);
      expect(await response.text()).toContain('This link is not valid');
    }
  });

  test('answers HEAD without a body, is not cached and leaves no referrer', async () => {
    const { url } = await link('head');
    const response = await service.download(url, 'HEAD');
    expect(response.status).toBe(200);
    expect(Number(response.headers.get('content-length'))).toBeGreaterThan(1000);
    expect(response.headers.get('cache-control')).toBe('private, no-store');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    expect((await response.bytes()).length).toBe(0);
  });
});

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
};

type Body = string | Uint8Array<ArrayBuffer>;

async function post(body: Body, headers: Record<string, string | undefined> = {}): Promise<Response> {
  const all = {
    ...service.headers('anna'),
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
  return fetch(`${service.ankify.url}/mcp`, { method: 'POST', headers: given, body });
}

describe('who may call', () => {
  const body = JSON.stringify(initialize);
  test.each([
    ['the gateway for a user', {}, 200],
    ['no secret', { 'x-gatehouse-secret': undefined }, 403],
    ['a wrong secret', { 'x-gatehouse-secret': 'wrong' }, 403],
    ['the secret, no user', { 'x-gatehouse-subject': undefined }, 401],
    ['the secret, an empty user', { 'x-gatehouse-subject': '' }, 401],
    ['a broken percent escape', { 'x-gatehouse-subject': '%zz' }, 401],
    ['a user of 513 bytes', { 'x-gatehouse-subject': 'x'.repeat(513) }, 401],
    ['no client', { 'x-gatehouse-client-id': undefined }, 401],
  ])('%s', async (_, headers, status) => {
    const response = await post(body, headers);
    expect(response.status).toBe(status);
    if (status !== 200) expect(await response.json()).toHaveProperty('error_description');
    else await response.text();
  });

  test('without a secret only a caller that uses a local name: a rebound web page cannot', async () => {
    const records = memoryRecords<ServerRecords>({ kinds: serverKinds });
    const open = await startAnkify({ records, publicUrl, linkKey: randomBytes(32) });
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        const headers = {
          ...service.headers('anna'),
          host,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        };
        const sent = request(`${open.url}/mcp`, { method: 'POST', headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        sent.on('error', reject);
        sent.end(body);
      });
    expect(await status('localhost:1')).toBe(200);
    expect(await status('gate.example')).toBe(200);
    expect(await status('evil.example')).toBe(403);
    await open.close();
  });

  test('it does not start where strangers could connect without a secret, nor with a weak key', async () => {
    const records = memoryRecords<ServerRecords>({ kinds: serverKinds });
    const linkKey = randomBytes(32);
    await expect(startAnkify({ records, publicUrl, linkKey, host: '0.0.0.0' })).rejects.toThrow(/secret is required/);
    await expect(startAnkify({ records, publicUrl, linkKey, secret: 'short' })).rejects.toThrow(/secret must have 16/);
    await expect(startAnkify({ records, publicUrl, linkKey: randomBytes(31) })).rejects.toThrow(/linkKey/);
    for (const bad of ['/ankify', 'ftp://x', 'https://x/?a=b', '']) {
      await expect(startAnkify({ records, publicUrl: bad, linkKey })).rejects.toThrow(/publicUrl/);
    }
  });
});

describe('bad input to /mcp', () => {
  const modern = { 'mcp-protocol-version': '2026-07-28' };
  const deep = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_deck","arguments":{"cards":${'['.repeat(100_000)}${']'.repeat(100_000)}}}}`;
  const call = (params: unknown) => JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  test.each<[string, Body, Record<string, string>, number[]]>([
    ['nothing', '', {}, [400]],
    ['no JSON', '{"jsonrpc":', {}, [400]],
    ['bad UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), {}, [400]],
    ['1 MB', `{"a":"${'x'.repeat(1024 * 1024)}"}`, {}, [413]],
    ['just too much', ' '.repeat(maxBodyBytes + 1), {}, [413]],
    ['another type', '{}', { 'content-type': 'text/plain' }, [415]],
    ['JSON that is no message', '[]', {}, [400]],
    ['null', 'null', {}, [400]],
    ['a number', '1', {}, [400]],
    ['an unknown method', JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'no/such' }), {}, [200, 400, 404]],
    ['an unknown tool', call({ name: 'no_such', arguments: {} }), {}, [200, 400, 404]],
    ['arguments that are none', call({ name: 'create_deck', arguments: 'x' }), {}, [200, 400]],
    [
      'arguments with __proto__',
      call({ name: 'list_decks', arguments: JSON.parse('{"__proto__":{"cursor":1}}') }),
      {},
      [200, 400],
    ],
    ['100,000 levels', deep, {}, [400]],
    ['100,000 levels, modern', deep, modern, [400]],
    ['an unknown version', JSON.stringify(initialize), { 'mcp-protocol-version': '1999-01-01' }, [200, 400]],
    ['a modern call without its envelope', call({ name: 'list_decks', arguments: {} }), modern, [200, 400]],
    ['500 messages', JSON.stringify(Array(500).fill(initialize)), {}, [200, 400]],
  ])('%s', async (_, body, headers, statuses) => {
    const response = await post(body, headers);
    await response.text();
    expect(statuses).toContain(response.status);
  });

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])('%s', async (method) => {
    const response = await fetch(`${service.ankify.url}/mcp`, { method, headers: service.headers('anna') });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  test('a client that stops in the middle leaves the server well', async () => {
    const socket = connect(Number(new URL(service.ankify.url).port), '127.0.0.1');
    const headers = Object.entries({ ...service.headers('anna'), 'content-type': 'application/json' });
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: x\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}content-length: 100\r\n\r\n{`,
    );
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    expect((await post(JSON.stringify(initialize))).status).toBe(200);
  });
});

describe('bad input to the other endpoints', () => {
  test.each([
    ['POST', '/healthz', 405],
    ['POST', '/exports/x.apkg', 405],
    ['DELETE', '/exports/x.apkg', 405],
    ['GET', '/', 404],
    ['GET', '/mcp/', 404],
    ['GET', '//mcp', 404],
    ['GET', `/${'a'.repeat(10_000)}`, 404],
    ['GET', `/exports/${'a'.repeat(10_000)}.apkg`, 404],
    ['GET', `/healthz?${'a'.repeat(10_000)}`, 200],
    ['GET', '/%ff%00', 404],
    ['POST', '/healthz', 405],
  ])('%s %s', async (method, path, status) => {
    const body = method === 'POST' ? 'x'.repeat(1024 * 1024) : null;
    const response = await fetch(service.ankify.url + path, { method, body });
    await response.text();
    expect(response.status).toBe(status);
  });

  test.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['a Host that is none', 'GET /healthz HTTP/1.1\r\nhost: a b<>\r\n\r\n', 200],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['an absolute target', 'GET http://x/healthz HTTP/1.1\r\nhost: x\r\n\r\n', 404],
    ['a header of 20 KB', `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    ['two lengths', 'POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 400],
  ])('%s', async (_, bytes, status) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(service.ankify.url).port), '127.0.0.1', () => socket.write(bytes));
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        if (text.includes('\r\n')) {
          resolve(text);
          socket.destroy();
        }
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test('with a Host that is none, /mcp still answers the gateway', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = {
        ...service.headers('anna'),
        host: 'a b<>',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      };
      const sent = request(`${service.ankify.url}/mcp`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(initialize));
    });
    expect(status).toBe(200);
  });
});

test('nothing above was a fault', () => {
  expect(service.events.filter((event) => event.event.endsWith('.failed'))).toEqual([]);
});
