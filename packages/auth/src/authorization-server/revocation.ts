/**
 * The end of a grant by somebody's will (RFC 7009 §2.1): one compare-and-swap, and with it the code, every refresh token
 * and every access token of the grant are over. What hangs on the grant elsewhere is told afterwards.
 */
import { ContentionError, type Records, update } from '@mcp-gatehouse/records';
import { unavailable } from '../oauth/error.ts';
import type { Grant } from './grant.ts';
import type { Lifetimes, Log } from './parts.ts';

/** `client` at the revocation endpoint, `person` on their own page, `operator` at the command line. */
export type RevokedBy = 'client' | 'person' | 'operator';

/** `over`: there was nothing left to end. `refused`: the grant is not theirs; nothing changed. */
export type RevocationOutcome = 'ended' | 'over' | 'refused';

/** Throws 503 where it cannot be known whether the grant has ended, and never says it has when it has not (CVE-2020-15223). */
export type EndGrant = (
  grantId: string,
  by: RevokedBy,
  isTheirs: (grant: Grant) => boolean,
  /** `later`: the caller ends the provider's session, when every grant that must be over is over. */
  session?: 'now' | 'later',
) => Promise<RevocationOutcome>;

export interface RevocationOptions {
  readonly records: Records<{ grant: Grant }>;
  readonly lifetimes: Pick<Lifetimes, 'accessTokenSeconds'>;
  readonly log: Log;
  readonly now: () => number;
  /** Told of an ended grant, so that the guards of this instance need not find out: `GrantStates.ended`. */
  readonly grantEnded?: (grantId: string) => void;
  /**
   * The cascade to the identity provider, for whoever keeps its session with the grant: called after the grant has ended,
   * and again when an ended grant is revoked again, so it must bear repetition. Never rejects.
   */
  readonly endSession?: (grantId: string) => Promise<void>;
}

/** Refreshes of the grant write the same record; the revocation must come through between them. */
const tries = 16;

export function revocation(options: RevocationOptions): EndGrant {
  const { records, lifetimes, log, now, grantEnded, endSession } = options;
  return async (grantId, by, isTheirs, session = 'now') => {
    const { outcome, grant } = await update<
      { grant: Grant },
      'grant',
      { readonly outcome: RevocationOutcome; readonly grant?: Grant }
    >(
      records,
      'grant',
      grantId,
      (stored) => {
        if (!stored) return { result: { outcome: 'over' } };
        const grant = stored.value;
        if (!isTheirs(grant)) return { result: { outcome: 'refused' } };
        if (grant.endedAt !== undefined) return { result: { outcome: 'over', grant } };
        const ended: Grant = { ...grant, endedAt: now(), endReason: 'revoked' };
        return {
          // Kept until its last access token has expired: the guards ask for it until then.
          write: { value: ended, expiresAt: now() + lifetimes.accessTokenSeconds + 300 },
          result: { outcome: 'ended', grant: ended },
        };
      },
      { tries },
    ).catch((error: unknown) => {
      throw error instanceof ContentionError ? unavailable('grant.contention', error) : error;
    });
    if (outcome === 'ended') {
      log({
        event: 'grant.revoked',
        grant: grantId,
        by,
        client: grant?.clientDigest.slice(0, 8),
        person: grant?.subject.slice(0, 8),
      });
    }
    if (grant) {
      grantEnded?.(grantId);
      if (session === 'now') await endSession?.(grantId);
    }
    return outcome;
  };
}
