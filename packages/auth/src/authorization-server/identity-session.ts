/**
 * The identity provider's session that hangs on a grant: kept sealed, asked again once an interval, ended with the grant.
 * It is what takes a person's refresh tokens away once the provider no longer knows them (RFC 9700 §4.14.2).
 */
import { type Records, update } from '@mcp-gatehouse/records';
import type { IdentityProvider, ProviderToken } from '../identity-providers/identity-provider.ts';
import { describeCause } from '../oauth/error.ts';
import type { Resource } from '../oauth/resource.ts';
import type { RoleRules } from '../resource-server/require.ts';
import type { Keyring } from '../sealing/keyring.ts';
import type { Grant, Standing } from './grant.ts';
import { renewal } from './identity-renewal.ts';
import {
  describeWithout,
  type IdentitySession,
  isUsableSession,
  sealedToken,
  sessionContext,
  sessionEnd,
  within,
} from './identity-session-record.ts';
import type { Lifetimes, Log } from './parts.ts';
import type { People } from './people.ts';

export interface IdentitySessionOptions {
  readonly records: Records<{ grant: Grant; identitySession: IdentitySession }>;
  readonly keyring: Pick<Keyring, 'seal' | 'open'>;
  readonly identityProvider: Pick<IdentityProvider, 'renew' | 'end'>;
  readonly roles?: RoleRules;
  readonly people?: People;
  /** Those that pass the provider's access token on are the only ones it is kept for; none unless told. */
  readonly resources?: readonly Resource[];
  readonly lifetimes: Pick<
    Lifetimes,
    'identityCheckSeconds' | 'identityStaleSeconds' | 'refreshIdleSeconds' | 'grantSeconds' | 'accessTokenSeconds'
  >;
  /** Told of a grant that ended because of an answer that came after its refresh had gone on. */
  readonly grantEnded: (grantId: string) => void;
  /** Told of work that goes on when its request has been answered, and that nobody else can do again. */
  readonly background?: (work: Promise<void>) => void;
  readonly log: Log;
  readonly now: () => number;
  /** The longest that a request waits for the provider; 3 unless told. */
  readonly waitSeconds?: number;
}

export interface IdentitySessions {
  /**
   * Stores the session before there is a grant, until `expiresAt`, soon. Gives when the provider is to be asked;
   * undefined: it cannot be, and nothing is kept.
   */
  hold(grantId: string, signIn: HeldSignIn, expiresAt: number): Promise<number | undefined>;
  /** The code is being redeemed: from now on the session lives as long as the grant can. */
  keep(grantId: string, grant: Grant, refreshable: boolean): Promise<void>;
  /**
   * What is known of the person of a grant that is due; asks the provider where nobody else does. `need`: asks also where it
   * was asked lately, for an access token that lives on, or for facts that were not kept when it answered.
   */
  check(grantId: string, grant: Grant, need?: 'token' | 'facts'): Promise<Standing>;
  /** Ends a grant of whose person the provider said no when no refresh was there to hear it. Never rejects. */
  endGrant(grantId: string, reason: string): Promise<void>;
  /** Ends the session of a grant that is over, at the provider and here. Bears repetition; never rejects. */
  end(grantId: string): Promise<void>;
  /** Ends at the provider a session that no grant hangs on. Never rejects. */
  discard(session: string | undefined): Promise<void>;
}

export interface HeldSignIn {
  readonly session: string | undefined;
  /** Those that count. */
  readonly groups: readonly string[];
  readonly emailDomain?: string | undefined;
  /** Where the resource passes it on. */
  readonly accessToken?: ProviderToken | undefined;
  readonly signedInAt: number;
}

export function identitySessions(options: IdentitySessionOptions): IdentitySessions {
  const { records, keyring, identityProvider, lifetimes, log, now, waitSeconds = 3 } = options;
  const { identityCheckSeconds, accessTokenSeconds } = lifetimes;

  async function endAtProvider(session: string, grantId?: string): Promise<boolean> {
    try {
      await identityProvider.end?.(session);
      return true;
    } catch (error) {
      const cause = describeWithout(session, error);
      log({ event: 'session.left', ...(grantId !== undefined && { grant: grantId }), cause });
      return false;
    }
  }

  async function discard(session: string | undefined): Promise<void> {
    if (session !== undefined) await within(waitSeconds, endAtProvider(session));
  }

  async function end(grantId: string): Promise<void> {
    const ending = endNow(grantId).catch((error: unknown) =>
      log({ event: 'session.left', grant: grantId, cause: describeCause(error) }),
    );
    await within(waitSeconds, ending);
  }

  async function endNow(grantId: string): Promise<void> {
    // First: a renewal that is under way finds no place for its answer, and discards it (identity-renewal.ts).
    const ended = await update<{ identitySession: IdentitySession }, 'identitySession', IdentitySession | undefined>(
      records,
      'identitySession',
      grantId,
      (stored) => {
        if (!stored) return { result: undefined };
        const { accessToken: _, ...kept } = stored.value;
        const value: IdentitySession = { ...kept, over: true };
        // Kept as long as the ended grant is: whoever revokes that once more tries this once more.
        return { write: { value, expiresAt: now() + accessTokenSeconds + 300 }, result: value };
      },
    );
    if (!ended) return;
    const session = keyring.open(sessionContext(grantId), ended.sealed);
    if (session === undefined || (await endAtProvider(session, grantId)))
      await records.take('identitySession', grantId);
  }

  return {
    async hold(grantId, { session, groups, emailDomain, accessToken, signedInAt }, expiresAt) {
      if (session === undefined) return undefined;
      if (identityProvider.renew === undefined || !isUsableSession(session)) {
        log({ event: 'session.unusable', grant: grantId });
        await discard(session);
        return undefined;
      }
      const sealed = keyring.seal(sessionContext(grantId), session);
      const held = {
        sealed,
        groups,
        ...(emailDomain !== undefined && { emailDomain }),
        ...sealedToken(keyring, grantId, accessToken, signedInAt),
        renewedAt: signedInAt,
        failures: 0,
      };
      await records.create('identitySession', grantId, held, expiresAt);
      return signedInAt + identityCheckSeconds;
    },
    async keep(grantId, grant, refreshable) {
      const expiresAt = refreshable
        ? sessionEnd(grant, grant.sessionDueAt ?? now(), lifetimes)
        : now() + accessTokenSeconds + 300;
      // An absent one stays absent: the first refresh that is due ends the grant.
      await update(records, 'identitySession', grantId, (stored) => ({
        write: stored && { value: stored.value, expiresAt },
        result: undefined,
      }));
    },
    ...renewal({ ...options, waitSeconds, end, discard }),
    end,
    discard,
  };
}
