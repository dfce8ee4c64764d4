/**
 * The identity provider's access token of the person behind an access token of ours, for a target that acts as them at the
 * provider. From memory for a minute, else from the sealed session of the grant, renewed before it ends. It goes nowhere else
 * (SEC-07), and only where the operator said so for the resource.
 */
import type { Records } from '@mcp-gatehouse/records';
import { boundedMap } from '../net/bounded-map.ts';
import { describeCause } from '../oauth/error.ts';
import type { Resource } from '../oauth/resource.ts';
import type { AccessToken } from '../resource-server/access-token.ts';
import type { Keyring } from '../sealing/keyring.ts';
import type { Grant } from './grant.ts';
import type { IdentitySessions } from './identity-session.ts';
import { type IdentitySession, passesTokenOn, tokenContext, tokenGoodUntil } from './identity-session-record.ts';
import type { Log } from './parts.ts';

export type ProviderTokenOutcome =
  /** For the `Authorization` header of the request to the target; `expiresAt` in seconds since the epoch where it is known. */
  | { readonly outcome: 'token'; readonly token: string; readonly expiresAt?: number }
  /** There is none for this caller: a machine, or a sign-in that left no session. No retry helps, signing in anew may. */
  | { readonly outcome: 'none' }
  /** The grant is over: as an access token that has been revoked. */
  | { readonly outcome: 'gone' }
  /** Nobody could say in time; the same may work after so many seconds. */
  | { readonly outcome: 'unavailable'; readonly retrySeconds: number };

/** Never rejects. `token` is one the guard of the resource let in. */
export type ProviderTokenFor = (token: AccessToken) => Promise<ProviderTokenOutcome>;

export interface ProviderTokensOptions {
  readonly issuer: string;
  readonly resources: readonly Resource[];
  readonly records: Records<{ grant: Grant; identitySession: IdentitySession }>;
  readonly keyring: Pick<Keyring, 'open'>;
  readonly sessions: Pick<IdentitySessions, 'check' | 'endGrant'>;
  readonly log: Log;
  readonly now: () => number;
}

/** How long another instance's renewal, or the end of a session, may stay unseen. */
const rememberedSeconds = 60;
const maxRemembered = 10_000;
const soonSeconds = 2;
/** Seconds before each further look at what another instance is asking the provider for. */
const looks = [0.2, 0.4, 0.8, 1.2];

interface Remembered {
  readonly answer: ProviderTokenOutcome;
  readonly readAt: number;
  readonly until: number;
}

export function providerTokens(options: ProviderTokensOptions): ProviderTokenFor {
  const { issuer, resources, records, keyring, sessions, log, now } = options;
  const remembered = boundedMap<Remembered>(maxRemembered);
  const underWay = new Map<string, Promise<ProviderTokenOutcome>>();

  return async ({ grantId, audience, issuer: from }) => {
    // A grant's id means something in our own tokens alone.
    if (grantId === undefined || from !== issuer || !passesTokenOn(resources, audience)) return { outcome: 'none' };
    const known = remembered.get(grantId);
    const time = now();
    if (known && time >= known.readAt && time < known.until) return known.answer;
    const asked = underWay.get(grantId);
    if (asked) return asked;
    const flight = find(grantId, audience)
      .catch((error: unknown): ProviderTokenOutcome => {
        log({ event: 'fault', reason: 'session.token_unread', grant: grantId, cause: describeCause(error) });
        return notNow(grantId, soonSeconds);
      })
      .finally(() => underWay.delete(grantId));
    underWay.set(grantId, flight);
    return flight;
  };

  async function find(grantId: string, audience: string): Promise<ProviderTokenOutcome> {
    const session = await read(grantId);
    if (!session) return withoutSession(grantId);
    // The provider gave none, or the resource did not pass it on when it last did.
    if (!session.accessToken) return remember(grantId, session, { outcome: 'none' });
    const held = tokenOf(grantId, session);
    if (held && now() < tokenGoodUntil(session)) return remember(grantId, session, held);
    return renewed(grantId, audience);
  }

  async function renewed(grantId: string, audience: string): Promise<ProviderTokenOutcome> {
    const stored = await records.get('grant', grantId);
    if (!stored || stored.value.endedAt !== undefined) return { outcome: 'gone' };
    if (stored.value.resource !== audience) return { outcome: 'none' };
    const standing = await sessions.check(grantId, stored.value, 'token');
    if (standing.outcome === 'over') {
      await sessions.endGrant(grantId, standing.reason);
      return { outcome: 'gone' };
    }
    for (const pause of [...looks, undefined]) {
      const session = await read(grantId);
      if (!session) return { outcome: 'gone' };
      if (!session.accessToken) return remember(grantId, session, { outcome: 'none' });
      // What lives on for less than a request may take is better than nothing, where nothing better is to be had.
      const held = tokenOf(grantId, session);
      if (held) return remember(grantId, session, held);
      // Somebody else is asking for all of us; without them there is nothing to wait for.
      if (pause === undefined || !session.attempt || standing.outcome === 'confirmed')
        return notNow(grantId, Math.max(soonSeconds, (session.retryAt ?? 0) - now()));
      await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    }
    return notNow(grantId, soonSeconds);
  }

  async function read(grantId: string): Promise<IdentitySession | undefined> {
    const stored = await records.get('identitySession', grantId);
    return stored?.value.over ? undefined : stored?.value;
  }

  /** The guard let the caller in: without a session there never was one, or the grant has ended since. */
  async function withoutSession(grantId: string): Promise<ProviderTokenOutcome> {
    const stored = await records.get('grant', grantId);
    const never = stored && stored.value.endedAt === undefined && stored.value.sessionDueAt === undefined;
    return { outcome: never ? 'none' : 'gone' };
  }

  /** Undefined: it has ended, or the secret that sealed it is gone. */
  function tokenOf(grantId: string, { accessToken }: IdentitySession): ProviderTokenOutcome | undefined {
    if (!accessToken) return undefined;
    const { sealed, endsAt } = accessToken;
    if (endsAt !== undefined && now() >= endsAt) return undefined;
    const token = keyring.open(tokenContext(grantId), sealed);
    return token === undefined
      ? undefined
      : { outcome: 'token', token, ...(endsAt !== undefined && { expiresAt: endsAt }) };
  }

  function remember(grantId: string, session: IdentitySession, answer: ProviderTokenOutcome): ProviderTokenOutcome {
    const readAt = now();
    const until = Math.min(readAt + rememberedSeconds, tokenGoodUntil(session));
    remembered.set(grantId, { answer, readAt, until });
    return answer;
  }

  /** Remembered for a moment: who asks again and again must not make a bad hour of records or provider worse. */
  function notNow(grantId: string, retrySeconds: number): ProviderTokenOutcome {
    const answer = { outcome: 'unavailable', retrySeconds } as const;
    const readAt = now();
    remembered.set(grantId, { answer, readAt, until: readAt + soonSeconds });
    return answer;
  }
}
