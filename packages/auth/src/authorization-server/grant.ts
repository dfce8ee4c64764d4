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
  /** Of their verified e-mail address, where it is one of the operator's list: what admitted them, as the provider last said. */
  readonly emailDomain?: string;
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
  /** From when a refresh asks the identity provider about the person again; left out: it cannot be asked. */
  readonly sessionDueAt?: number;
  /** Set when the grant is over; it is kept for as long as an access token of it could still live. */
  readonly endedAt?: number;
  readonly endReason?: 'code_replayed' | 'refresh_token_replayed' | 'revoked' | 'identity_ended' | 'not_listed';
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
  /** However often it is refreshed, a grant ends so long after the sign-in. */
  readonly grantSeconds: number;
  /** And so long after it where the identity provider cannot be asked whether the person is still welcome. */
  readonly unconfirmedSeconds: number;
}

/** When the grant is over at the latest, and every token with it. */
export function endOf(
  grant: Pick<Grant, 'createdAt' | 'sessionDueAt'>,
  { grantSeconds, unconfirmedSeconds }: Pick<GrantPolicy, 'grantSeconds' | 'unconfirmedSeconds'>,
): number {
  const confirmable = grant.sessionDueAt !== undefined;
  return grant.createdAt + (confirmable ? grantSeconds : Math.min(grantSeconds, unconfirmedSeconds));
}

/** How far the clocks of two instances may be apart. */
export const skewSeconds = 60;

/** Whether the identity provider is to be asked; a date beyond the interval was set by a wrong clock or a longer interval. */
export function isDue({ sessionDueAt }: Grant, identityCheckSeconds: number, now: number): boolean {
  if (sessionDueAt === undefined) return false;
  return now >= sessionDueAt || sessionDueAt - now > identityCheckSeconds + skewSeconds;
}

/** What is known of the person behind a grant that was due. */
export type Standing =
  /** The provider knows them; what it says of them that counts, and when it is to be asked again. */
  | {
      readonly outcome: 'confirmed';
      readonly groups: readonly string[];
      readonly emailDomain?: string;
      readonly dueAt: number;
    }
  /** Nobody could say, and that may be so for now; `dueAt`: no need to look before then. */
  | { readonly outcome: 'unknown'; readonly dueAt?: number }
  /** Nobody could say for too long. */
  | { readonly outcome: 'stale'; readonly retrySeconds: number }
  /** The provider said no; `reason` is private. */
  | { readonly outcome: 'over'; readonly reason: string };

/** Private reasons of a refusal. */
export type GrantRefusal =
  | 'grant.other_client'
  | 'grant.ended'
  | 'grant.other_resource'
  | 'grant.scope'
  | 'grant.generation'
  | 'grant.expired'
  | 'code.expired'
  | 'code.redirect_uri'
  | 'code.verifier'
  | 'code.verifier_missing';

export type GrantDecision =
  /** Issue tokens; store `next` first. `replay`: the same successor again, for a lost answer or a parallel refresh. */
  | { readonly outcome: 'issue'; readonly next: Grant; readonly scope: readonly string[]; readonly replay: boolean }
  /** A spent credential came back, or the person is gone: store `next`, which is ended, and refuse. */
  | { readonly outcome: 'revoke'; readonly next: Grant }
  /** Nothing changes, and the same credential may be good in a while: whether the person is welcome is not known. */
  | { readonly outcome: 'postpone'; readonly retrySeconds: number }
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
  if (now >= endOf(grant, policy)) return refuse('grant.expired');
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

/** The same decision in the light of what is known of the person; what would not be issued anyway stays as it is. */
export function confirm(grant: Grant, decision: GrantDecision, standing: Standing, now: number): GrantDecision {
  if (decision.outcome !== 'issue') return decision;
  if (standing.outcome === 'over') return { outcome: 'revoke', next: identityEnded(grant, now) };
  if (standing.outcome === 'stale') return { outcome: 'postpone', retrySeconds: standing.retrySeconds };
  const { dueAt } = standing;
  if (dueAt === undefined) return decision;
  if (standing.outcome !== 'confirmed') return { ...decision, next: { ...decision.next, sessionDueAt: dueAt } };
  const { groups: _, emailDomain: __, ...rest } = decision.next;
  const { groups, emailDomain } = standing;
  const known = { ...(groups.length > 0 && { groups }), ...(emailDomain !== undefined && { emailDomain }) };
  return { ...decision, next: { ...rest, ...known, sessionDueAt: dueAt } };
}

/** The grant of a person whom the identity provider no longer knows. */
export function identityEnded(grant: Grant, now: number): Grant {
  return { ...grant, endedAt: now, endReason: 'identity_ended' };
}

/** The grant of a person whom the operator's list no longer has. */
export function notListed(grant: Grant, now: number): Grant {
  return { ...grant, endedAt: now, endReason: 'not_listed' };
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
