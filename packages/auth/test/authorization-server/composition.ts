/** The harness with the endpoints of this folder's youngest tests on the same records: revocation, introspection, the person's page. */
import { type Records, RecordsUnavailableError } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { browserCookie } from '../../src/authorization-server/browser.ts';
import type { Client, ClientResolver } from '../../src/authorization-server/clients/client.ts';
import { readClientId } from '../../src/authorization-server/clients/registered.ts';
import { connections } from '../../src/authorization-server/endpoints/connections.ts';
import { introspect } from '../../src/authorization-server/endpoints/introspect.ts';
import { revoke } from '../../src/authorization-server/endpoints/revoke.ts';
import { issuedTokenReader } from '../../src/authorization-server/issued-token.ts';
import { errorPage } from '../../src/authorization-server/pages/error.ts';
import { type PersonRecords, personKinds, personSessions } from '../../src/authorization-server/person-session.ts';
import { type RevocationOptions, revocation } from '../../src/authorization-server/revocation.ts';
import {
  type AuthRecords,
  authKinds,
  defaultLifetimes,
  type HttpReply,
  type HttpRequest,
  type LogEvent,
  type Resource,
} from '../../src/gatehouse.ts';
import { OAuthError, unavailable } from '../../src/oauth/error.ts';
import { type Endpoint, jsonError } from '../../src/oauth/http.ts';
import { queryParameters } from '../../src/oauth/parameters.ts';
import { grantStates } from '../../src/resource-server/grant-states.ts';
import { guard } from '../../src/resource-server/guard.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { localSigner } from '../../src/signers/local.ts';
import { browser, fakeIdentityProvider, issuer as harnessIssuer, resource, secret, startHarness } from '../harness.ts';

export const otherResource = 'https://auth.example/other';

export const resources: readonly Resource[] = [
  { uri: resource, name: 'Example tools', scopes: { read: 'read your things', write: 'change your things' } },
  { uri: otherResource, scopes: { look: 'look around' } },
];

type AllRecords = AuthRecords & PersonRecords;
type Verb = 'get' | 'create' | 'replace' | 'take' | 'list';

/** Memory records that can be away, or lose every race, for one verb and kind. */
export interface Database extends Records<AllRecords> {
  interfere: ((verb: Verb, kind: string) => 'away' | 'contended' | undefined) | undefined;
}

function database(now: () => number): Database {
  const records = memoryRecords<AllRecords>({ kinds: { ...authKinds, ...personKinds }, now });
  const away = (verb: Verb, kind: string): boolean => {
    const what = self.interfere?.(verb, kind);
    if (what === 'away') throw new RecordsUnavailableError('the database is away');
    return what === 'contended';
  };
  const self: Database = {
    interfere: undefined,
    async get(kind, id) {
      away('get', kind);
      return records.get(kind, id);
    },
    async create(kind, id, value, expiresAt) {
      return !away('create', kind) && records.create(kind, id, value, expiresAt);
    },
    async replace(kind, was, value, expiresAt) {
      return !away('replace', kind) && records.replace(kind, was, value, expiresAt);
    },
    async take(kind, id) {
      away('take', kind);
      return records.take(kind, id);
    },
    async list(kind, filter, after) {
      away('list', kind);
      return records.list(kind, filter, after);
    },
    close: () => records.close(),
  };
  return self;
}

export interface CompositionOptions extends Pick<RevocationOptions, 'endSession'> {
  readonly clients?: readonly Client[];
  readonly mayIntrospect?: (client: Client) => readonly string[];
  /** Where the server is; the harness's own address unless told. */
  readonly issuer?: string;
}

