/** Authorization codes (RFC 6749 §4.1.2): five minutes, one use, kept in memory. */
import { randomUUID } from 'node:crypto';
import { ExpiringMap } from './expiring-map.ts';

export const CODE_SECONDS = 300;

export interface AuthorizationCode {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly sub: string;
  readonly authTime: number;
  readonly scopes: readonly string[];
  readonly resource: string | undefined;
  readonly nonce: string | undefined;
  readonly codeChallenge: string | undefined;
}

export function createAuthorizationCodes(now: () => number): ExpiringMap<AuthorizationCode> {
  return new ExpiringMap<AuthorizationCode>(now);
}

/** Cognito's codes are UUIDs. */
export function newCode(): string {
  return randomUUID();
}
