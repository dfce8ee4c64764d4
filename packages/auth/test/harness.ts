/** A whole authorization server in memory, a browser for it, and an identity provider that signs in whom it is told. */
import { createHash, randomBytes } from 'node:crypto';
import { type Records, RecordsUnavailableError } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import {
  type AuthRecords,
  authKinds,
  type GatehouseOptions,
  gatehouse,
  type HttpReply,
  type HttpRequest,
  type Identity,
  type IdentityProvider,
  IdentityProviderError,
  type LogEvent,
  type ProviderToken,
} from '../src/gatehouse.ts';

export const issuer = 'https://auth.example';
export const resource = 'https://auth.example/mcp';
export const secret = { id: 'k1', secret: 'an operator secret of thirty-two bytes or more' };

/** Signs in whom `identity` names; `fail` makes the next sign-in fail. */
export interface FakeIdentityProvider extends IdentityProvider {
  identity: Identity;
  groups: readonly string[];
  emailDomain: string | null | undefined;
  /** The provider's own access token. */
  accessToken: ProviderToken | undefined;
  /** What `finish` gives as the session; undefined: the provider cannot be asked again. */
  session: string | undefined;
  fail: IdentityProviderError | undefined;
  readonly started: Array<{ state: string; nonce: string; codeVerifier: string; redirectUri: string }>;
}

export function fakeIdentityProvider(): FakeIdentityProvider {
  const provider: FakeIdentityProvider = {
    name: 'Example Login',
    identity: { issuer: 'https://idp.example', subject: 'person-1' },
    groups: [],
    emailDomain: undefined,
    accessToken: undefined,
    session: undefined,
    fail: undefined,
    started: [],
    async start(binding, redirectUri) {
      provider.started.push({ ...binding, redirectUri });
      return `https://idp.example/authorize?state=${binding.state}`;
    },
    async finish(query, binding) {
      if (provider.fail) throw provider.fail;
      if (query.has('error')) throw new IdentityProviderError('idp.answered.access_denied', { transient: false });
      // The binding that comes back is the one that went out, or the server mixed two sign-ins up.
      if (!provider.started.some(({ nonce, state }) => nonce === binding.nonce && state === binding.state)) {
        throw new IdentityProviderError('idp.invalid.nonce', { transient: false });
      }
      const { identity, groups, emailDomain, accessToken, session } = provider;
      return {
        identity,
        groups,
        ...(emailDomain !== undefined && { emailDomain }),
        ...(accessToken && { accessToken }),
        ...(session !== undefined && { session }),
      };
    },
  };
  return provider;
}

type Kind = keyof AuthRecords & string;
type Verb = 'get' | 'create' | 'replace' | 'take' | 'list';

/** Memory records whose calls are counted and can be made to fail: `away` as an outage, `contended` as a lost race. */
export interface Database extends Records<AuthRecords> {
  /** Told of every call; what it gives back happens instead. */
  interfere: ((verb: Verb, kind: Kind) => 'away' | 'contended' | undefined) | undefined;
  /** `get keySet` and the like, in order. */
  readonly calls: string[];
  /** All that is stored, as text: what somebody who reads the database sees. */
  dump(): Promise<string>;
}

export function database(now: () => number): Database {
  const records = memoryRecords<AuthRecords>({ kinds: authKinds, now });
  const meddle = (verb: Verb, kind: Kind): boolean => {
    self.calls.push(`${verb} ${kind}`);
    const what = self.interfere?.(verb, kind);
    if (what === 'away') throw new RecordsUnavailableError('the database is away');
    return what === 'contended';
  };
  const self: Database = {
    interfere: undefined,
    calls: [],
    async get(kind, id) {
      meddle('get', kind);
      return records.get(kind, id);
    },
    async create(kind, id, value, expiresAt) {
      return !meddle('create', kind) && records.create(kind, id, value, expiresAt);
    },
    async replace(kind, was, value, expiresAt) {
      return !meddle('replace', kind) && records.replace(kind, was, value, expiresAt);
    },
    async take(kind, id) {
      meddle('take', kind);
      return records.take(kind, id);
    },
    async list(kind, filter, after) {
      meddle('list', kind);
      return records.list(kind, filter, after);
    },
    close: () => records.close(),
    async dump() {
      const kinds = Object.keys(authKinds) as Kind[];
      const pages = await Promise.all(kinds.map((kind) => records.list(kind, { limit: 1000 })));
      return JSON.stringify(pages.flatMap(({ items }, at) => items.map((item) => ({ kind: kinds[at], ...item }))));
    },
  };
  return self;
}

