/** An authorization server with everything this folder tests switched on, one guard, and makers of signed assertions. */
import { generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto';
import type { Records } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { CompactSign } from 'jose';
import { authorizationServer } from '../../src/authorization-server/authorization-server.ts';
import { browserCookie } from '../../src/authorization-server/browser.ts';
import type { ClientResolver } from '../../src/authorization-server/clients/client.ts';
import { type ConfiguredClient, configuredClients } from '../../src/authorization-server/clients/configured.ts';
import { statelessRegistry } from '../../src/authorization-server/clients/registered.ts';
import {
  type StoredRegistryOptions,
  storedRegistry,
} from '../../src/authorization-server/clients/stored-registration.ts';
import { identitySessions } from '../../src/authorization-server/identity-session.ts';
import { defaultLifetimes, type Parts } from '../../src/authorization-server/parts.ts';
import { singleUse } from '../../src/authorization-server/single-use.ts';
import { type AuthRecords, authKinds, type LogEvent } from '../../src/gatehouse.ts';
import { endpointPaths } from '../../src/oauth/metadata.ts';
import { knownPrivateUseSchemes } from '../../src/oauth/redirect-uri.ts';
import type { Resource } from '../../src/oauth/resource.ts';
import { guard } from '../../src/resource-server/guard.ts';
import { keyring } from '../../src/sealing/keyring.ts';
import { localSigner } from '../../src/signers/local.ts';
import { browser, fakeIdentityProvider, form, issuer, resource, secret } from '../harness.ts';

export type ServerRecords = AuthRecords;
export const serverKinds = authKinds;

export const tools: Resource = {
  uri: resource,
  name: 'Example tools',
  scopes: { read: 'read your things', write: 'change your things' },
  defaultScope: ['read'],
};

export interface ServerOptions {
  readonly records?: Records<ServerRecords>;
  readonly clock?: { seconds: number };
  readonly resources?: readonly Resource[];
  readonly clients?: readonly ConfiguredClient[];
  /** Asked after the configured ones. */
  readonly otherClients?: ClientResolver;
  readonly assertionIssuers?: Parts['assertionIssuers'];
  readonly stored?: Partial<StoredRegistryOptions>;
  readonly registrationBudget?: NonNullable<Parts['registrationBudget']>;
}

export function startServer(options: ServerOptions = {}) {
  const { clock = { seconds: 1_800_000_000 }, resources = [tools], clients = [], assertionIssuers = [] } = options;
  const now = () => clock.seconds;
  const records = options.records ?? memoryRecords<ServerRecords>({ kinds: serverKinds, now });
  const events: LogEvent[] = [];
  const keys = keyring(issuer, [secret]);
  const signer = localSigner({ records, keyring: keys, now });
  const paths = endpointPaths(issuer);
  const registry = options.stored ? storedRegistry({ records, now, ...options.stored }) : statelessRegistry(keys);
  const configured = configuredClients(clients);
  const parts: Parts = {
    issuer,
    paths,
    callbackUrl: issuer + paths.callback,
    resources,
    records,
    keyring: keys,
    signer,
    identityProvider: fakeIdentityProvider(),
    resolveClient: async (id) =>
      (await configured(id)) ?? (await registry.resolve(id)) ?? (await options.otherClients?.(id)),
    browserCookie: browserCookie(issuer, 3600),
    privateUseSchemes: knownPrivateUseSchemes,
    allowsRedirect: () => true,
    registrationOpen: true,
    lifetimes: { ...defaultLifetimes, unconfirmedSeconds: defaultLifetimes.grantSeconds },
    log: (event) => events.push(event),
    now,
    singleUse: singleUse(records, now),
    machineClients: true,
    metadataDocuments: false,
    mayIntrospect: () => [],
    introspectors: false,
    grantEnded: () => {},
    background: () => {},
    sessions: identitySessions({
      records,
      keyring: keys,
      identityProvider: fakeIdentityProvider(),
      lifetimes: defaultLifetimes,
      grantEnded: () => {},
      log: () => {},
      now,
    }),
    assertionIssuers,
    registry,
    ...(options.registrationBudget && { registrationBudget: options.registrationBudget }),
  };
  const server = authorizationServer(parts);
  const tokenGuard = guard({
    issuer,
    resource: tools,
    keys: signer,
    grantAlive: async (id) => (await records.get('grant', id))?.value.endedAt === undefined,
    now,
  });
  const token = (
    fields: Readonly<Record<string, string | undefined>>,
    headers: Readonly<Record<string, string>> = {},
  ) => server.handle(form('/token', fields, headers));
  return { server, records, clock, events, token, guard: tokenGuard, browser: () => browser(server.handle) };
}

export type Server = ReturnType<typeof startServer>;

export interface Key {
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JsonWebKey;
}

export function newKey(algorithm: 'ES256' | 'RS256' | 'PS256' | 'EdDSA' = 'ES256', kid = 'key-1'): Key {
  const { privateKey, publicKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : algorithm === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { algorithm, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } };
}

export type Claims = Readonly<Record<string, unknown>>;

/** A signed JWT; a header or claim of `undefined` is left out. */
export async function jwt(key: Key, claims: Claims, header: Claims = {}): Promise<string> {
  const protectedHeader = { alg: key.algorithm, kid: key.jwk.kid as string, ...header };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader(JSON.parse(JSON.stringify(protectedHeader)) as { alg: string })
    .sign(key.privateKey);
}

/** A JWT with any header and any signature, as an attacker writes one. */
export function forged(
  header: Claims,
  claims: Claims,
  sign: (input: string) => Buffer = () => Buffer.alloc(0),
): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${sign(input).toString('base64url')}`;
}

/** The claims of a good client assertion. */
export function clientClaims(clientId: string, { clock }: Pick<Server, 'clock'>, changes: Claims = {}): Claims {
  const now = clock.seconds;
  return { iss: clientId, sub: clientId, aud: issuer, exp: now + 60, iat: now, jti: randomUUID(), ...changes };
}

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
export const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export function decodedPart(token: unknown, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(String(token).split('.')[part] ?? '', 'base64url').toString('utf8')) as Record<
    string,
    unknown
  >;
}
