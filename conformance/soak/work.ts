/** The pieces of work of a soak: what people, clients, broken clients and strangers do, each with the answers it may get. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { authorize, redeem, refresh, register, type Tokens, token } from '../harness/client.ts';
import { person, type SoakedGateway } from './gateway.ts';

export interface Session {
  readonly clientId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Milliseconds since the epoch. */
  readonly refreshedAt: number;
}

export interface Scene {
  readonly gateway: SoakedGateway;
  /** Who is signed in; whoever works with one takes it out and puts it back. */
  readonly sessions: Session[];
  /** In [0, 1). */
  readonly random: () => number;
}

/** What was wrong, in words; undefined: as it should be. */
export type Work = (scene: Scene) => Promise<string | undefined>;

/** More would only say the same. */
const mostSessions = 200;
/** Access tokens live 900 s. */
const renewAfterMs = 600_000;

/** By name, with how often each comes relative to the others. */
export const works: Readonly<Record<string, readonly [weight: number, work: Work]>> = {
  'whole flow': [4, wholeFlow],
  refresh: [10, withSession(renewed)],
  call: [40, withSession(called)],
  stream: [8, withSession(streamed)],
  'aborted client': [10, withSession(aborted)],
  'slow reader': [4, withSession(readSlowly)],
  malformed: [12, malformed],
  registration: [8, registered],
  flood: [2, withSession(flooded)],
  revocation: [2, revoked],
};

/** As many as a guard remembers (`cacheSize` in packages/auth/src/resource-server/guard.ts). */
const rememberedTokens = 10_000;

/** Makes and uses as many access tokens as are ever remembered, each about 2 KB, so that they do not look like a leak. */
export async function fillCaches(scene: Scene, workers: number): Promise<void> {
  const { gateway, sessions } = scene;
  let left = rememberedTokens;
  const fill = async () => {
    await wholeFlow(scene);
    let session = sessions.pop() as Session;
    while (left-- > 0) {
      const next = await renewed(scene, session);
      if (typeof next === 'string') throw new Error(next);
      const wrong = await called(scene, next);
      if (wrong !== undefined) throw new Error(wrong);
      session = next;
    }
    sessions.push(session);
  };
  await Promise.all(Array.from({ length: workers }, fill)).catch(async (error: unknown) => {
    await gateway.close();
    throw error;
  });
}

async function wholeFlow({ gateway, sessions }: Scene): Promise<string | undefined> {
  const authorized = await authorize(gateway.issuer, gateway.resource, gateway.signInOrigin, person);
  const response = await redeem(gateway.issuer, authorized);
  if (response.status !== 200) return `redeeming: ${response.status} ${await response.text()}`;
  keep(sessions, sessionOf(authorized.clientId, (await response.json()) as Tokens));
  return undefined;
}

function sessionOf(clientId: string, { access_token, refresh_token }: Tokens): Session {
  return { clientId, accessToken: access_token, refreshToken: refresh_token, refreshedAt: Date.now() };
}

function keep(sessions: Session[], session: Session): void {
  if (sessions.length < mostSessions) sessions.push(session);
}

/** With a session that nobody else has meanwhile and whose token is good; what comes back is kept. */
function withSession(work: (scene: Scene, session: Session) => Promise<string | Session | undefined>): Work {
  return async (scene) => {
    const { sessions, random } = scene;
    const [taken] = sessions.splice(Math.floor(random() * sessions.length), 1);
    if (!taken) return wholeFlow(scene);
    const old = Date.now() - taken.refreshedAt > renewAfterMs;
    const session = old ? await renewed(scene, taken) : taken;
    if (typeof session === 'string') return session;
    const done = await work(scene, session);
    if (typeof done === 'string') return done;
    keep(sessions, done ?? session);
    return undefined;
  };
}

async function renewed({ gateway }: Scene, { clientId, refreshToken }: Session): Promise<string | Session> {
  const response = await refresh(gateway.issuer, clientId, refreshToken);
  if (response.status !== 200) return `refreshing: ${response.status} ${await response.text()}`;
  return sessionOf(clientId, (await response.json()) as Tokens);
}

function post(gateway: SoakedGateway, { accessToken }: Session, body: string): Promise<Response> {
  return fetch(gateway.resource, { method: 'POST', body, headers: { authorization: `Bearer ${accessToken}` } });
}

async function called({ gateway }: Scene, session: Session): Promise<string | undefined> {
  const response = await post(gateway, session, '{"jsonrpc":"2.0","id":1,"method":"ping"}');
  const text = await response.text();
  return response.status === 200 && text.includes('result') ? undefined : `a call: ${response.status} ${text}`;
}

