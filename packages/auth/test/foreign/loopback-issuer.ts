/** A foreign issuer on a loopback port that publishes whatever a test wants, and tokens made with any key and claims. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { OAuthError } from '../../src/oauth/error.ts';
import type { AccessToken } from '../../src/resource-server/access-token.ts';
import { type ForeignTokensOptions, foreignTokens } from '../../src/resource-server/foreign/foreign-tokens.ts';
import type { ForeignIssuer } from '../../src/resource-server/foreign/issuer.ts';
import type { TokenVerifier } from '../../src/resource-server/verifier.ts';

export const start = 1_800_000_000;
export const resource = 'https://api.example/mcp';
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const ed = generateKeyPairSync('ed25519');

export const jwk = (key: KeyObject, members: object = {}) => ({ ...key.export({ format: 'jwk' }), ...members });

export const encoded = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A compact JWS over exactly this; texts are taken as they are, so that they may be no JSON. */
export function signed(header: unknown, claims: unknown, key: KeyObject | string): string {
  const data = `${encoded(header)}.${encoded(claims)}`;
  return `${data}.${signature(data, key)}`;
}

function signature(data: string, key: KeyObject | string): string {
  if (typeof key === 'string') return createHmac('sha256', key).update(data).digest('base64url');
  const bytes = Buffer.from(data, 'ascii');
  if (key.asymmetricKeyType === 'ed25519') return sign(null, bytes, key).toString('base64url');
  return sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

type Answer = (res: ServerResponse) => void;

export interface LoopbackIssuer {
  readonly issuer: string;
  /** What `/jwks` answers; a function answers by itself. */
  keys: readonly unknown[] | Answer;
  /** Of the answer of `/jwks`. */
  headers: Record<string, string>;
  /** The discovery document, or an answer. */
  discovery: object | Answer;
  /** Paths, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function startIssuer(kid = 'key-1'): Promise<LoopbackIssuer> {
  const server = createServer((req, res) => {
    const path = req.url ?? '';
    running.requests.push(path);
    const answer = path.endsWith('openid-configuration')
      ? running.discovery
      : path.includes('jwks')
        ? Array.isArray(running.keys)
          ? { keys: running.keys }
          : (running.keys as Answer)
        : undefined;
    if (typeof answer === 'function') return (answer as Answer)(res);
    res.writeHead(answer ? 200 : 404, { 'content-type': 'application/json', ...running.headers });
    res.end(JSON.stringify(answer ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: LoopbackIssuer = {
    issuer,
    keys: [jwk(rsa.publicKey, { kid, alg: 'RS256', use: 'sig' })],
    headers: {},
    discovery: { issuer, jwks_uri: `${issuer}/jwks` },
    requests: [],
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  onTestFinished(() => running.close());
  return running;
}

export const header = { alg: 'RS256', typ: 'at+jwt', kid: 'key-1' };
export const claims = {
  aud: resource,
  sub: 'person-1',
  client_id: 'client-1',
  scope: 'read write',
  iat: start,
  exp: start + 900,
  jti: 'token-1',
};

/** A token of the issuer with some of it changed; `undefined` leaves a member out. */
export function tokenOf(
  { issuer }: Pick<LoopbackIssuer, 'issuer'>,
  changes: { header?: object; claims?: object; key?: KeyObject | string } = {},
): string {
  return signed(
    { ...header, ...changes.header },
    { iss: issuer, ...claims, ...changes.claims },
    changes.key ?? rsa.privateKey,
  );
}

export type Judgement = AccessToken | string;

/** The token's data, or the private reason of the refusal, with its status where it is not 401. */
export async function judged(verify: TokenVerifier, token: string): Promise<Judgement> {
  try {
    return await verify(token);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return error.status === 401 ? error.reason : `${error.status} ${error.reason}`;
  }
}

/** A verifier with a clock of its own; `judge` says what became of a token. */
export function startVerifier(
  issuers: readonly (Partial<ForeignIssuer> & { readonly issuer: string })[],
  options: Partial<ForeignTokensOptions> = {},
) {
  const clock = { seconds: start };
  const failures: unknown[] = [];
  const verify = foreignTokens({
    issuers: issuers.map((entry) => ({
      resource,
      ...(entry.clientIds === undefined && { audience: resource }),
      ...entry,
    })),
    now: () => clock.seconds,
    onFailure: ({ cause }) => failures.push(cause),
    ...options,
  });
  return { clock, failures, verify, judge: (token: string) => judged(verify, token) };
}

/** `accepted`, or the reason. */
export const verdict = (judgement: Judgement) => (typeof judgement === 'string' ? judgement : 'accepted');
