/**
 * Dynamically registered clients without a database: the issued `client_id` carries its own metadata under a MAC
 * (RFC 7591 App. A.5.2). A flood of registrations stores nothing, a restart forgets nobody, and the issuer inside the
 * key keeps an id of one deployment worthless at another.
 */
import { randomBytes } from 'node:crypto';
import type { Keyring } from '../../sealing/keyring.ts';
import type { Client, ClientAuthMethod, ClientResolver } from './client.ts';

/** What a registration is issued as (RFC 7591 §3.2.1). */
export interface IssuedClient {
  readonly clientId: string;
  /** For a confidential client; shown once. */
  readonly clientSecret?: string;
}

/** Where registered clients live: in their own ids (the default), or in the records. */
export interface ClientRegistry {
  issue(registration: Registration, now: number): Promise<IssuedClient>;
  readonly resolve: ClientResolver;
  /** A client with this id was just given tokens. Any id may come. */
  used?(clientId: string): Promise<void>;
}

export interface Registration {
  readonly name?: string;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly authMethod: ClientAuthMethod;
}

/** Grant types a registered client may have, in the order of their bits in the id. */
const grantTypeBits = ['authorization_code', 'refresh_token'] as const;
const authMethods: readonly ClientAuthMethod[] = ['none', 'client_secret_basic', 'client_secret_post'];

/** So that the authorize URL, which carries the id, stays below 8,000 characters. */
export const maxClientIdLength = 3072;

/** Registrations that nothing stores. They cannot end one by one: who must lose all of them changes the secret. */
export function statelessRegistry(keyring: Keyring): ClientRegistry {
  return {
    async issue(registration, now) {
      const clientId = issueClientId(keyring, registration, now);
      const confidential = registration.authMethod !== 'none';
      return { clientId, ...(confidential && { clientSecret: clientSecret(keyring, clientId) }) };
    },
    resolve: async (clientId) => readClientId(keyring, clientId),
  };
}

/** A new id for every registration, even of the same metadata (RFC 7591 §3.2.1 with erratum 7782). */
export function issueClientId(keyring: Keyring, registration: Registration, now: number): string {
  const grantTypes = grantTypeBits.reduce(
    (bits, type, i) => bits | (registration.grantTypes.includes(type) ? 1 << i : 0),
    0,
  );
  const payload = [
    now,
    randomBytes(9).toString('base64url'),
    grantTypes,
    authMethods.indexOf(registration.authMethod),
    registration.name ?? '',
    ...registration.redirectUris,
  ];
  const encoded = Buffer.from(JSON.stringify(payload), 'utf8').toString('base64url');
  return `dcr_${keyring.currentKeyId}.${encoded}.${keyring.mac('client-id', encoded)}`;
}

/** The client of an id that we issued; undefined for any other text. */
export function readClientId(keyring: Keyring, clientId: string): Client | undefined {
  if (clientId.length > maxClientIdLength) return undefined;
  const match = /^dcr_([A-Za-z0-9]{1,16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/.exec(clientId);
  if (!match) return undefined;
  const [, keyId = '', encoded = '', mac = ''] = match;
  if (!keyring.verifyMac('client-id', encoded, mac, keyId)) return undefined;
  // Everything below was written by `issueClientId`: the MAC says so.
  const [, , grantTypes, authMethod, name, ...redirectUris] = JSON.parse(
    Buffer.from(encoded, 'base64url').toString('utf8'),
  ) as [number, string, number, number, string, ...string[]];
  return {
    id: clientId,
    source: 'registered',
    ...(name !== '' && { name }),
    redirectUris,
    grantTypes: grantTypeBits.filter((_, i) => grantTypes & (1 << i)),
    // Either way of sending a secret, whichever was registered: the MCP SDK does not always keep to its own choice.
    authMethods: authMethods[authMethod] === 'none' ? ['none'] : ['client_secret_basic', 'client_secret_post'],
    ...(authMethods[authMethod] !== 'none' && {
      verifySecret: (secret: string) => isClientSecret(keyring, clientId, secret),
    }),
    proven: false,
  };
}

/** The secret of a confidential client, derived from its id: nothing to store, and really verified. */
export function clientSecret(keyring: Keyring, clientId: string): string {
  return `ghs_${keyring.currentKeyId}.${keyring.mac('client-secret', clientId)}`;
}

function isClientSecret(keyring: Keyring, clientId: string, secret: string): boolean {
  const match = /^ghs_([A-Za-z0-9]{1,16})\.([A-Za-z0-9_-]{43})$/.exec(secret);
  return match !== null && keyring.verifyMac('client-secret', clientId, match[2] ?? '', match[1] ?? '');
}
