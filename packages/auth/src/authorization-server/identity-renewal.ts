/**
 * One renewal of an identity provider's session: a lease with one winner over all instances, one question, the answer
 * stored whenever it comes. A provider that is slow or away holds up no refresh until what it last said is stale.
 *
 * A process that ends between the provider's answer and our write may leave a session that the provider has since
 * rotated. The next answer is then a definite no although the person may be welcome. It ends the grant all the same, for
 * nobody can tell the one from the other; the log says that an attempt was lost (`session.lost_attempt`).
 */
import { randomBytes } from 'node:crypto';
import { update } from '@mcp-gatehouse/records';
import { IdentityProviderError, type RenewedSession } from '../identity-providers/identity-provider.ts';
import { describeCause } from '../oauth/error.ts';
import { countedGroups } from '../resource-server/require.ts';
import { type Grant, identityEnded, type Standing, skewSeconds } from './grant.ts';
import type { IdentitySessionOptions, IdentitySessions } from './identity-session.ts';
import {
  describeWithout,
  type IdentitySession,
  isUsableSession,
  passesTokenOn,
  sealedToken,
  sessionContext,
  sessionEnd,
  tokenGoodUntil,
  within,
} from './identity-session-record.ts';
import { listedDomain } from './people.ts';

export interface RenewalOptions extends IdentitySessionOptions {
  readonly waitSeconds: number;
  readonly end: IdentitySessions['end'];
  readonly discard: IdentitySessions['discard'];
}

/**
 * Nobody else asks while somebody does: as long as a provider may take for an answer and we for storing it, and by every
 * instance's clock (REL-05: up to five minutes apart). Two who ask with one session end the grant where a provider
 * rotates; a lease that outlives its process holds up nobody but who is stale.
 */
const leaseSeconds = 60 + 300;
/** While somebody asks, an answer is a moment away: whoever has to wait for it comes again soon. */
const soonSeconds = 5;
const longestPauseSeconds = 15 * 60;

/** Seconds before each further try to store an answer: it may hold the only session that the provider still takes. */
const storePauses = [0.2, 1, 3, 9];

/** The question one request asks on behalf of all. */
interface Attempt {
  readonly grantId: string;
  readonly grant: Grant;
  readonly by: string;
  readonly text: string;
  /** As it is once the attempt is off it. */
  readonly session: IdentitySession;
  /** When the record may go that will be looked at again at `dueAt`. */
  readonly until: (dueAt: number) => number;
}

