/** A client as every endpoint sees it, wherever it came from (RFC 6749 §2, RFC 7591 §2). */
import type { JsonWebKey } from 'node:crypto';

export type ClientAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';

export interface ClientLogo {
  readonly type: string;
  readonly base64: string;
}

export interface Client {
  readonly id: string;
  readonly source: 'configured' | 'registered' | 'metadata-document';
  /** What it calls itself: a claim, unless `proven`. */
  readonly name?: string;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  /** Any one of these; `none` alone makes it a public client. */
  readonly authMethods: readonly ClientAuthMethod[];
  /** Whether somebody vouches for who this is; anybody can register any name. */
  readonly proven: boolean;
  /** In constant time; left out: the client has no secret. */
  readonly verifySecret?: (secret: string) => boolean;
  /** Public keys for `private_key_jwt`; asked with the assertion's `kid`, so that a rotated set is fetched again. */
  readonly keys?: (keyId: string | undefined) => Promise<readonly JsonWebKey[]>;
  /** Digest of its metadata document: a remembered consent is for this document and no other. */
  readonly documentDigest?: string;
  /** For the consent page alone, which shows it as a data URL: fetched by us and checked. Never rejects, ends within seconds. */
  readonly fetchLogo?: () => Promise<ClientLogo | undefined>;
  /** The most it may ever be granted; left out: whatever the resource has. */
  readonly scope?: readonly string[];
  /** Further claims of the tokens it gets for itself (`client_credentials`). */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Undefined: no such client. Throws `OAuthError` where the client might exist but cannot be known now. */
export type ClientResolver = (clientId: string) => Promise<Client | undefined>;
