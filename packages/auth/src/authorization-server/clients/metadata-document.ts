/**
 * Clients whose id is the URL of a document about them (Client ID Metadata Document; MCP 2026-07-28, "Client
 * Registration"): fetched under the rules of SEC-09, cached as HTTP says, with a last good copy for bad days.
 */
import type { JsonWebKey } from 'node:crypto';
import { cachedFetch } from '../../net/cached-fetch.ts';
import { defaultFetchBudget, type FetchBudget, withinBudget } from '../../net/fetch-budget.ts';
import { type SafeFetch, type SafeFetchOptions, safeFetch } from '../../net/safe-fetch.ts';
import { SafeFetchError } from '../../net/safe-fetch-error.ts';
import { OAuthError, unavailable } from '../../oauth/error.ts';
import { knownPrivateUseSchemes } from '../../oauth/redirect-uri.ts';
import { digest, logName } from '../credential.ts';
import type { Log } from '../parts.ts';
import type { Client } from './client.ts';
import { clientIdUrlFault, type DomainPolicy, domainPolicy } from './metadata-document/client-id-url.ts';
import { clientKeys, keysOf } from './metadata-document/client-keys.ts';
import { clientLogos } from './metadata-document/client-logos.ts';
import {
  DocumentError,
  type DocumentRules,
  type MetadataDocument,
  maxDocumentBytes,
  readDocument,
} from './metadata-document/document.ts';
import type { Logo } from './metadata-document/image.ts';
import { type PinnedDocument, vendorDocuments } from './metadata-document/pinned.ts';

export interface MetadataDocumentOptions extends SafeFetchOptions {
  readonly domains?: DomainPolicy;
  readonly budget?: Partial<FetchBudget>;
  /** Schemes such as `cursor` that redirect URIs may use although they hold no period. */
  readonly privateUseSchemes?: readonly string[];
  /** Of a document's grant types the ones it may have; `authorization_code` and `refresh_token` unless told. */
  readonly grantTypes?: readonly string[];
  /** Stand in for documents that could never be fetched; the well-known vendors' unless told. */
  readonly pinnedDocuments?: readonly PinnedDocument[];
  readonly log?: Log;
  readonly now?: () => number;
}

export interface MetadataDocumentClient extends Client {
  readonly source: 'metadata-document';
  readonly name: string;
  readonly documentDigest: string;
  /** For the consent page alone, because it may have to be fetched. Never rejects; at most 3 seconds. */
  readonly fetchLogo?: () => Promise<Logo | undefined>;
}

/** Undefined: not the id of such a client. Throws `OAuthError`: 400 where the document is wrong, 503 where it is away. */
export type MetadataDocumentResolver = (clientId: string) => Promise<MetadataDocumentClient | undefined>;