/** Everything on one database and one clock; `secondGuard` is the guard of another instance. */
export function compose(options: CompositionOptions = {}) {
  const { clients = [], mayIntrospect = () => [], endSession, issuer = harnessIssuer } = options;
  const clock = { seconds: 1_800_000_000 };
  const now = () => clock.seconds;
  const events: LogEvent[] = [];
  const log = (event: LogEvent) => {
    events.push(event);
  };
  const records = database(now);
  const identityProvider = fakeIdentityProvider();
  const started = startHarness({
    records: records as unknown as Records<AuthRecords>,
    issuer,
    resources,
    identityProvider,
    log,
    now,
  });
  const keys = keyring(issuer, [secret]);
  const signer = localSigner({ records: records as unknown as Records<AuthRecords>, keyring: keys, now });
  const resolveClient: ClientResolver = async (id) =>
    clients.find((client) => client.id === id) ?? readClientId(keys, id);
  const readIssuedToken = issuedTokenReader({ issuer, resources, signer, now });
  const states = () =>
    grantStates({
      read: async (id) => {
        const stored = await records.get('grant', id);
        return stored !== undefined && stored.value.endedAt === undefined;
      },
      now,
      freshSeconds: 5,
      staleSeconds: 60,
      size: 100,
    });
  const [mine, theirs] = [states(), states()];
  const guardOn = (grantAlive: typeof mine) =>
    guard({ issuer, resource: resources[0] as Resource, keys: signer, grantAlive, now });
  const guards = { here: guardOn(mine), elsewhere: guardOn(theirs) };
  const endGrant = revocation({
    records,
    lifetimes: defaultLifetimes,
    log,
    now,
    grantEnded: mine.ended,
    ...(endSession && { endSession }),
  });
  const page = connections({
    issuer,
    paths: { connections: '/connections', connectionsChange: '/connections/change' },
    callbackUrl: `${issuer}/callback`,
    resources,
    records,
    keyring: keys,
    identityProvider,
    browserCookie: browserCookie(issuer, 3600),
    sessions: personSessions({ issuer, records, keyring: keys, lifetimes: defaultLifetimes, now }),
    endGrant,
    log,
    now,
  });
  const routes: Readonly<Record<string, readonly ['api' | 'page', Endpoint]>> = {
    'POST /revoke': ['api', revoke({ keyring: keys, resolveClient, log, endGrant, readIssuedToken })],
    'POST /introspect': ['api', introspect({ records, resolveClient, log, readIssuedToken, mayIntrospect })],
    'GET /connections': ['page', page.show],
    'POST /connections/change': ['page', page.change],
  };

  async function handle(request: HttpRequest): Promise<HttpReply | undefined> {
    const [face, endpoint] = routes[`${request.method} ${request.path}`] ?? ['page', undefined];
    try {
      if (endpoint) return await endpoint(request);
      const back = request.path === '/callback' && (await page.signedIn(request, queryParameters(request)));
      return back || (await started.server.handle(request));
    } catch (thrown) {
      const error = thrown instanceof RecordsUnavailableError ? unavailable('records.unavailable', thrown) : thrown;
      if (!(error instanceof OAuthError)) throw error;
      log({ event: 'refused', path: request.path, status: error.status, reason: error.reason });
      return face === 'api' ? jsonError(error) : errorPage({ ...error, title: 'Refused', description: error.message });
    }
  }

  return {
    ...started,
    // What the harness's own helpers use: their requests go through the same door.
    server: { ...started.server, handle },
    records,
    clock,
    events,
    identityProvider,
    guards,
    keyring: keys,
    signer,
    browser: () => browser(handle),
  };
}

export type Composition = ReturnType<typeof compose>;

/** As much of a harness as its helpers need. */
export function asHarness(composition: Composition) {
  return composition as unknown as ReturnType<typeof startHarness>;
}

/** A client that the operator configured, with a secret. */
export function configuredClient(id: string, changes: Partial<Client> = {}): Client {
  return {
    id,
    source: 'configured',
    redirectUris: [],
    grantTypes: [],
    authMethods: ['client_secret_basic', 'client_secret_post'],
    proven: true,
    verifySecret: (text) => text === `${id}-secret`,
    ...changes,
  };
}
