/** What is sent to a target a second time, and what never is: a call must not run twice (RFC 9110 §9.2.2; REL-02). */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { retryPauseMs } from '../src/proxy/retry.ts';
import { openTarget } from '../src/proxy/target.ts';
import { type Forwarding, startForwarding } from './forwarding.ts';
import { freePort } from './harness.ts';
import { ask, begin, message } from './raw-http.ts';
import { bodyOf } from './target.ts';

const cleanUp: Array<() => Promise<unknown> | unknown> = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** A target that counts what it hears and does with each connection what the test says. */
async function countingTarget(onRequest: (socket: Socket, count: number, chunk: Buffer) => void, port = 0) {
  const heard: string[] = [];
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      heard.push(chunk.toString('latin1').split(' ')[0] ?? '');
      onRequest(socket, heard.length, chunk);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => server.close());
  return { heard, url: `http://127.0.0.1:${(server.address() as { port: number }).port}/mcp` };
}

async function forwardingTo(url: string, changes: Parameters<typeof startForwarding>[1] = {}): Promise<Forwarding> {
  const forwarding = await startForwarding(openTarget({ url }), changes);
  cleanUp.push(() => forwarding.close());
  return forwarding;
}

/** Resolves once a connection has been refused. */
function refusal(): Promise<void> {
  return new Promise((resolve) => {
    const told = () => {
      unsubscribe('undici:client:connectError', told);
      resolve();
    };
    subscribe('undici:client:connectError', told);
  });
}

const answered = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const kinds = {
  GET: message('GET /'),
  HEAD: message('HEAD /'),
  'POST with a length': message('POST /', [['Content-Length', '2']], '{}'),
  'POST in chunks': message('POST /', [['Transfer-Encoding', 'chunked']], '2\r\n{}\r\n0\r\n\r\n'),
  DELETE: message('DELETE /'),
};

describe('a connection that cannot be opened', () => {
  it.each(Object.entries(kinds).filter(([kind]) => kind !== 'HEAD'))(
    'is tried again, for %s, and the request runs once',
    async (_, request) => {
      const port = await freePort();
      const forwarding = await forwardingTo(`http://127.0.0.1:${port}/mcp`);
      const refused = refusal();
      const asking = ask(forwarding.port, request);
      await refused;
      const { heard } = await countingTarget((socket) => void socket.write(answered), port);
      expect((await asking).status).toBe(200);
      expect(heard.filter((word) => /^[A-Z]+$/.test(word))).toHaveLength(1);
    },
  );

  it('and a message that was read before is sent whole', async () => {
    const port = await freePort();
    const body = Buffer.from('{"judged":true}');
    const inPlace = { 'content-length': String(body.length) };
    const forwarding = await forwardingTo(`http://127.0.0.1:${port}/mcp`, { body, inPlace });
    const refused = refusal();
    const asking = ask(forwarding.port, message('POST /', [['Content-Length', '2']], '{}'));
    await refused;
    let told = '';
    await countingTarget((socket, _, chunk) => {
      told += String(chunk);
      if (told.endsWith(String(body))) socket.write(answered);
    }, port);
    expect((await asking).status).toBe(200);
    expect(told).toMatch(/^POST \/mcp .*content-length: 15\r\n.*\r\n\{"judged":true\}$/s);
  });

  it('but not for ever', async () => {
    const forwarding = await forwardingTo(`http://127.0.0.1:${await freePort()}/mcp`);
    expect((await ask(forwarding.port, kinds['POST in chunks'])).body.toString()).toBe('unreachable');
    expect(forwarding.outcomes).toEqual([{ outcome: 'unreachable', cause: expect.stringContaining('ECONNREFUSED') }]);
  });

  it('nor for a client that has gone', async () => {
    const port = await freePort();
    const forwarding = await forwardingTo(`http://127.0.0.1:${port}/mcp`);
    const { req } = begin(forwarding.port, { method: 'POST', path: '/' });
    const refused = refusal();
    req.end('{}');
    await refused;
    req.destroy();
    await forwarding.untilOver(1);
    const { heard } = await countingTarget((socket) => void socket.write(answered), port);
    await pause(400);
    expect([heard, forwarding.outcomes]).toEqual([[], [expect.objectContaining({ outcome: 'cut' })]]);
  });
});