/** Throws `TypeError` where the options are wrong, a pinned document's included. */
export function metadataDocumentClients(options: MetadataDocumentOptions = {}): MetadataDocumentResolver {
  const { dangerouslyAllowLoopback = false, log = () => {} } = options;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const domains = domainPolicy(options.domains ?? {});
  const rules: DocumentRules = {
    privateUseSchemes: options.privateUseSchemes ?? knownPrivateUseSchemes,
    grantTypes: options.grantTypes ?? ['authorization_code', 'refresh_token'],
    isFetchable(url) {
      const parsed = URL.canParse(url) ? new URL(url) : undefined;
      const scheme = parsed?.protocol === 'https:' || (dangerouslyAllowLoopback && parsed?.protocol === 'http:');
      return scheme && parsed?.username === '' && parsed.password === '' && domains.fetches(parsed.hostname);
    },
  };
  const fetch: SafeFetch = withinBudget(safeFetch(options), { ...defaultFetchBudget, ...options.budget }, now);
  const keys = clientKeys(fetch, now);
  const logoOf = clientLogos(fetch, now);
  const pinned = readPinned(options.pinnedDocuments ?? vendorDocuments, rules);

  const documents = cachedFetch<MetadataDocument>({
    fetch: (url) =>
      fetch(url, {
        maxBytes: maxDocumentBytes,
        accept: 'application/json',
        isType: (type) => type === 'application/json' || /^application\/[a-z0-9.+-]+\+json$/.test(type),
      }),
    read: (url, bytes) => readDocument(url, bytes, rules),
    capacity: 1000,
    freshness: { minSeconds: 60, maxSeconds: 24 * 3600, defaultSeconds: 300 },
    lastGoodSeconds: 7 * 24 * 3600,
    retrySeconds: 60,
    fallback: (url) => pinned.get(url),
    onOutcome: (url, { kind, reason }) =>
      log({ event: `client.document_${kind}`, client: logName(url), ...(reason !== undefined && { reason }) }),
    now,
  });

  return async (clientId) => {
    if (!/^https?:/i.test(clientId)) return undefined;
    const fault = clientIdUrlFault(clientId, dangerouslyAllowLoopback);
    if (fault !== undefined) throw wrong(`client_id ${fault}.`, 'cimd.url');
    if (!domains.clients(new URL(clientId).hostname)) {
      throw wrong('This server does not accept applications from there.', 'cimd.domain');
    }
    let document: MetadataDocument;
    try {
      document = await documents.get(clientId);
    } catch (error) {
      throw asOAuthError(error);
    }
    return clientOf(document);
  };

  function clientOf(document: MetadataDocument): MetadataDocumentClient {
    const { clientId, name, redirectUris, grantTypes, authMethods, jwks, jwksUri, logoUri } = document;
    const client = {
      id: clientId,
      source: 'metadata-document' as const,
      name,
      redirectUris,
      grantTypes,
      authMethods,
      ...(jwks && { keys: async (keyId: string | undefined): Promise<readonly JsonWebKey[]> => keysOf(jwks, keyId) }),
      ...(jwksUri !== undefined && { keys: (keyId: string | undefined) => keys.get(jwksUri, keyId) }),
      ...(logoUri !== undefined && { fetchLogo: () => logoOf(logoUri) }),
      // Of all that we take from it, and nothing else: a vendor that reorders its members asks nobody anew.
      documentDigest: digest(JSON.stringify(document)),
    };
    return { ...client, proven: redirectUris.every((uri) => provesRedirect(client, uri)) };
  }
}

/**
 * Whether an answer at this redirect URI reaches whoever published the document, and nobody else: it is https on the
 * document's own origin, or https anywhere where the client authenticates for its tokens. Never on loopback or at a
 * private-use scheme: every program on that computer can claim the document's name (OAuth 2.1 §7.3).
 */
export function provesRedirect(client: Pick<Client, 'id' | 'source' | 'authMethods'>, redirectUri: string): boolean {
  if (client.source !== 'metadata-document' || !redirectUri.startsWith('https://')) return false;
  if (!client.authMethods.includes('none')) return true;
  return URL.canParse(redirectUri) && new URL(redirectUri).origin === new URL(client.id).origin;
}

function readPinned(documents: readonly PinnedDocument[], rules: DocumentRules): ReadonlyMap<string, MetadataDocument> {
  return new Map(
    documents.map(({ document }) => {
      const url = document.client_id;
      try {
        const fault = clientIdUrlFault(url);
        if (fault !== undefined) throw new DocumentError('client_id', `client_id ${fault}`);
        return [url, readDocument(url, Buffer.from(JSON.stringify(document)), rules)];
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error;
        throw new TypeError(`The pinned document of ${url} is wrong: ${error.message}`);
      }
    }),
  );
}

function asOAuthError(error: unknown): unknown {
  if (error instanceof DocumentError) {
    return wrong(`The application's metadata document is wrong: ${error.message}.`, error.reason, error);
  }
  if (!(error instanceof SafeFetchError)) return error;
  const { reason } = error;
  if (reason === 'fetch.gone') return wrong('There is no metadata document at client_id.', `cimd.${reason}`, error);
  if (reason === 'fetch.too_large') {
    return wrong(
      `The application's metadata document has more than ${maxDocumentBytes} bytes.`,
      `cimd.${reason}`,
      error,
    );
  }
  // The same words for a private address and a server that is down (SEC-13), and never `invalid_client`: on that a
  // client throws its tokens away, and this may be a bad minute of its own server (REL-02).
  return unavailable(`cimd.${reason}`, error);
}

function wrong(description: string, reason: string, cause?: unknown): OAuthError {
  return new OAuthError('invalid_client', description, { status: 400, reason, cause });
}
