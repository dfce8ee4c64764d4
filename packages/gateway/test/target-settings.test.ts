/** What a configuration says of time, numbers and sizes at a target, and of the figures: as clients, load balancers and the log see it (REL-02, SEC-10, RS-21). */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, begin, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const paths = ['/slow', '/narrow', '/silent', '/small', '/ruled', '/watched', '/plain'] as const;
type Path = (typeof paths)[number];

let target: Target;
let watched: Target;
let gateway: TestGateway;
const people = new Map<Path, SignedIn>();

beforeAll(async () => {
  [target, watched] = await Promise.all([startTarget(), startTarget()]);
  const at = (path: Path) => `${target.url}${path}`;
  gateway = await startGateway(
    [
      { path: '/slow', target: { url: `${at('/slow')}?key=1`, answerSeconds: 1, idleSeconds: 1 } },
      { path: '/narrow', target: { url: at('/narrow'), connections: 1, connectSeconds: 1 } },
      { path: '/silent', target: at('/silent'), keepAliveSeconds: 1 },
      { path: '/small', target: at('/small'), maxMessageBytes: 1024 },
      { path: '/ruled', target: at('/ruled'), maxMessageBytes: 2048, tools: { '*': {} } },
      {
        path: '/watched',
        target: { url: `${watched.url}/mcp?key=of-the-operator`, healthCheck: { path: '/alive', everySeconds: 1 } },
      },
      { path: '/plain', target: { url: at('/plain'), healthCheck: { everySeconds: 60 } } },
    ],
    { metrics: { port: 0 } },
  );
  for (const path of paths) people.set(path, await signIn({ issuer: gateway.issuer, path }));
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([target?.close(), watched?.close()]);
});
beforeEach(() => {
  target.seen.length = 0;
});

const authorization = (path: Path) => (people.get(path) as SignedIn).authorization;
const post = (path: Path, body = '{"jsonrpc":"2.0","id":1,"method":"ping"}') =>
  fetch(gateway.url(path), {
    method: 'POST',
    headers: { ...authorization(path), 'content-type': 'application/json' },
    body,
  });
const errorOf = async (answer: Response) => {
  const { error } = (await answer.json()) as { error?: unknown };
  return [answer.status, error, answer.headers.get('retry-after')];
};
const logged = (path: Path) => gateway.events.filter((one) => one.event === 'http.request' && one.path === path).at(-1);

describe('time', () => {
  it('an answer that does not begin within answerSeconds: 504, and the log has the setting', async () => {
    const arrived = target.arrival();
    const answer = post('/slow');
    const { res } = await arrived;
    expect(await errorOf(await answer)).toEqual([504, 'target_timed_out', null]);
    expect(logged('/slow')).toMatchObject({ outcome: 'timed_out', cause: expect.stringContaining('answerSeconds') });
    // Nobody waits for it any longer: the target is told.
    if (!res.closed) await once(res, 'close');
  });

  it('a stream that stops for idleSeconds is broken off, and no end is made up for it', async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { path: '/slow', headers: authorization('/slow') });
    req.end();
    const { res } = await arrived;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    const stream = await answer;
    stream.resume();
    await expect(once(stream, 'end')).rejects.toThrow();
    await vi.waitFor(() => expect(logged('/slow')).toMatchObject({ cause: expect.stringContaining('idleSeconds') }));
  });

  it('a stream is told of every keepAliveSeconds that pass in silence', async () => {
    const streams: IncomingMessage[] = [];
    const held: ServerResponse[] = [];
    for (const path of ['/silent', '/plain'] as const) {
      const arrived = target.arrival();
      const { req, answer } = begin(gateway.port, { path, headers: authorization(path) });
      req.end();
      const { res } = await arrived;
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      held.push(res);
      streams.push(await answer);
    }
    const [silent, plain] = streams.map((stream) => {
      const heard = { text: '' };
      stream.on('data', (chunk) => {
        heard.text += String(chunk);
      });
      return heard;
    });
    await vi.waitFor(() => expect(silent?.text).toMatch(/^data: 1\n\n(:\n\n){2,}$/), { timeout: 15_000 });
    // Unless told it is 20 seconds.
    expect(plain?.text).toBe('data: 1\n\n');
    for (const res of held) res.end();
  });
});

it('connections: who waits in vain for one is told when to come back; streams have their own', async () => {
  const arrived = target.arrival();
  const held = post('/narrow');
  const { res } = await arrived;
  expect(await errorOf(await post('/narrow'))).toEqual([503, 'target_busy', '2']);
  expect(logged('/narrow')).toMatchObject({ outcome: 'target_busy', status: 503 });
  expect(target.seen).toEqual([]);
  expect((await fetch(gateway.url('/narrow'), { headers: authorization('/narrow') })).status).toBe(200);
  expect((await post('/plain')).status, 'another target').toBe(200);
  res.end('{}');
  expect((await held).status).toBe(200);
  expect((await post('/narrow')).status).toBe(200);
});

