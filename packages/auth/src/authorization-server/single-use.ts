/**
 * What may be used once, across instances: the `jti` of an assertion (RFC 7523 §3, SEC-01). `create` of a record is the
 * one atomic step; of any number of parallel callers on any database, one creates.
 */
import type { Kinds, Records } from '@mcp-gatehouse/records';
import { digest } from './credential.ts';

/** What a spent assertion leaves behind. Nothing in it can be presented. */
export interface SpentAssertion {
  /** Seconds since the epoch. */
  readonly spentAt: number;
}

// A type and not an interface: RecordMap wants an index signature, which an interface lacks.
export type SingleUseRecords = { spentAssertion: SpentAssertion };

export const singleUseKinds: Kinds<SingleUseRecords> = { spentAssertion: {} };

/** Two uses never share a name: what is spent as the one is not spent as the other (SEC-19, CVE-2026-4282). */
export type SingleUsePurpose = 'client-assertion' | 'id-jag';

export interface SingleUse {
  /**
   * True for the first caller and for no other, until `expiresAt` and a while beyond. Rejects when the database is away:
   * then nobody knows, and nobody may pass.
   */
  spend(purpose: SingleUsePurpose, issuer: string, id: string, expiresAt: number): Promise<boolean>;
}

/**
 * How much longer than the assertion its record lives. An instance whose clock runs ahead would otherwise sweep the
 * record while one that is behind still accepts the assertion (REL-05).
 */
const keepSeconds = 15 * 60;

export function singleUse(records: Records<SingleUseRecords>, now: () => number): SingleUse {
  return {
    spend(purpose, issuer, id, expiresAt) {
      // Hashed as a JSON list: names of any length and any bytes, and no two triples run together.
      const recordId = digest(JSON.stringify([purpose, issuer, id]));
      return records.create('spentAssertion', recordId, { spentAt: now() }, Math.ceil(expiresAt) + keepSeconds);
    },
  };
}
