/** Grants and their refresh tokens: issue, redeem, rotate, revoke (RFC 6749 §6, RFC 7009, Cognito's token rotation). */
import { randomUUID } from 'node:crypto';
import { randomToken, sha256 } from '../secrets.ts';
import type { GrantRecord, State } from './state-file.ts';

/** A revoked grant is remembered as long as an access token of it can live: Cognito's longest is a day. */
const LONGEST_ACCESS_TOKEN_SECONDS = 86_400;

export type Grant = GrantRecord & { readonly originJti: string };

export interface Grants {
  /** Records a sign-in and returns it with its first refresh token. */
  open(grant: GrantRecord): Promise<{ grant: Grant; refreshToken: string }>;
  /**
   * Redeems a refresh token at the client it was issued to; undefined if it is unknown, expired, revoked, rotated out
   * or another client's. With `rotation` it answers with the next token too; the presented one lives on for the grace
   * period, counted from its first use.
   */
  redeem(
    refreshToken: string,
    clientId: string,
    rotation?: { retryGracePeriodSeconds: number },
  ): Promise<{ grant: Grant; refreshToken?: string } | undefined>;
  /** Ends the grant of a refresh token, and with it every token of the grant. */
  revoke(refreshToken: string, clientId: string): Promise<'revoked' | 'unknown' | 'of another client'>;
  isRevoked(originJti: string): boolean;
}

export function createGrants(state: State, now: () => number): Grants {
  const { grants, refreshTokens } = state.data;

  const issue = (originJti: string): string => {
    const token = randomToken(96);
    refreshTokens[sha256(token)] = { originJti };
    return token;
  };
  const find = (token: string) => {
    const record = refreshTokens[sha256(token)];
    const grant = record && grants[record.originJti];
    return record && grant && grant.expiresAt > now() && !grant.revoked ? { record, grant } : undefined;
  };
  const sweep = () => {
    for (const [originJti, grant] of Object.entries(grants)) {
      if (grant.expiresAt + LONGEST_ACCESS_TOKEN_SECONDS <= now()) delete grants[originJti];
    }
    for (const [hash, { originJti }] of Object.entries(refreshTokens)) {
      if (!grants[originJti] || grants[originJti].revoked) delete refreshTokens[hash];
    }
  };

  return {
    async open(record) {
      sweep();
      const originJti = randomUUID();
      grants[originJti] = record;
      const refreshToken = issue(originJti);
      await state.save();
      return { grant: { ...record, originJti }, refreshToken };
    },

    async redeem(token, clientId, rotation) {
      const found = find(token);
      if (!found || found.grant.clientId !== clientId) return undefined;
      const { record } = found;
      const grant = { ...found.grant, originJti: record.originJti };
      const grace = rotation?.retryGracePeriodSeconds ?? 0;
      if (record.rotatedAt !== undefined && now() >= record.rotatedAt + grace) return undefined;
      if (!rotation) return { grant };
      record.rotatedAt ??= now();
      const refreshToken = issue(record.originJti);
      await state.save();
      return { grant, refreshToken };
    },

    async revoke(token, clientId) {
      const found = find(token);
      if (!found) return 'unknown';
      if (found.grant.clientId !== clientId) return 'of another client';
      found.grant.revoked = true;
      sweep();
      await state.save();
      return 'revoked';
    },

    isRevoked: (originJti) => grants[originJti]?.revoked === true,
  };
}