async function streamed({ gateway }: Scene, { accessToken }: Session): Promise<string | undefined> {
  const response = await fetch(gateway.resource, { headers: { authorization: `Bearer ${accessToken}` } });
  const events = (await response.text()).split('\n\n').length - 1;
  return response.status === 200 && events === 20 ? undefined : `a stream: ${response.status}, ${events} events`;
}

/** Leaves in its request, before its answer, or in it. */
async function aborted({ gateway, random }: Scene, { accessToken }: Session): Promise<undefined> {
  const req = request({
    port: gateway.port,
    path: '/mcp',
    method: 'POST',
    agent: false,
    headers: { authorization: `Bearer ${accessToken}`, 'content-length': '6' },
  });
  req.on('error', () => {});
  const closed = new Promise((resolve) => req.once('close', resolve));
  req.on('response', (res) => {
    res.on('error', () => {});
    res.resume();
  });
  req.write('eve');
  const moment = random();
  if (moment > 0.3) req.end('nts');
  await pause(moment * 120);
  req.destroy();
  await closed;
  return undefined;
}

/** A megabyte, a little now and then. */
async function readSlowly({ gateway }: Scene, { accessToken }: Session): Promise<string | undefined> {
  const req = request({
    port: gateway.port,
    path: '/mcp',
    method: 'POST',
    agent: false,
    headers: { authorization: `Bearer ${accessToken}` },
  }).end('large');
  const [res] = await once(req, 'response');
  let read = 0;
  for await (const chunk of res) {
    read += (chunk as Buffer).length;
    await pause(10);
  }
  return read === 1024 * 1024 ? undefined : `a slow reader: ${res.statusCode}, ${read} bytes`;
}

const badLines = [
  'NONSENSE\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`,
  'POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n',
  'POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
  'GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a.b.c\r\nConnection: close\r\n\r\n',
  `GET /authorize?${'a=b&'.repeat(2000)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
];

/** Bytes as they are; and requests that are HTTP, and wrong. */
async function malformed({ gateway, random }: Scene): Promise<string | undefined> {
  const at = Math.floor(random() * (badLines.length + 3));
  const line = badLines[at];
  if (line === undefined) {
    const garbage = randomBytes(2048).toString('latin1');
    const wrong = [
      () =>
        fetch(`${gateway.issuer}/register`, {
          method: 'POST',
          body: '{"redirect_uris": [',
          headers: { 'content-type': 'application/json' },
        }),
      () =>
        token(gateway.issuer, {
          grant_type: 'refresh_token',
          client_id: garbage.slice(0, 200),
          refresh_token: garbage,
        }),
      () => fetch(`${gateway.issuer}/callback?state=${encodeURIComponent(garbage.slice(0, 100))}&code=x`),
    ][at - badLines.length] as () => Promise<Response>;
    const response = await wrong();
    await response.arrayBuffer();
    return response.status >= 400 && response.status < 500 ? undefined : `a wrong request: ${response.status}`;
  }
  const socket = connect(gateway.port, '127.0.0.1');
  let heard = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (heard.length < 32) heard += chunk.toString('latin1');
  });
  socket.write(line);
  await once(socket, 'close');
  return /^(HTTP\/1\.1 4\d\d|$)/.test(heard) ? undefined : `bytes that are wrong: ${heard.slice(0, 32)}`;
}

async function registered({ gateway, random }: Scene): Promise<undefined> {
  await register(gateway.issuer, { client_name: `Soak ${Math.floor(random() * 1e9)}` });
  return undefined;
}

/** With one refresh token that is none, and with one access token that is: more calls at once than a caller may have. */
async function flooded({ gateway }: Scene, session: Session): Promise<string | undefined> {
  const forged = randomBytes(40).toString('base64url');
  const fields = { grant_type: 'refresh_token', client_id: 'nobody', refresh_token: forged };
  const statuses = async (count: number, ask: () => Promise<Response>) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const response = await ask();
        await response.arrayBuffer();
        return response.status;
      }),
    );
  const [forgeries, calls] = await Promise.all([
    statuses(100, () => token(gateway.issuer, fields)),
    statuses(130, () => post(gateway, session, 'late')),
  ]);
  const wrong =
    forgeries.find((status) => ![400, 401, 429].includes(status)) ??
    calls.find((status) => ![200, 429].includes(status));
  return wrong === undefined ? undefined : `in a flood: ${wrong}`;
}

async function revoked({ gateway, sessions }: Scene): Promise<string | undefined> {
  // A few stay, or there is nobody left to be somebody else.
  const session = sessions.length > 20 ? sessions.shift() : undefined;
  if (!session) return undefined;
  const { status } = await fetch(`${gateway.issuer}/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: session.clientId, token: session.refreshToken }),
  });
  if (status !== 200) return `revoking: ${status}`;
  const after = await refresh(gateway.issuer, session.clientId, session.refreshToken);
  return after.status === 400 ? undefined : `a revoked token: ${after.status}`;
}
