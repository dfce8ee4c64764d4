/**
 * The grant: one record is the whole authorization, and one pure function its whole life. Redeeming a code and rotating
 * a refresh token are the same transition: a genuine current credential advances the generation (RFC 6749 §4.1.2, §6;
 * OAuth 2.1 §4.3.1). No I/O, no clock, no secret.
 */
import { verifierMatches } from '../oauth/pkce.ts';
import { resourceMatches } from '../oauth/resource.ts';
import { narrowedScope } from '../oauth/scope.ts';

/** This user allowed this client this scope at this resource. Times are seconds since the epoch. */
export interface Grant {
  /** SHA-256 of the client id: a stateless client id may be 2 KB long. */
  readonly clientDigest: string;
  /** What the client called itself when the person consented. */
  readonly clientName?: string;
  /** The user here: stable, opaque, derived from `identity`. */
  readonly subject: string;
  /** Who the identity provider says it is: never an e-mail address. */
  readonly identity: { readonly issuer: string; readonly subject: string };
  /** Those of the provider's groups that the operator's rules speak of, as the provider last said. */
  readonly groups?: readonly string[];
  readonly scope: readonly string[];
  readonly resource: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly createdAt: number;
  readonly codeExpiresAt: number;
  /** 0: the code is unspent. n: the n-th refresh token is the current credential. */
  readonly generation: number;
  /** When the generation last advanced. */
  readonly advancedAt: number;
  /** How often the credential before the current one was answered again in this generation. */
  readonly graceReplays: number;
  /** Set when the grant is over; it is kept for as long as an access token of it could still live. */
  readonly endedAt?: number;
  readonly endReason?: 'code_replayed' | 'refresh_token_replayed' | 'revoked';
}

/** A credential whose MAC was right: it is genuine, whatever its age. The code is generation 0. */
export interface Presented {
  readonly kind: 'authorization-code' | 'refresh-token';
  readonly generation: number;
}

/** What came with the credential; the client has been authenticated. */
export interface TokenRequest {
  readonly clientDigest: string;
  readonly redirectUri?: string;
  readonly codeVerifier?: string;
  readonly resource?: string;
  readonly scope: readonly string[];
}

export interface GrantPolicy {
  /** How long the refresh token just before the current one is still answered, with the same successor. */
  readonly graceSeconds: number;
  /** How often, in one generation. */
  readonly graceReplays: number;
}

/** Private reasons of a refusal. */
export type GrantRefusal =
  | 'grant.other_client'
  | 'grant.ended'
  | 'grant.other_resource'
  | 'grant.scope'
  | 'grant.generation'
  | 'code.expired'
  | 'code.redirect_uri'
  | 'code.verifier'
  | 'code.verifier_missing';

export type GrantDecision =
  /** Issue tokens; store `next` first. `replay`: the same successor again, for a lost answer or a parallel refresh. */
  | { readonly outcome: 'issue'; readonly next: Grant; readonly scope: readonly string[]; readonly replay: boolean }
  /** A spent credential came back: store `next`, which is ended, and refuse. */
  | { readonly outcome: 'revoke'; readonly next: Grant }
  /** Nothing changes: the wrong hands, the wrong verifier, too late. */
  | { readonly outcome: 'refuse'; readonly reason: GrantRefusal };

/**
 * What a genuine credential is worth now. Everything that could be somebody else's mistake is checked before the
 * credential's age, so that a credential in the wrong hands changes nothing (SEC-02; RFC 9700 §4.14.2 for reuse).
 */
export function present(
  grant: Grant,
  presented: Presented,
  request: TokenRequest,
  policy: GrantPolicy,
  now: number,
): GrantDecision {
  if (request.clientDigest !== grant.clientDigest) return refuse('grant.other_client');
  if (grant.endedAt !== undefined) return refuse('grant.ended');
  // The code is generation 0 and nothing else is; no other MAC is ever made.
  if ((presented.kind === 'authorization-code') !== (presented.generation === 0)) return refuse('grant.generation');
  // RFC 8707 §2.2: a token request may name the resource again, and may not name another.
  if (request.resource !== undefined && !resourceMatches(request.resource, grant.resource)) {
    return refuse('grant.other_resource');
  }
  const wrong = presented.kind === 'authorization-code' ? codeFault(grant, request) : undefined;
  if (wrong) return refuse(wrong);
  const scope = narrowedScope(request.scope, grant.scope);
  if (scope.length === 0 && grant.scope.length > 0) return refuse('grant.scope');

  if (presented.generation === grant.generation) {
    if (presented.kind === 'authorization-code' && now >= grant.codeExpiresAt) return refuse('code.expired');
    const next = { ...grant, generation: grant.generation + 1, advancedAt: now, graceReplays: 0 };
    return { outcome: 'issue', next, scope, replay: false };
  }
  // A generation we never reached: genuine, but from a database that was since restored from a back-up.
  if (presented.generation > grant.generation) return refuse('grant.generation');

  const withinGrace =
    presented.kind === 'refresh-token' && // a code has no grace (RFC 6749 §4.1.2)
    presented.generation === grant.generation - 1 &&
    now - grant.advancedAt <= policy.graceSeconds &&
    grant.graceReplays < policy.graceReplays;
  if (withinGrace) {
    return { outcome: 'issue', next: { ...grant, graceReplays: grant.graceReplays + 1 }, scope, replay: true };
  }
  const endReason = presented.kind === 'authorization-code' ? 'code_replayed' : 'refresh_token_replayed';
  return { outcome: 'revoke', next: { ...grant, endedAt: now, endReason } };
}

/** What only a code brings: redirect URI and code verifier (RFC 6749 §4.1.3, RFC 7636 §4.6). */
function codeFault(grant: Grant, request: TokenRequest): GrantRefusal | undefined {
  if (request.codeVerifier === undefined) return 'code.verifier_missing';
  if (!verifierMatches(request.codeVerifier, grant.codeChallenge)) return 'code.verifier';
  // OAuth 2.1 §10.2 leaves redirect_uri out of the token request; whoever sends it must send the right one.
  if (request.redirectUri !== undefined && request.redirectUri !== grant.redirectUri) return 'code.redirect_uri';
  return undefined;
}

function refuse(reason: GrantRefusal): GrantDecision {
  return { outcome: 'refuse', reason };
}