export function startHarness(options: Partial<GatehouseOptions> = {}) {
  const clock = { seconds: 1_800_000_000 };
  const now = () => clock.seconds;
  const events: LogEvent[] = [];
  const identityProvider = fakeIdentityProvider();
  const records = database(now);
  const server = gatehouse({
    issuer,
    resources: [
      {
        uri: resource,
        name: 'Example tools',
        scopes: { read: 'read your things', write: 'change your things' },
        defaultScope: ['read'],
      },
    ],
    identityProvider,
    records,
    secrets: [secret],
    log: (event) => events.push(event),
    now,
    ...options,
  });
  return { server, records, clock, events, identityProvider, browser: () => browser(server.handle) };
}

/** A second instance on the same records, secrets and clock. */
export function secondInstance({ records, clock, events, identityProvider }: Harness): Harness {
  const other = startHarness({
    records,
    now: () => clock.seconds,
    log: (event) => events.push(event),
    identityProvider,
  });
  return { ...other, records, clock, events, identityProvider };
}

/**
 * How a refusal looks from both sides: status and code as the world sees them (JSON, page or redirect), and the private
 * reason of the event that was logged last.
 */
export function refusal(
  { events }: Pick<Harness, 'events'>,
  reply: HttpReply | undefined,
): [status: number | undefined, code: unknown, reason: string | undefined] {
  const reason = events.at(-1)?.reason;
  if (!reply) return [undefined, undefined, reason];
  const { location, 'content-type': type } = reply.headers;
  if (typeof location === 'string') return [reply.status, new URL(location).searchParams.get('error'), reason];
  if (type === 'application/json') return [reply.status, parsed(reply).error, reason];
  return [reply.status, /<code>([^<]*)<\/code>/.exec(reply.body)?.[1], reason];
}

export type Harness = ReturnType<typeof startHarness>;

type Handle = (request: HttpRequest) => Promise<HttpReply | undefined>;

/** One request with everything but the path left out. */
export function request(
  path: string,
  init: Partial<Omit<HttpRequest, 'body'>> & { body?: string | Uint8Array } = {},
): HttpRequest {
  const [pathname = '', query = ''] = path.split('?', 2);
  const { body = '', ...rest } = init;
  return {
    method: 'GET',
    path: pathname,
    query,
    headers: {},
    ...rest,
    body: typeof body === 'string' ? Buffer.from(body) : body,
  };
}

export function form(
  path: string,
  fields: Readonly<Record<string, string | undefined>>,
  headers: HttpRequest['headers'] = {},
): HttpRequest {
  const set = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(set).toString(),
  });
}

/** A browser that keeps cookies, as plain data. */
export function browser(handle: Handle) {
  const cookies = new Map<string, string>();
  const send = async (sent: HttpRequest): Promise<HttpReply> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await handle({ ...sent, headers: { ...sent.headers, ...(cookie && { cookie }) } });
    if (!reply) throw new Error(`not our path: ${sent.path}`);
    for (const line of [reply.headers['set-cookie'] ?? []].flat()) {
      const [pair = ''] = line.split(';');
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    return reply;
  };
  return { cookies, send };
}

export function parsed(reply: HttpReply | undefined): Record<string, unknown> {
  return JSON.parse(reply?.body ?? 'null') as Record<string, unknown>;
}

