/** How connections to targets are made: TLS that is believed or not, sockets, time limits, numbers, and the operator's own headers (SEC-07, SEC-11). */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { certificate } from '../../auth/test/net/servers.ts';
import { injectionFault } from '../src/proxy/injected-headers.ts';
import { openTarget, type TargetOptions, targetFaults } from '../src/proxy/target.ts';
import { type Forwarding, startForwarding } from './forwarding.ts';
import { type Answer, ask, begin, message, open } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const cleanUp: Array<() => Promise<unknown> | unknown> = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
function later<T extends { close(): Promise<void> }>(opened: T): T {
  cleanUp.push(() => opened.close());
  return opened;
}

const through = async (options: TargetOptions, changes: Parameters<typeof startForwarding>[1] = {}) =>
  later(await startForwarding(openTarget(options), changes));

/** The answer to a GET, and what the log would say of it. */
async function asked(forwarding: Forwarding): Promise<{ answer: Answer; cause: string }> {
  const answer = await ask(forwarding.port, message('GET /'));
  await forwarding.untilOver(1);
  const [outcome] = forwarding.outcomes;
  return { answer, cause: outcome && 'cause' in outcome ? String(outcome.cause) : '' };
}

describe('TLS', () => {
  const own = certificate('target.test', '127.0.0.1');
  const elsewhere = certificate('elsewhere.test');
  const expired = own.cert.slice(0, 60);

  async function secure(tls: object = own) {
    const server = createTlsServer(tls, (req, res) => {
      const { servername } = req.socket as { servername?: unknown };
      res.end(JSON.stringify({ servername, host: req.headers.host }));
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return `https://127.0.0.1:${(server.address() as { port: number }).port}/mcp`;
  }

  it('a certificate that nobody vouches for is not believed, and the log names tls.ca', async () => {
    const { answer, cause } = await asked(await through({ url: await secure() }));
    expect(answer.body.toString()).toBe('unreachable');
    expect(cause).toMatch(/^the target’s certificate is signed by itself: give it as tls\.ca \(/);
  });

  it('with it as tls.ca it is, and a connection is encrypted', async () => {
    const { answer } = await asked(await through({ url: await secure(), tls: { ca: own.cert } }));
    expect(answer.status).toBe(200);
  });

  it('NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing', async () => {
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    cleanUp.push(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
    expect((await asked(await through({ url: await secure() }))).answer.body.toString()).toBe('unreachable');
  });

  it('a certificate for another name is not believed, unless that name is configured', async () => {
    const url = await secure(elsewhere);
    const { answer, cause } = await asked(await through({ url, tls: { ca: elsewhere.cert } }));
    expect(answer.body.toString()).toBe('unreachable');
    expect(cause).toMatch(/tls\.serverName/);
    const named = await asked(await through({ url, tls: { ca: elsewhere.cert, serverName: 'elsewhere.test' } }));
    expect(named.answer.json()).toMatchObject({ servername: 'elsewhere.test', host: new URL(url).host });
  });

  it('any certificate, for who says so in a word that is hard to miss', async () => {
    const tls = { dangerouslyAcceptAnyCertificate: true };
    expect((await asked(await through({ url: await secure(), tls }))).answer.status).toBe(200);
  });

  it('a target that asks who calls is shown tls.cert, and refuses whoever has none', async () => {
    const url = await secure({ ...own, ca: elsewhere.cert, requestCert: true, maxVersion: 'TLSv1.2' });
    const { answer, cause } = await asked(await through({ url, tls: { ca: own.cert } }));
    expect(answer.body.toString()).toBe('unreachable');
    expect(cause).toMatch(/give tls\.cert and tls\.key/);
    const shown = { ca: own.cert, cert: elsewhere.cert, key: elsewhere.key };
    expect((await asked(await through({ url, tls: shown }))).answer.status).toBe(200);
  });

  it('a target without TLS behind https:// is named as such', async () => {
    const plain = later(await startTarget());
    const { cause } = await asked(await through({ url: plain.url.replace('http:', 'https:') }));
    expect(cause).toMatch(/does not speak TLS .*http:\/\//);
  });

  it('what cannot work is refused at the start, by its path and without its value', () => {
    const faults = (tls: TargetOptions['tls'], url = 'https://a.example/') => targetFaults({ url, tls });
    expect(faults({ ca: own.cert, cert: own.cert, key: own.key })).toEqual([]);
    expect(faults({ ca: expired })).toEqual(['tls.ca: is no certificate in PEM']);
    expect(faults({ ca: 'nonsense', cert: own.cert })).toEqual([
      'tls.ca: is no certificate in PEM',
      'tls.cert: needs its key, tls.key',
    ]);
    expect(faults({ key: own.key })).toEqual(['tls.key: needs its certificate, tls.cert']);
    expect(faults({ cert: own.cert, key: elsewhere.key })).toEqual(['tls.key: is not the key of tls.cert']);
    expect(faults({ cert: own.cert, key: own.key.replace(/\w{8}/, '!') })[0]).toMatch(/^tls\.key: /);
    expect(faults({ serverName: 'a b' })).toEqual(['tls.serverName: is no host name']);
    expect(faults({ ca: own.cert }, 'http://a.example/')).toEqual([
      'tls: is for targets whose URL begins with https://',
    ]);
    expect(() => openTarget({ url: 'https://a.example/', tls: { ca: 'x' } })).toThrow(TypeError);
  });
});

it('a target behind a socket in the file system', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-socket-'));
  const socketPath = join(folder, 'target.sock');
  const server = createServer((req, res) => void res.end(req.headers.host)).listen(socketPath);
  await once(server, 'listening');
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const { answer } = await asked(await through({ url: 'http://tools.internal/mcp', socketPath }));
  expect([answer.status, answer.body.toString()]).toEqual([200, 'tools.internal']);
});

describe('time limits', () => {
  /** Takes connections and says nothing, ever. */
  async function mute(): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => void sockets.add(socket.on('error', () => {}).resume()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  it('a connection that is not made in time', async () => {
    const { answer, cause } = await asked(await through({ url: `https://${await mute()}/`, connectSeconds: 1 }));
    expect(answer.body.toString()).toBe('timed_out');
    expect(cause).toContain('connectSeconds');
  });

  it('an answer that does not begin in time', async () => {
    const { answer, cause } = await asked(await through({ url: `http://${await mute()}/`, answerSeconds: 1 }));
    expect(answer.body.toString()).toBe('timed_out');
    expect(cause).toContain('answerSeconds');
  });

  it('an answer that stops in the middle is broken off', async () => {
    const target = later(await startTarget());
    target.answer = (_, res) => void res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    const forwarding = await through({ url: target.url, idleSeconds: 1 });
    const { req, answer } = begin(forwarding.port, { path: '/' });
    req.end();
    const stream = await answer;
    stream.on('data', () => {});
    await expect(once(stream, 'end')).rejects.toThrow();
    await forwarding.untilOver(1);
    expect(forwarding.outcomes[0]).toEqual({ outcome: 'cut', cause: expect.stringContaining('idleSeconds') });
    expect(target.inFlight).toBe(0);
  });
});

describe('numbers', () => {
  it('where connections are limited there are no more, and who waits in vain is told within the time', async () => {
    const target = later(await startTarget());
    const forwarding = await through({ url: target.url, connections: 2, connectSeconds: 1 });
    const held = [];
    for (let at = 0; at < 2; at++) {
      const arrived = target.arrival();
      const { req } = begin(forwarding.port, { method: 'POST', path: '/' });
      req.end('held');
      held.push(await arrived);
    }
    const refused = await ask(forwarding.port, message('POST /', [['Content-Length', '2']], '{}'));
    expect(refused.body.toString()).toBe('target_busy');
    expect(target.openConnections).toBe(2);
    // Streams have their own: nobody who listens keeps anybody from calling, or the other way round.
    expect((await ask(forwarding.port, message('GET /'))).status).toBe(200);
    // One that waits gets the place that becomes free, and one that goes while it waits is sent nowhere.
    const socket = await open(forwarding.port);
    socket.write(message('POST /', [['Content-Length', '4']], 'gone'));
    await forwarding.untilCome(5);
    const waiting = ask(forwarding.port, message('POST /', [['Content-Length', '2']], '{}'));
    socket.destroy();
    await forwarding.untilOver(3);
    for (const { res } of held) res.end();
    expect((await waiting).status).toBe(200);
    expect(target.seen.map(({ method, body }) => [method, String(body)])).toEqual([
      ['GET', ''],
      ['POST', '{}'],
    ]);
  });
});

describe('the operator’s own headers', () => {
  const key = 'the-operator-s-own-key';

  async function seen(sent: ReadonlyArray<readonly [string, string]>, inPlace = {}): Promise<{ target: Target }> {
    const target = later(await startTarget());
    const headers = { 'X-Api-Key': key, Authorization: 'Bearer of-the-operator', X_Tenant: '7' };
    const forwarding = await through({ url: target.url, headers }, { inPlace });
    const answer = await ask(forwarding.port, message('GET /', sent));
    expect([answer.status, JSON.stringify(answer.headers)]).toEqual([200, expect.not.stringContaining(key)]);
    return { target };
  }

  it.each([
    ['nothing', []],
    ['the same name', [['x-api-key', 'a']]],
    [
      'the same name, spelled otherwise, and twice',
      [
        ['X-API-KEY', 'a'],
        ['x-Api-Key', 'b'],
      ],
    ],
    [
      'the name of a header the CGI way',
      [
        ['X_Api_Key', 'a'],
        ['X-Tenant', '8'],
        ['x_tenant', '8'],
      ],
    ],
    [
      'the name among those of its connection',
      [
        ['Connection', 'close, x-api-key, authorization'],
        ['X-Api-Key', 'a'],
      ],
    ],
    ['a token', [['Authorization', 'Bearer of-the-client']]],
  ] as ReadonlyArray<[string, Array<[string, string]>]>)(
    'go to the target, once, whatever a client sends: %s',
    async (_, sent) => {
      const { target } = await seen(sent);
      const { rawHeaders = [] } = target.seen[0] ?? {};
      const all = Array.from({ length: rawHeaders.length / 2 }, (__, at) => rawHeaders.slice(at * 2, at * 2 + 2));
      const own = all.filter(([name = '']) => /^(x[-_](api[-_]key|tenant)|authorization)$/i.test(name));
      expect(own).toEqual([
        ['X-Api-Key', key],
        ['Authorization', 'Bearer of-the-operator'],
        ['X_Tenant', '7'],
      ]);
    },
  );

  it('yield to what was judged', async () => {
    const { target } = await seen([], { 'x-api-key': undefined });
    expect(target.seen[0]?.headers).not.toHaveProperty('x-api-key');
  });

  it.each([
    ['Content-Length', '5'],
    ['transfer_encoding', 'chunked'],
    ['Connection', 'close'],
    ['Host', 'other.example'],
    ['Mcp-Method', 'tools/list'],
    ['X-Gatehouse-Subject', 'root'],
    ['x_gatehouse_secret', 'a'],
    ['X-Forwarded-For', '1.2.3.4'],
    ['X Y', 'a'],
    ['', 'a'],
    ['X-A', ''],
    ['X-A', 'a\r\nX-B: b'],
    ['X-A', ' a'],
    ['X-A', 'a\0'],
    ['X-A', '€'],
    ['X-A', 'a'.repeat(9000)],
  ])('%j: %j is refused at the start, without its value', (name, value) => {
    const fault = injectionFault(name, value);
    expect(fault).toBeDefined();
    if (value.length > 8) expect(fault).not.toContain(value);
    expect(() => openTarget({ url: 'http://a.example/', headers: { [name]: value } })).toThrow(TypeError);
  });
});
