/**
 * The vendors' own servers, on loopback: TLS under their real names, with the documents of the personas and ChatGPT's
 * keys. Only the port is not theirs, and so the ids carry it; everything else of a document is served as it stands.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { MetadataDocumentOptions } from '../../packages/auth/src/gatehouse.ts';
import { certificate, json, type Origin, startOrigin } from '../../packages/auth/test/net/servers.ts';
import type { ClientDocument } from './persona.ts';

export interface Vendors {
  /** Serves it at its own URL, which is its client's id, or at another; the URL as it is reached here. */
  publish(document: ClientDocument, url?: string): string;
  /** A vendor's URL as it is reached here. */
  at(url: string): string;
  /** What the vendors answer instead of anything else; undefined: their documents. */
  status: number | undefined;
  /** Requests so far, as `host/path`. */
  readonly requests: () => readonly string[];
  /** For the library: the names lead here, the certificate is trusted. */
  readonly reached: MetadataDocumentOptions;
  /** ChatGPT's. */
  readonly key: SigningKey;
  close(): Promise<void>;
}

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

const names = ['chatgpt.com', 'claude.ai', 'opencode.ai', 'vscode.dev', 'zed.dev'];

export async function startVendors(): Promise<Vendors> {
  const tls = certificate(...names);
  const origin: Origin = await startOrigin(tls);
  const documents = new Map<string, unknown>();
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { kid: 'chatgpt-1', privateKey };
  const at = (url: string) => {
    const moved = new URL(url);
    moved.port = String(origin.port);
    return moved.href;
  };
  documents.set(at('https://chatgpt.com/oauth/jwks.json'), {
    keys: [{ ...publicKey.export({ format: 'jwk' }), kid: key.kid, alg: 'RS256', use: 'sig' }],
  });
  origin.answer = (request, response) => {
    const found = documents.get(`https://${request.headers.host}${request.url}`);
    if (vendors.status !== undefined) response.writeHead(vendors.status).end();
    else if (found === undefined) response.writeHead(404).end();
    else json(found)(request, response);
  };
  const vendors: Vendors = {
    at,
    status: undefined,
    publish(document, url = document.client_id) {
      documents.set(at(url), {
        ...document,
        client_id: at(document.client_id),
        ...(document.jwks_uri !== undefined && { jwks_uri: at(document.jwks_uri) }),
      });
      return at(url);
    },
    requests: () => origin.requests.map(({ host, path }) => `${host?.replace(/:\d+$/, '')}${path}`),
    reached: {
      resolveHost: async () => ['127.0.0.1'],
      dangerouslyAllowLoopback: true,
      extraCertificates: [tls.cert],
    },
    key,
    close: () => origin.close(),
  };
  return vendors;
}

/** For the library where there is no way out at all: every name is unknown, and nothing is ever dialled. */
export const nobodyReached: MetadataDocumentOptions = {
  resolveHost: async (hostname) => {
    throw new Error(`${hostname} is not looked up in tests`);
  },
};