/** A hidden field of a page. */
export function hidden(reply: HttpReply, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(reply.body)?.[1] ?? '';
}

export function pkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export const redirectUri = 'http://127.0.0.1:7777/callback';

export async function registerClient(
  { server }: Pick<Harness, 'server'>,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, unknown> & { client_id: string }> {
  const reply = await server.handle(
    request('/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Test client', redirect_uris: [redirectUri], ...metadata }),
    }),
  );
  return parsed(reply) as Record<string, unknown> & { client_id: string };
}

export function authorizePath(
  clientId: string,
  challenge: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state: 'client-state',
    scope: 'read write',
    resource,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  };
  const set = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `/authorize?${new URLSearchParams(set)}`;
}

/** What a browser sends along with our own form. */
export const sameOrigin = { origin: issuer, 'sec-fetch-site': 'same-origin' } as const;

/** Through consent to the identity provider; gives the state it was sent. */
export async function consented(
  harness: Harness,
  clientId: string,
  challenge: string,
  changes: Readonly<Record<string, string | undefined>> = {},
) {
  const person = harness.browser();
  const page = await person.send(request(authorizePath(clientId, challenge, changes)));
  const reply = await person.send(
    form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin),
  );
  const location = new URL(String(reply.headers.location));
  return { person, page, state: location.searchParams.get('state') ?? '' };
}

/** The whole way to a code; gives what came back to the client. */
export async function authorized(
  harness: Harness,
  clientId: string,
  challenge: string,
  changes: Readonly<Record<string, string | undefined>> = {},
) {
  const { person, state } = await consented(harness, clientId, challenge, changes);
  const reply = await person.send(request(`/callback?code=idp-code&state=${state}`));
  return new URL(String(reply.headers.location));
}

export interface TokenAnswer {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
  readonly expires_in: number;
}

/** A client with an unspent code, and `redeem`, which redeems it with any field changed. */
export async function withCode(
  harness: Harness,
  metadata: Readonly<Record<string, unknown>> = {},
  changes: Readonly<Record<string, string | undefined>> = {},
) {
  const client = await registerClient(harness, metadata);
  const { verifier, challenge } = pkce();
  const back = await authorized(harness, client.client_id, challenge, changes);
  const code = back.searchParams.get('code') ?? '';
  const fields = {
    grant_type: 'authorization_code',
    client_id: client.client_id,
    client_secret: client.client_secret as string | undefined,
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
    resource,
  };
  const redeem = (changed: Readonly<Record<string, string | undefined>> = {}) =>
    harness.server.handle(form('/token', { ...fields, ...changed }));
  return { client, code, verifier, fields, redeem };
}

/** A signed-in client and `refresh`, which refreshes with any field changed. */
export async function withTokens(
  harness: Harness,
  metadata: Readonly<Record<string, unknown>> = {},
  asked: Readonly<Record<string, string | undefined>> = {},
) {
  const signed = await signedIn(harness, metadata, asked);
  const { client, tokens } = signed;
  const refresh = (changed: Readonly<Record<string, string | undefined>> = {}, server = harness.server) =>
    server.handle(
      form('/token', {
        grant_type: 'refresh_token',
        client_id: client.client_id,
        client_secret: client.client_secret as string | undefined,
        refresh_token: tokens.refresh_token,
        ...changed,
      }),
    );
  return { ...signed, refresh };
}

/** Registers, signs in, redeems: the parsed token response and what is needed to go on. */
export async function signedIn(
  harness: Harness,
  metadata: Readonly<Record<string, unknown>> = {},
  asked: Readonly<Record<string, string | undefined>> = {},
) {
  const { client, code, verifier, redeem } = await withCode(harness, metadata, asked);
  const reply = await redeem();
  return { client, code, verifier, redeem, reply, tokens: parsed(reply) as unknown as TokenAnswer };
}
