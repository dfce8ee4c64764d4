/** What redeeming a code and rotating a refresh token share: read the credential, let the grant decide, store, answer. */
import { ContentionError, update } from '@mcp-gatehouse/records';
import { OAuthError, unavailable } from '../../oauth/error.ts';
import type { Parameters } from '../../oauth/parameters.ts';
import { parseScope } from '../../oauth/scope.ts';
import { rolesFrom } from '../../resource-server/require.ts';
import type { Client } from '../clients/client.ts';
import { digest, logName, readCredential, refreshToken } from '../credential.ts';
import {
  confirm,
  endOf,
  type Grant,
  type GrantDecision,
  type GrantRefusal,
  isDue,
  notListed,
  type Presented,
  present,
  type Standing,
  type TokenRequest,
} from '../grant.ts';
import type { Parts } from '../parts.ts';
import { admits, mayBeListed } from '../people.ts';
import type { AuthRecords } from '../records.ts';
import type { Authorization, Issue } from '../token-issuer.ts';
import type { GrantTypeResult } from './grant-type.ts';

/** Parallel refreshes of one client write one record; each lost try is another's success. */
const tries = 16;

/** When to come again that could not be told from somebody who is not on the list. */
const retryUnknownSeconds = 5;

export function credentialGrant(parts: Parts, kind: Presented['kind']) {
  const { records, keyring, lifetimes, roles, people, grantEnded, sessions, log } = parts;
  const known = new Set(parts.resources.flatMap(({ scopes }) => Object.keys(scopes)));

  return async (
    text: string,
    client: Client,
    parameters: Parameters,
    now: number,
    issue: Issue,
  ): Promise<GrantTypeResult> => {
    const presented = readCredential(keyring, kind, text);
    if (!presented) throw invalidGrant(`${kind === 'authorization-code' ? 'code' : 'refresh'}.forged`);
    const { grantId } = presented;
    const redirectUri = parameters.get('redirect_uri');
    const codeVerifier = parameters.get('code_verifier');
    const resource = parameters.get('resource');
    const request: TokenRequest = {
      clientDigest: digest(client.id),
      // Unknown ones are dropped here as at /authorize: mcp-remote repeats its `openid email profile`.
      scope: parseScope(parameters.get('scope')).filter((token) => known.has(token)),
      ...(redirectUri !== undefined && { redirectUri }),
      ...(codeVerifier !== undefined && { codeVerifier }),
      ...(resource !== undefined && { resource }),
    };
    const refreshable = client.grantTypes.includes('refresh_token');

    // Once a request, however often it has to decide: a provider may rotate what it is asked with.
    let kept: Promise<void> | undefined;
    let asked: Promise<Standing> | undefined;
    let facts: Promise<Standing> | undefined;
    const decide = async (grant: Grant): Promise<GrantDecision> => {
      const decided = await confirmedDecision(grant);
      if (!people || decided.outcome !== 'issue' || admits(people, decided.next)) return decided;
      // Too little may be known: only what the list named was kept, and the list may have changed. The provider knows.
      if (kind === 'refresh-token' && grant.sessionDueAt !== undefined && mayBeListed(people)) {
        facts ??= sessions.check(grantId, grant, 'facts');
        asked = facts;
        const standing = await facts;
        const again = confirm(grant, decided, standing, now);
        if (again.outcome !== 'issue' || admits(people, again.next)) return again;
        // Nobody is thrown out, and nobody let in, on the word of nobody.
        if (standing.outcome === 'unknown') return { outcome: 'postpone', retrySeconds: retryUnknownSeconds };
      }
      return { outcome: 'revoke', next: notListed(grant, now) };
    };
    const confirmedDecision = async (grant: Grant): Promise<GrantDecision> => {
      const decided = present(grant, presented, request, lifetimes, now);
      if (decided.outcome !== 'issue' || grant.sessionDueAt === undefined) return decided;
      if (kind === 'authorization-code') {
        // Before the grant moves: one that is redeemed has its session (no grant without it).
        kept ??= sessions.keep(grantId, grant, refreshable);
        await kept;
        return decided;
      }
      // A replay repeats an answer and asks nobody; what this very request has learnt counts for it too.
      if (!decided.replay && isDue(grant, lifetimes.identityCheckSeconds, now))
        asked ??= sessions.check(grantId, grant);
      return asked ? confirm(grant, decided, await asked, now) : decided;
    };

    let accessToken = '';
    const decision = await update<AuthRecords, 'grant', GrantDecision | undefined>(
      records,
      'grant',
      grantId,
      async (stored) => {
        if (!stored) return { result: undefined };
        const decided = await decide(stored.value);
        if (decided.outcome === 'refuse' || decided.outcome === 'postpone') return { result: decided };
        // Signed before the grant moves: a signer that is away must not cost anybody their code (REL-02).
        if (decided.outcome === 'issue') accessToken = await issue(authorizationOf(decided, grantId, client));
        return {
          write: { value: decided.next, expiresAt: keepUntil(decided.next, refreshable, now) },
          result: decided,
        };
      },
      { tries },
    ).catch((error: unknown) => {
      throw error instanceof ContentionError ? unavailable('grant.contention', error) : error;
    });

    if (!decision) throw invalidGrant('grant.unknown');
    if (decision.outcome === 'refuse') throw refusal(decision.reason);
    if (decision.outcome === 'postpone') throw unconfirmed(decision.retrySeconds);
    if (decision.outcome === 'revoke') {
      grantEnded(grantId); // the guards of this process need not find out
      const { endReason } = decision.next;
      const standing = endReason === 'identity_ended' ? await asked : undefined;
      const unlisted = endReason === 'not_listed';
      log({
        event: standing ? 'grant.identity_ended' : unlisted ? 'grant.not_listed' : 'grant.replayed',
        grant: grantId,
        client: logName(client.id),
        person: decision.next.subject.slice(0, 8),
        reason: standing?.outcome === 'over' ? standing.reason : unlisted ? 'people.not_listed' : `grant.${endReason}`,
      });
      await sessions.end(grantId);
      throw invalidGrant(unlisted ? 'people.not_listed' : `grant.${endReason}`);
    }
    return { ...issued(decision, grantId, client, refreshable), accessToken };
  };

  /** A grant that cannot be refreshed is needed for as long as its access token lives; an ended one likewise. */
  function keepUntil(grant: Grant, refreshable: boolean, now: number): number {
    if (grant.endedAt !== undefined || !refreshable) return now + lifetimes.accessTokenSeconds + 300;
    return Math.min(now + lifetimes.refreshIdleSeconds, endOf(grant, lifetimes));
  }

  /** Roles are looked up at every issue: a rule that the operator changed counts from the next refresh. */
  function authorizationOf({ next, scope }: Issuing, grantId: string, client: Client): Authorization {
    const { subject, identity, groups = [], resource } = next;
    const standing = roles && rolesFrom({ subject, groups }, roles);
    const endsAt = endOf(next, lifetimes);
    return { grantId, subject, identity, clientId: client.id, resource, scope, endsAt, ...standing };
  }

  function issued(decision: Issuing, grantId: string, client: Client, refreshable: boolean): GrantTypeResult {
    return {
      authorization: authorizationOf(decision, grantId, client),
      // A replay derives the very token the first answer carried: parallel refreshes end in one generation.
      ...(refreshable && { refreshToken: refreshToken(keyring, grantId, decision.next.generation) }),
      replay: decision.replay,
    };
  }
}

type Issuing = Extract<GrantDecision, { outcome: 'issue' }>;

function refusal(reason: GrantRefusal): OAuthError {
  if (reason === 'grant.other_resource') {
    return new OAuthError('invalid_target', 'The grant is for another resource.', { reason });
  }
  if (reason === 'grant.scope') {
    return new OAuthError('invalid_scope', 'Nothing of the requested scope was granted.', { reason });
  }
  return invalidGrant(reason);
}

/** Not `invalid_grant`: nobody said that the person is gone, and clients throw their tokens away on that (REL-02). */
function unconfirmed(retrySeconds: number): OAuthError {
  return new OAuthError('temporarily_unavailable', 'The identity provider cannot be reached; try again later.', {
    headers: { 'retry-after': String(retrySeconds) },
    reason: 'session.stale',
  });
}

/** One description for all of it (SEC-13); clients drop their tokens on this code and on no other. */
function invalidGrant(reason: string): OAuthError {
  return new OAuthError(
    'invalid_grant',
    'The code or refresh token is invalid, expired, revoked, or was issued for another client, redirect URI or verifier.',
    { reason },
  );
}