describe('a connection that breaks after it was written to', () => {
  const breaks: ReadonlyArray<readonly [string, (socket: Socket) => void]> = [
    ['closed', (socket) => void socket.end()],
    ['reset', (socket) => void socket.resetAndDestroy()],
  ];
  it.each(breaks)('%s: GET and HEAD are asked once more, and no other method', async (_, broken) => {
    for (const [kind, request] of Object.entries(kinds)) {
      const { heard, url } = await countingTarget((socket) => broken(socket));
      const forwarding = await forwardingTo(url);
      await ask(forwarding.port, request).catch(() => {});
      await forwarding.untilOver(1);
      expect([kind, forwarding.outcomes[0]?.outcome]).toEqual([kind, 'unreachable']);
      // A body that comes behind its head is heard for itself.
      const times = heard.filter((word) => /^(GET|HEAD|POST|DELETE)$/.test(word)).length;
      expect([kind, times]).toEqual([kind, /GET|HEAD/.test(kind) ? 2 : 1]);
    }
  });

  it.each(breaks)('%s while it was kept: the call that meets it is never repeated, a GET is', async (_, broken) => {
    const { heard, url } = await countingTarget((socket, count) =>
      count === 2 ? broken(socket) : void socket.write(answered),
    );
    const forwarding = await forwardingTo(url);
    for (const status of [200, 502, 200]) expect((await ask(forwarding.port, message('POST /'))).status).toBe(status);
    expect(heard).toEqual(['POST', 'POST', 'POST']);
    const other = await countingTarget((socket, count) => (count === 2 ? broken(socket) : void socket.write(answered)));
    const reading = await forwardingTo(other.url);
    for (let at = 0; at < 2; at++) expect((await ask(reading.port, kinds.GET)).status).toBe(200);
    expect(other.heard).toEqual(['GET', 'GET', 'GET']);
  });

  it.each([
    ['the head', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n'],
    ['half the answer', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'],
    ['an interim answer', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['what is no answer', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
  ])('after %s: nothing is asked again, not even by GET', async (_, words) => {
    for (const request of [kinds.GET, kinds['POST with a length']]) {
      const { heard, url } = await countingTarget((socket) => void socket.end(words));
      const forwarding = await forwardingTo(url);
      await ask(forwarding.port, request).catch(() => {});
      await forwarding.untilOver(1);
      expect(heard).toHaveLength(1);
    }
  });
});

it('a target that restarts again and again while it is called: no call runs twice, and none is lost in silence', async () => {
  const runs = new Map<string, number>();
  const start = async (port = 0) => {
    const server = createHttpServer(async (req, res) => {
      const id = String(await bodyOf(req).catch(() => ''));
      runs.set(id, (runs.get(id) ?? 0) + 1);
      res.end(id);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const stop = async (server: Awaited<ReturnType<typeof start>>) => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  let target = await start();
  const { port } = target.address() as { port: number };
  const forwarding = await forwardingTo(`http://127.0.0.1:${port}/mcp`);
  let stopped = false;
  const restarts = (async () => {
    for (let round = 0; round < 8; round++) {
      await pause(30);
      await stop(target);
      target = await start(port);
    }
    stopped = true;
  })();
  const done: Array<readonly [id: string, status: number, body: string]> = [];
  const callers = Array.from({ length: 8 }, async (_, caller) => {
    for (let at = 0; !stopped; at++) {
      const id = `call ${caller}.${at}`;
      const said = await ask(forwarding.port, message('POST /', [['Content-Length', String(id.length)]], id)).catch(
        () => undefined,
      );
      done.push([id, said?.status ?? 0, said?.body.toString() ?? '']);
    }
  });
  await Promise.all([restarts, ...callers]);
  cleanUp.push(() => stop(target));
  expect(done.filter(([, status]) => status === 200).length).toBeGreaterThan(8);
  expect([...runs].filter(([, count]) => count > 1)).toEqual([]);
  for (const [id, status, body] of done) {
    if (status === 200) expect([body, runs.get(id)]).toEqual([id, 1]);
    else expect([0, 502]).toContain(status);
  }
});

it('what a second attempt would not mend is not tried again', () => {
  const failed = { attempt: 1, begun: false, heard: false, method: 'POST', hasBody: false };
  const coded = (code: string) => Object.assign(new Error(code), { code });
  const lasting = ['UND_ERR_CONNECT_TIMEOUT', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'EACCES'];
  for (const code of lasting) expect(retryPauseMs({ ...failed, error: coded(code) })).toBeUndefined();
  for (const code of ['ECONNREFUSED', 'EAI_AGAIN', 'ENOTFOUND']) {
    expect([1, 2, 3].map((attempt) => retryPauseMs({ ...failed, attempt, error: coded(code) }))).toEqual([
      50,
      250,
      undefined,
    ]);
  }
  const several = new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]);
  expect(retryPauseMs({ ...failed, error: several })).toBe(50);
  const late = { ...failed, begun: true, method: 'GET', error: coded('UND_ERR_HEADERS_TIMEOUT') };
  expect(retryPauseMs(late)).toBeUndefined();
  const closed = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
  expect([false, true].map((hasBody) => retryPauseMs({ ...late, error: closed, hasBody }))).toEqual([0, undefined]);
});