describe('sizes', () => {
  const messageOf = (bytes: number) =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x'.repeat(bytes - 40) }).padEnd(bytes);

  it.each([
    ['/small', 1024],
    ['/ruled', 2048],
  ] as const)('%s: a message may have %i bytes and not one more', async (path, most) => {
    expect((await post(path, messageOf(most))).status).toBe(200);
    const refused = await post(path, messageOf(most + 1));
    const { error, error_description: words } = (await refused.json()) as Record<string, unknown>;
    expect([refused.status, error, words]).toEqual([413, 'payload_too_large', `A message may have ${most} bytes.`]);
    expect(target.seen).toHaveLength(1);
  });

  it.each(['/small', '/ruled'] as const)('%s: nor in pieces that do not say how many there are', async (path) => {
    const pieces = Array.from({ length: 30 }, () => `64\r\n${'x'.repeat(100)}\r\n`).join('');
    const headers: Array<[string, string]> = [
      ['Authorization', authorization(path).authorization],
      ['Content-Type', 'application/json'],
      ['Transfer-Encoding', 'chunked'],
    ];
    const answer = await ask(gateway.port, message(`POST ${path}`, headers, `${pieces}0\r\n\r\n`));
    expect([answer.status, answer.json().error]).toEqual([413, 'payload_too_large']);
    expect(target.seen).toEqual([]);
  });

  it('elsewhere it is 8 MiB', async () => {
    expect((await post('/plain', messageOf(3_000_000))).status).toBe(200);
    expect(target.seen[0]?.body.length).toBe(3_000_000);
  });
});

describe('a target whose health is looked at', () => {
  const ready = async () => {
    const answer = await fetch(gateway.url('/readyz'));
    return [answer.status, await answer.json()];
  };

  it('goes away and comes back: /readyz, clients and the log are told, and the target is left alone', async () => {
    expect((await post('/watched')).status).toBe(200);
    const well = watched.answer;
    let asked = 0;
    watched.answer = (req, res) => {
      if (req.url === '/alive') return res.writeHead(503).end();
      asked += 1;
      return well(req, res);
    };
    // Shown, and no reason to be taken out: the other targets go on.
    const away = { status: 'ok', records: 'ok', keys: 'ok', '/watched': 'away', '/plain': 'ok' };
    await vi.waitFor(async () => expect(await ready()).toEqual([200, away]), { timeout: 15_000, interval: 200 });
    expect(await errorOf(await post('/watched'))).toEqual([503, 'target_away', '10']);
    expect(asked).toBe(0);
    expect((await post('/plain')).status, 'another target').toBe(200);
    const said = gateway.events.filter(({ event }) => String(event).startsWith('target.'));
    expect(said).toEqual([
      { event: 'target.away', target: `${watched.url}/mcp`, cause: 'the health check is answered 503' },
    ]);
    watched.answer = well;
    await vi.waitFor(async () => expect(await ready()).toEqual([200, { ...away, '/watched': 'ok' }]), {
      timeout: 15_000,
      interval: 200,
    });
    expect((await post('/watched')).status).toBe(200);
    expect(gateway.events.filter(({ event }) => event === 'target.back')).toHaveLength(1);
    expect(JSON.stringify(gateway.events)).not.toContain('of-the-operator');
  });

  it('is asked by GET at its path, and by nobody’s name', () => {
    const probe = watched.seen.find(({ url }) => url === '/alive');
    expect(probe?.method).toBe('GET');
    expect(Object.keys(probe?.headers ?? {}).filter((name) => /authorization|x-gatehouse/.test(name))).toEqual([]);
  });
});

describe('the port of the figures', () => {
  const portOf = ({ events }: TestGateway) => events.find(({ event }) => event === 'gateway.metrics')?.port as number;

  it('is another one, and counts requests by resource and outcome, and nobody by name', async () => {
    expect((await post('/plain')).status).toBe(200);
    expect((await fetch(gateway.url('/metrics'))).status, 'at the gateway itself').toBe(404);
    const text = await (await fetch(`http://127.0.0.1:${portOf(gateway)}/metrics`)).text();
    for (const words of ['/plain', '/slow', 'gatehouse_']) expect(text).toContain(words);
    const { accessToken = '', clientId = '' } = people.get('/plain') ?? {};
    for (const words of [accessToken, clientId, 'ada', 'of-the-operator', target.url])
      expect(text).not.toContain(words);
  });

  it('is closed with the gateway', async () => {
    const other = await startGateway([{ path: '/mcp', target: target.url }], { metrics: { port: 0 } });
    const figures = portOf(other);
    expect((await fetch(`http://127.0.0.1:${figures}/metrics`)).status).toBe(200);
    await other.close();
    await expect(fetch(`http://127.0.0.1:${figures}/metrics`)).rejects.toThrow('fetch failed');
  });
});