export function renewal(options: RenewalOptions): Pick<IdentitySessions, 'check' | 'endGrant'> {
  const { records, keyring, identityProvider, roles, people, resources = [] } = options;
  const { lifetimes, log, now, waitSeconds } = options;
  const { identityCheckSeconds, identityStaleSeconds, accessTokenSeconds } = lifetimes;

  return { check, endGrant };

  async function check(grantId: string, grant: Grant, need?: 'token' | 'facts'): Promise<Standing> {
    const stored = await records.get('identitySession', grantId);
    if (!stored || stored.value.over) return { outcome: 'over', reason: 'session.missing' };
    const session = stored.value;
    const time = now();
    const age = time - session.renewedAt;
    // Somebody else's answer, or one that came too late for its own refresh.
    const recent = age >= -skewSeconds && age < identityCheckSeconds;
    const enough = need === undefined || (need === 'token' && time < tokenGoodUntil(session));
    if (recent && enough) return confirmed(session);

    const text = identityProvider.renew && keyring.open(sessionContext(grantId), session.sealed);
    if (text === undefined) return unaskable(grantId, session);
    if (waits(session.attempt?.leaseUntil, time) || waits(session.retryAt, time)) return unknown(session);
    const by = randomBytes(9).toString('base64url');
    const { attempt: lost, ...before } = session;
    const taken: IdentitySession = lost ? { ...before, failures: before.failures + 1, lost: true } : before;
    const leaseUntil = time + Math.max(leaseSeconds, pauseAfter(taken.failures));
    const leased = { ...taken, attempt: { by, leaseUntil } };
    // Of a client that cannot refresh the session ends with its access token, whatever is asked for meanwhile.
    const short = need === 'token' && (stored.expiresAt ?? Infinity) <= time + accessTokenSeconds + 300;
    const until = (dueAt: number) =>
      short && stored.expiresAt !== undefined ? stored.expiresAt : sessionEnd(grant, dueAt, lifetimes);
    if (!(await records.replace('identitySession', stored, leased, until(leaseUntil)))) return unknown(session);

    const asking = ask({ grantId, grant, by, text, session: taken, until });
    const standing = await within(waitSeconds, asking);
    if (standing) return standing;
    log({ event: 'session.slow', grant: grantId });
    const later = asking.then((late) => (late.outcome === 'over' ? endGrant(grantId, late.reason) : undefined));
    options.background?.(later);
    return unknown(leased);
  }

  /** Never rejects: it may go on when nobody waits for it any more. */
  async function ask(attempt: Attempt): Promise<Standing> {
    const { grantId, grant, text, session } = attempt;
    let answer: RenewedSession;
    try {
      answer = readAnswer(await identityProvider.renew?.(text, grant.identity));
    } catch (error) {
      const known = error instanceof IdentityProviderError;
      const reason = known ? error.reason : 'session.fault';
      if (known && !error.transient) {
        // Of an attempt that came to no end nobody knows whether the provider rotated the session in it.
        if (session.lost) log({ event: 'session.lost_attempt', grant: grantId, reason });
        // Before the grant: should that not be stored, the no is there for the next refresh, and nobody asks again.
        await storePatiently(attempt, { ...session, over: true }, now(), []);
        return { outcome: 'over', reason };
      }
      const cause = describeWithout(text, known ? error.cause : error);
      log({ event: 'session.unanswered', grant: grantId, reason, failures: session.failures + 1, cause });
      const standing = await failed(attempt, known ? error.session : undefined);
      // No waiting makes it a session of the provider that is configured now; only a new sign-in does.
      return standing.outcome === 'stale' && reason === 'idp.session.other_issuer'
        ? { outcome: 'over', reason }
        : standing;
    }
    const time = now();
    const { emailDomain: domain = session.emailDomain, accessToken } = answer;
    const emailDomain = listedDomain(people, domain);
    const renewed: IdentitySession = {
      sealed: keyring.seal(sessionContext(grantId), answer.session),
      groups: countedGroups(answer.groups, roles, people?.groups),
      ...(emailDomain !== undefined && { emailDomain }),
      ...(passesTokenOn(resources, grant.resource) && sealedToken(keyring, grantId, accessToken, time)),
      renewedAt: time,
      failures: 0,
    };
    const outcome = await storePatiently(attempt, renewed, renewed.renewedAt + identityCheckSeconds);
    if (outcome === 'over') {
      // The grant ended meanwhile, and its end knew only the session before this one.
      await options.discard(answer.session);
      return { outcome: 'over', reason: 'session.missing' };
    }
    log({ event: `session.${outcome}`, grant: grantId });
    return confirmed(renewed);
  }

  /** `rotated`: nobody knows about the person, and still the provider takes only this from now on. */
  async function failed(attempt: Attempt, rotated: string | undefined): Promise<Standing> {
    const failures = attempt.session.failures + 1;
    const retryAt = now() + pauseAfter(failures);
    const sealed = isUsableSession(rotated) && keyring.seal(sessionContext(attempt.grantId), rotated);
    const next = { ...attempt.session, ...(sealed && { sealed }), failures, retryAt };
    const outcome = await storePatiently(attempt, next, retryAt, sealed ? storePauses : []);
    if (outcome === 'over') {
      await options.discard(rotated);
      return { outcome: 'over', reason: 'session.missing' };
    }
    return unknown(next, retryAt);
  }

  async function storePatiently(
    attempt: Attempt,
    value: IdentitySession,
    dueAt: number,
    pauses: readonly number[] = storePauses,
  ): Promise<'renewed' | 'unstored' | StoreFault> {
    for (const pause of [...pauses, undefined]) {
      try {
        return (await store(attempt, value, dueAt)) ?? 'renewed';
      } catch (error) {
        // Given up: the lease ends by itself, and the attempt counts as lost.
        const fault = { event: 'fault' as const, reason: 'session.unstored', grant: attempt.grantId };
        if (pause === undefined) log({ ...fault, cause: describeCause(error) });
        else await new Promise((resolve) => setTimeout(resolve, pause * 1000));
      }
    }
    return 'unstored';
  }

  /** Only into the record that still carries this attempt: after its lease another one may have asked. */
  function store({ grantId, by, until }: Attempt, value: IdentitySession, dueAt: number) {
    return update<Stored, 'identitySession', StoreFault | undefined>(records, 'identitySession', grantId, (found) => {
      if (!found || found.value.over) return { result: 'over' };
      if (found.value.attempt?.by !== by) return { result: 'overtaken' };
      return { write: { value, expiresAt: until(dueAt) }, result: undefined };
    });
  }

  /** No refresh was there to hear that the provider said no: what it was given ends now. */
  async function endGrant(grantId: string, reason: string): Promise<void> {
    try {
      const grant = await update<Stored, 'grant', Grant | undefined>(records, 'grant', grantId, (stored) => {
        if (!stored || stored.value.endedAt !== undefined) return { result: undefined };
        const value = identityEnded(stored.value, now());
        return { write: { value, expiresAt: now() + accessTokenSeconds + 300 }, result: value };
      });
      if (!grant) return;
      options.grantEnded(grantId);
      const [client, person] = [grant.clientDigest.slice(0, 8), grant.subject.slice(0, 8)];
      log({ event: 'grant.identity_ended', grant: grantId, client, person, reason });
      await options.end(grantId);
    } catch (error) {
      // The attempt stays unfinished, so the provider is asked once more when its lease is over.
      log({ event: 'fault', reason: 'session.end_unstored', grant: grantId, cause: describeCause(error) });
    }
  }

  function confirmed({ groups, emailDomain, renewedAt }: IdentitySession): Standing {
    const dueAt = renewedAt + identityCheckSeconds;
    return { outcome: 'confirmed', groups, ...(emailDomain !== undefined && { emailDomain }), dueAt };
  }

  /** Nobody knows; for how long that may be so counts from the last answer, and one from a far future counts for nothing. */
  function unknown({ renewedAt, retryAt, attempt }: IdentitySession, dueAt?: number): Standing {
    const time = now();
    if (Math.abs(time - renewedAt) >= identityStaleSeconds) {
      const waitSeconds = attempt ? soonSeconds : (retryAt ?? time) - time;
      return { outcome: 'stale', retrySeconds: Math.max(2, waitSeconds) };
    }
    // Looked at again no later than when it is stale.
    return dueAt === undefined
      ? { outcome: 'unknown' }
      : { outcome: 'unknown', dueAt: Math.min(dueAt, renewedAt + identityStaleSeconds) };
  }

  /** Its key is gone or the provider no longer offers it: the operator has until it is stale to bring that back. */
  function unaskable(grantId: string, session: IdentitySession): Standing {
    const reason = identityProvider.renew ? 'session.key_gone' : 'session.no_renewal';
    const standing = unknown(session, now() + longestPauseSeconds);
    log({ event: 'session.unaskable', grant: grantId, reason });
    return standing.outcome === 'stale' ? { outcome: 'over', reason } : standing;
  }
}

type Stored = { grant: Grant; identitySession: IdentitySession };
type StoreFault = 'over' | 'overtaken';

function pauseAfter(failures: number): number {
  return failures === 0 ? 0 : Math.min(60 * 2 ** (failures - 1), longestPauseSeconds);
}

/** No wait of ours is longer than the longest: a clock that was set back must not make it so. */
function waits(until: number | undefined, time: number): boolean {
  return until !== undefined && time < until && until - time <= longestPauseSeconds;
}

/** The interface is typed, and a provider may be anybody's. */
function readAnswer(answer: RenewedSession | undefined): RenewedSession {
  if (!isUsableSession(answer?.session)) throw new Error('the renewed session is no usable text');
  const { groups, session, emailDomain, accessToken } = answer;
  if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string')) {
    throw new Error('the groups are no list of names');
  }
  return { groups, session, ...(emailDomain !== undefined && { emailDomain }), ...(accessToken && { accessToken }) };
}
