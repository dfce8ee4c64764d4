/** Clients that the operator lists: confidential ones, machines, and public ones with a name that somebody vouches for. */
import { createHash, createPublicKey, type JsonWebKey, timingSafeEqual } from 'node:crypto';
import { knownPrivateUseSchemes, redirectUriFault } from '../../oauth/redirect-uri.ts';
import { claimsFaults } from '../token-issuer.ts';
import type { Client, ClientAuthMethod, ClientResolver } from './client.ts';

/** A client with a secret, with keys, or public with neither. */
export interface ConfiguredClient {
  /** URL-safe characters, at most 128. */
  readonly id: string;
  readonly name?: string;
  /** At least 32 bytes; several while one replaces the other: each of them is accepted. */
  readonly secret?: string | readonly string[];
  /** Public keys for `private_key_jwt` (RFC 7517 §5). */
  readonly jwks?: { readonly keys: readonly JsonWebKey[] };
  /** Where its public keys are fetched. */
  readonly jwksUri?: string;
  /** For `authorization_code`: at least one. */
  readonly redirectUris?: readonly string[];
  /** `authorization_code` and `refresh_token` unless told. */
  readonly grantTypes?: readonly string[];
  /** The most it may ever be granted; left out: whatever the resource has. */
  readonly scope?: readonly string[];
  /** Further claims of the tokens it gets for itself (`client_credentials`). */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface ConfiguredClientsOptions {
  /** Fetches a client's keys under the rules for addresses that others chose; asked with the assertion's `kid`. */
  readonly fetchKeys?: (jwksUri: string) => NonNullable<Client['keys']>;
  readonly privateUseSchemes?: readonly string[];
}

export const jwtBearerGrantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const interactive = ['authorization_code', 'refresh_token'];
const grantTypes: readonly string[] = [...interactive, 'client_credentials', jwtBearerGrantType];
const minSecretBytes = 32;
const maxNameLength = 200;

/** Looks the id up in the list, which has no faults. */
export function configuredClients(
  list: readonly ConfiguredClient[],
  { fetchKeys }: ConfiguredClientsOptions = {},
): ClientResolver {
  // A Map: an id may be `__proto__`.
  const clients = new Map(list.map((configured) => [configured.id, clientOf(configured, fetchKeys)]));
  return async (clientId) => clients.get(clientId);
}

function clientOf(configured: ConfiguredClient, fetchKeys: ConfiguredClientsOptions['fetchKeys']): Client {
  const { id, name, jwks, jwksUri, redirectUris = [], scope, claims } = configured;
  const secrets = secretsOf(configured).map(sha256);
  const keys = jwks ? async () => jwks.keys : jwksUri !== undefined ? fetchKeys?.(jwksUri) : undefined;
  const confidential = secrets.length > 0 || keys !== undefined;
  return {
    id,
    source: 'configured',
    ...(name !== undefined && { name }),
    redirectUris,
    grantTypes: configured.grantTypes ?? interactive,
    authMethods: authMethodsOf(secrets.length > 0, keys !== undefined),
    // Anybody on the person's computer can use a public client's id with a loopback or private-use redirect URI, so
    // that the operator knows the client says nothing of who asks (OAuth 2.1 §7.3.1, SEC-05).
    proven: confidential || redirectUris.every((uri) => uri.startsWith('https://')),
    ...(secrets.length > 0 && {
      // Digests have one length, so that the comparison tells nothing of the secret's; every one is compared.
      verifySecret: (given: string) =>
        secrets.map((secret) => timingSafeEqual(secret, sha256(given))).some((same) => same),
    }),
    ...(keys && { keys }),
    ...(scope && { scope }),
    ...(claims && { claims }),
  };
}

function authMethodsOf(secret: boolean, keys: boolean): readonly ClientAuthMethod[] {
  if (secret) return ['client_secret_basic', 'client_secret_post'];
  return keys ? ['private_key_jwt'] : ['none'];
}

/** Everything wrong with the list, each with its path; empty: it can be used. */
export function configuredClientFaults(
  list: readonly ConfiguredClient[],
  { fetchKeys, privateUseSchemes = knownPrivateUseSchemes }: ConfiguredClientsOptions = {},
): readonly string[] {
  return list.flatMap((client, index) => {
    const at = `clients[${index}]`;
    const faults = [
      ...idFaults(client.id, list.findIndex(({ id }) => id === client.id) !== index),
      ...credentialFaults(client, fetchKeys !== undefined),
      ...grantTypeFaults(client),
      ...(client.redirectUris ?? []).flatMap((uri, i) => {
        const fault = redirectUriFault(uri, privateUseSchemes);
        return fault === undefined ? [] : [`redirectUris[${i}]: "${uri}" ${fault}`];
      }),
      ...(client.scope ?? [])
        .filter((token) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(token))
        .map((token) => `scope: "${token}" is no scope`),
      ...claimsFaults(client.claims ?? {}).map((fault) => `claims: ${fault}`),
    ];
    if (client.name !== undefined && (client.name === '' || client.name.length > maxNameLength)) {
      faults.push(`name: must have 1 to ${maxNameLength} characters`);
    }
    return faults.map((fault) => `${at}.${fault}`);
  });
}

function idFaults(id: string, repeated: boolean): readonly string[] {
  // Both ways of writing Basic credentials agree on these characters, and no URL and no issued id is made of them alone.
  if (!/^[A-Za-z0-9._~-]{1,128}$/.test(id))
    return [`id: "${id}" must have 1 to 128 letters, digits, ".", "_", "~", "-"`];
  if (id.startsWith('dcr_')) return [`id: "${id}" looks like one that registration issues ("dcr_")`];
  // A machine's `sub` is its id: it must never be able to stand for a person (RFC 9068 §5, RFC 9700 §4.15).
  if (/^[A-Za-z0-9_-]{43}$/.test(id)) return [`id: "${id}" has the form of a user's subject (43 base64url characters)`];
  return repeated ? [`id: "${id}" stands twice`] : [];
}

function credentialFaults(client: ConfiguredClient, canFetch: boolean): readonly string[] {
  const { secret, jwks, jwksUri } = client;
  const faults: string[] = [];
  if ([secret, jwks, jwksUri].filter((way) => way !== undefined).length > 1) {
    faults.push('secret, jwks, jwksUri: a client authenticates in one way');
  }
  if (Array.isArray(secret) && secret.length === 0) faults.push('secret: at least one is needed');
  for (const one of secretsOf(client)) {
    if (Buffer.byteLength(one, 'utf8') < minSecretBytes)
      faults.push(`secret: must have at least ${minSecretBytes} bytes`);
    // A percent sign would be read as an escape from a client that sends its Basic credentials raw.
    else if (!/^[\x21-\x24\x26-\x7e]+$/.test(one)) faults.push('secret: must be visible ASCII without "%"');
  }
  if (jwks) faults.push(...keyFaults(jwks.keys));
  if (jwksUri !== undefined) {
    if (!canFetch) faults.push('jwksUri: nothing to fetch it with was given');
    if (!/^https:\/\//.test(jwksUri) || !URL.canParse(jwksUri)) faults.push(`jwksUri: "${jwksUri}" is no https URL`);
  }
  return faults;
}

/** Found at the start and not at the first sign-in: a key that could never verify anything. */
function keyFaults(keys: readonly JsonWebKey[]): readonly string[] {
  if (!Array.isArray(keys) || keys.length === 0) return ['jwks.keys: at least one is needed'];
  return keys.flatMap((jwk: JsonWebKey, index) => {
    const at = `jwks.keys[${index}]`;
    if ('d' in jwk || 'k' in jwk) return [`${at}: is a private or shared key; list the public one`];
    try {
      const { asymmetricKeyType: type, asymmetricKeyDetails } = createPublicKey({ key: jwk, format: 'jwk' });
      const usable =
        type === 'ed25519' ||
        (type === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') ||
        (type === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048);
      return usable ? [] : [`${at}: must be P-256, Ed25519, or RSA of at least 2048 bits`];
    } catch {
      return [`${at}: is no public key`];
    }
  });
}

function grantTypeFaults(client: ConfiguredClient): readonly string[] {
  const { redirectUris = [], secret, jwks, jwksUri, claims } = client;
  const types = client.grantTypes ?? interactive;
  const faults = types
    .filter((type) => !grantTypes.includes(type))
    .map((type) => `grantTypes: "${type}" is not one of ${grantTypes.join(', ')}`);
  if (types.length === 0) faults.push('grantTypes: at least one is needed');
  const codes = types.includes('authorization_code');
  if (codes && redirectUris.length === 0) faults.push('redirectUris: authorization_code needs at least one');
  if (!codes && redirectUris.length > 0) faults.push('redirectUris: are of no use without authorization_code');
  if (!codes && types.includes('refresh_token')) faults.push('grantTypes: refresh_token needs authorization_code');
  const isPublic = secret === undefined && jwks === undefined && jwksUri === undefined;
  for (const type of ['client_credentials', jwtBearerGrantType]) {
    if (isPublic && types.includes(type)) faults.push(`grantTypes: ${type} needs a secret, jwks or jwksUri`);
  }
  if (claims && !types.includes('client_credentials')) faults.push('claims: are of no use without client_credentials');
  return faults;
}

function secretsOf({ secret }: ConfiguredClient): readonly string[] {
  if (secret === undefined) return [];
  return typeof secret === 'string' ? [secret] : secret;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
