/**
 * Dynamically registered clients in the records (RFC 7591), for who wants to list them and end one: short ids, secrets
 * kept as digests, gone when nobody used them. The default needs no database, see registered.ts.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Kinds, Records, Stored } from '@mcp-gatehouse/records';
import type { Client, ClientAuthMethod } from './client.ts';
import type { ClientRegistry } from './registered.ts';

export interface RegisteredClient {
  readonly name?: string;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly authMethod: ClientAuthMethod;
  /** SHA-256 as base64url; of 256 random bits, so that it needs no slow hash. */
  readonly secretDigest?: string;
  /** Seconds since the epoch. */
  readonly createdAt: number;
  /** To the day. */
  readonly usedAt?: number;
}

// A type and not an interface: RecordMap wants an index signature, which an interface lacks.
export type RegisteredClientRecords = { registeredClient: RegisteredClient };

export const registeredClientKinds: Kinds<RegisteredClientRecords> = { registeredClient: {} };

export interface StoredRegistryOptions {
  readonly records: Records<RegisteredClientRecords>;
  readonly now: () => number;
  /** A client that got no token for this long is forgotten: 30 days unless told. */
  readonly unusedSeconds?: number;
}

/** One write a client a day, however often it is given tokens. */
const renewEverySeconds = 24 * 3600;

/** The prefix is that of all registered clients, so that no configured one can take it; a stateless id has dots. */
const idForm = /^dcr_[A-Za-z0-9_-]{22}$/;

export function storedRegistry({
  records,
  now,
  unusedSeconds = 30 * 24 * 3600,
}: StoredRegistryOptions): ClientRegistry {
  return {
    async issue({ name, redirectUris, grantTypes, authMethod }, createdAt) {
      const clientId = `dcr_${randomBytes(16).toString('base64url')}`;
      const clientSecret = authMethod === 'none' ? undefined : `ghs_${randomBytes(32).toString('base64url')}`;
      const created = await records.create(
        'registeredClient',
        clientId,
        {
          ...(name !== undefined && { name }),
          redirectUris,
          grantTypes,
          authMethod,
          ...(clientSecret !== undefined && { secretDigest: sha256(clientSecret).toString('base64url') }),
          createdAt,
        },
        createdAt + unusedSeconds,
      );
      if (!created) throw new Error('128 random bits came twice.');
      return { clientId, ...(clientSecret !== undefined && { clientSecret }) };
    },
    async resolve(clientId) {
      // What is no id of ours costs no read, and whatever bytes it holds never reach the database.
      const stored = idForm.test(clientId) ? await records.get('registeredClient', clientId) : undefined;
      return stored && clientOf(stored);
    },
    async used(clientId) {
      const stored = idForm.test(clientId) ? await records.get('registeredClient', clientId) : undefined;
      // Kept for a day more than promised at every write, so that on the days between none is needed.
      const promised = now() + unusedSeconds;
      if (!stored || (stored.value.usedAt !== undefined && (stored.expiresAt ?? promised) >= promised)) return;
      // Lost to another write, it was renewed by that one.
      await records.replace(
        'registeredClient',
        stored,
        { ...stored.value, usedAt: now() },
        promised + renewEverySeconds,
      );
    },
  };
}

function clientOf({ id, value }: Stored<RegisteredClient>): Client {
  const { name, redirectUris, grantTypes, secretDigest } = value;
  const expected = secretDigest === undefined ? undefined : Buffer.from(secretDigest, 'base64url');
  return {
    id,
    source: 'registered',
    ...(name !== undefined && { name }),
    redirectUris,
    grantTypes,
    // Either way of sending a secret, whichever was registered: the MCP SDK does not always keep to its own choice.
    authMethods: expected ? ['client_secret_basic', 'client_secret_post'] : ['none'],
    ...(expected && { verifySecret: (secret: string) => timingSafeEqual(expected, sha256(secret)) }),
    proven: false,
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
