/** What a Client ID Metadata Document says, read strictly: required members, no secrets, and only what we support of the rest. */
import type { JsonWebKey } from 'node:crypto';
import { redirectUriFault } from '../../../oauth/redirect-uri.ts';
import type { ClientAuthMethod } from '../client.ts';
import { readJwks } from './json-web-keys.ts';

/** Of a document (the draft's own suggestion, "Maximum Response Size"). */
export const maxDocumentBytes = 5 * 1024;
const maxNameLength = 200;
const maxRedirectUris = 50;

export interface MetadataDocument {
  readonly clientId: string;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly authMethods: readonly Extract<ClientAuthMethod, 'none' | 'private_key_jwt'>[];
  readonly jwks?: readonly JsonWebKey[];
  readonly jwksUri?: string;
  readonly logoUri?: string;
}

export interface DocumentRules {
  readonly privateUseSchemes: readonly string[];
  /** Of the document's grant types the ones we have. */
  readonly grantTypes: readonly string[];
  /** Whether a URL in the document may be fetched. */
  readonly isFetchable: (url: string) => boolean;
}

/** The document breaks a rule. `message` is public and for whoever wrote the document; `reason` is for the log. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = `cimd.document.${reason}`;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws `DocumentError`. */
export function readDocument(url: string, bytes: Uint8Array, rules: DocumentRules): MetadataDocument {
  const document = jsonObject(bytes);
  // Byte for byte, without any normalisation: a document speaks for the URL it names and no other.
  if (document.client_id !== url) throw new DocumentError('client_id', 'client_id is not the URL of the document');
  const { jwks, jwks_uri: jwksUri } = document;
  if (jwks !== undefined && jwksUri !== undefined) {
    throw new DocumentError('jwks_twice', 'jwks and jwks_uri must not both be present'); // RFC 7591 §2
  }
  const keys = jwks === undefined ? undefined : readJwks(jwks, refuseKeys);
  const keysAt = optionalUrl(jwksUri, rules);
  const authMethods = readAuthMethods(document, (keys ?? []).length > 0 || keysAt !== undefined);
  const withKeys = authMethods.includes('private_key_jwt');
  const logoUri = optionalUrl(document.logo_uri, rules);
  readResponseTypes(document.response_types);
  return {
    clientId: url,
    name: readName(document.client_name),
    redirectUris: readRedirectUris(document.redirect_uris, rules.privateUseSchemes),
    grantTypes: readGrantTypes(document.grant_types, rules.grantTypes),
    authMethods,
    ...(withKeys && keys !== undefined && { jwks: keys }),
    ...(withKeys && keysAt !== undefined && { jwksUri: keysAt }),
    ...(logoUri !== undefined && { logoUri }),
  };
}

function refuseKeys(message: string): DocumentError {
  return new DocumentError('jwks', message);
}

function jsonObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new DocumentError('json', 'it is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DocumentError('json', 'it is not a JSON object');
  }
  return value as Record<string, unknown>;
}

function readName(value: unknown): string {
  if (typeof value !== 'string' || value.trim() === '')
    throw new DocumentError('client_name', 'client_name is missing');
  if (value.length > maxNameLength) {
    throw new DocumentError('client_name', `client_name is longer than ${maxNameLength} characters`);
  }
  return value.toWellFormed();
}

/**
 * The ones we accept. One that we do not is left out, so that a vendor's next private-use scheme does not lock everybody
 * out; what is left out is never redirected to (SEC-03).
 */
function readRedirectUris(value: unknown, privateUseSchemes: readonly string[]): readonly string[] {
  if (!isStrings(value) || value.length === 0) throw new DocumentError('redirect_uris', 'redirect_uris is missing');
  if (value.length > maxRedirectUris) {
    throw new DocumentError('redirect_uris', `redirect_uris has more than ${maxRedirectUris} entries`);
  }
  const faults = value.map((uri) => redirectUriFault(uri, privateUseSchemes));
  const accepted = [...new Set(value.filter((_, index) => faults[index] === undefined))];
  if (accepted.length === 0) throw new DocumentError('redirect_uris', `redirect_uris[0] ${faults[0]}`);
  return accepted;
}

/** Unknown ones are left out: VS Code lists the device grant, Claude `jwt-bearer`. */
function readGrantTypes(value: unknown, supported: readonly string[]): readonly string[] {
  if (value === undefined || value === null) return supported;
  const listed = isStrings(value) ? supported.filter((type) => value.includes(type)) : [];
  if (!listed.includes('authorization_code')) {
    throw new DocumentError('grant_types', 'grant_types does not include authorization_code');
  }
  return listed;
}

function readResponseTypes(value: unknown): void {
  if (value === undefined || value === null) return;
  if (!isStrings(value) || !value.includes('code')) {
    throw new DocumentError('response_types', 'response_types does not include code');
  }
}

/** The registered method and those of the client's own list: any of them will do, none outside of them (AS-22, AS-23). */
function readAuthMethods(
  document: Readonly<Record<string, unknown>>,
  hasKeys: boolean,
): MetadataDocument['authMethods'] {
  if (document.client_secret !== undefined || document.client_secret_expires_at !== undefined) {
    throw new DocumentError('secret', 'a public document must not hold a client_secret');
  }
  const { token_endpoint_auth_method: method, token_endpoint_auth_methods_supported: several } = document;
  if (several !== undefined && !isStrings(several)) {
    throw new DocumentError('auth_method', 'token_endpoint_auth_methods_supported is not a list of text');
  }
  // RFC 7591 §2 would make a missing one client_secret_basic, which cannot be here: without a secret there is `none`.
  const fallback = several === undefined ? ['none'] : [];
  const named = method === undefined || method === null ? fallback : [method];
  const listed = [...named, ...(several ?? [])];
  if (listed.some((one) => typeof one === 'string' && one.startsWith('client_secret'))) {
    throw new DocumentError('secret_method', 'a public document must not register a method with a shared secret');
  }
  const methods = (['none', 'private_key_jwt'] as const).filter((one) => listed.includes(one));
  const usable = methods.filter((one) => one === 'none' || hasKeys);
  if (usable.length > 0) return usable;
  throw methods.length > 0
    ? new DocumentError('keys_missing', 'private_key_jwt needs jwks or jwks_uri, with a key we can use')
    : new DocumentError('auth_method', 'token_endpoint_auth_method must be none or private_key_jwt');
}

/** Where it cannot be fetched it is as good as absent: a logo is not worth a refusal, missing keys are refused elsewhere. */
function optionalUrl(value: unknown, { isFetchable }: DocumentRules): string | undefined {
  return typeof value === 'string' && value.length <= 1024 && isFetchable(value) ? value : undefined;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
