/** The guard of a resource: a verified access token, or the reply that says what is missing (RFC 6750, RFC 9728 §5.1). */
import { OAuthError, unavailable } from '../oauth/error.ts';
import type { HttpReply } from '../oauth/http.ts';
import { protectedResourceMetadataUrl } from '../oauth/metadata.ts';
import { defaultScopeOf, type Resource } from '../oauth/resource.ts';
import type { Signer } from '../signers/signer.ts';
import type { AccessToken } from './access-token.ts';
import { challenge, invalidToken } from './challenge.ts';
import { type GrantAlive, grantStates } from './grant-states.ts';
import { type TokenVerifier, tokenVerifier } from './verifier.ts';

export type { AccessToken } from './access-token.ts';
export { insufficientScope } from './challenge.ts';
export type { GrantAlive } from './grant-states.ts';
export type { TokenVerifier } from './verifier.ts';

/** `status` in the answer tells them apart: an `HttpReply` has one, an `AccessToken` has none. */
export type Guard = (headers: {
  readonly authorization?: string | undefined;
  readonly [name: string]: unknown;
}) => Promise<AccessToken | HttpReply>;

interface GuardBasics {
  readonly resource: Resource;
  /** One strong read of a grant's state; left out, a token lives until it expires. */
  readonly grantAlive?: GrantAlive;
  readonly now?: () => number;
  readonly skewSeconds?: number;
  /** Told of every refusal, for the log: the private reason and nothing of the token. */
  readonly onRefusal?: (refusal: {
    readonly reason: string;
    readonly status: number;
    readonly cause?: unknown;
  }) => void;
}

/** Our own tokens, by issuer and keys; or a verifier in their place: `foreignTokens`, a static one, `firstOf` several. */
export type GuardOptions = GuardBasics &
  (
    | { readonly issuer: string; readonly keys: Pick<Signer, 'verificationKey'>; readonly verify?: never }
    | { readonly verify: TokenVerifier; readonly issuer?: never; readonly keys?: never }
  );

export function guard(options: GuardOptions): Guard {
  const { resource, skewSeconds = 5, onRefusal } = options;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const facts = { resourceMetadata: protectedResourceMetadataUrl(resource.uri), scope: defaultScopeOf(resource) };
  const verify =
    options.verify ??
    tokenVerifier({
      issuer: options.issuer,
      resource: resource.uri,
      keys: options.keys,
      now,
      skewSeconds,
      cacheSize: 10_000,
    });
  const alive =
    options.grantAlive &&
    grantStates({ read: options.grantAlive, now, freshSeconds: 5, staleSeconds: 60, size: 100_000 });

  return async ({ authorization }) => {
    try {
      // RFC 6750 §2: the header and nowhere else. Another scheme is no credential of ours.
      if (authorization === undefined || !/^bearer(?:\s|$)/i.test(authorization)) {
        onRefusal?.({ reason: 'token.missing', status: 401 });
        return challenge(facts);
      }
      const token = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(authorization)?.[1];
      if (token === undefined) {
        throw new OAuthError('invalid_request', 'The Authorization header is malformed.', { reason: 'token.header' });
      }
      const accessToken = await verify(token);
      // Whoever verified it: a token for another resource is none here (RS-07).
      if (accessToken.audience !== resource.uri) throw invalidToken('token.audience');
      if (alive && accessToken.grantId !== undefined && !(await alive(accessToken.grantId))) {
        throw invalidToken('token.grant_ended');
      }
      return accessToken;
    } catch (error) {
      // What is no refusal is a fault on our side: 503, so that nobody throws a good token away.
      const refusal = error instanceof OAuthError ? error : unavailable('guard.fault', error);
      onRefusal?.({ reason: refusal.reason, status: refusal.status, cause: refusal.cause });
      return challenge(facts, refusal);
    }
  };
}

/** What the guard says to a token whose grant has ended, for whoever learns of that after the guard. */
export function endedReply(resource: Resource): HttpReply {
  const facts = { resourceMetadata: protectedResourceMetadataUrl(resource.uri), scope: defaultScopeOf(resource) };
  return challenge(facts, invalidToken('token.grant_ended'));
}

export function isReply(result: AccessToken | HttpReply): result is HttpReply {
  return 'status' in result;
}
