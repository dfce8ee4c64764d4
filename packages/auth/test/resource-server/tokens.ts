/** Tokens as an attacker would make them: any header, any claims, any key. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { signEs256, type VerificationKey, verificationKey } from '../../src/oauth/jws.ts';
import { type GuardOptions, guard, isReply } from '../../src/resource-server/guard.ts';
import { issuer, parsed, resource } from '../harness.ts';

export const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const start = 1_800_000_000;

/** The key as a guard gets it; `checks` counts the signatures it was asked about. */
export function countedKey(): VerificationKey & { checks: number } {
  const key = verificationKey('ES256', publicKey);
  const counted = {
    algorithm: key.algorithm,
    checks: 0,
    verify(data: string, signature: string) {
      counted.checks += 1;
      return key.verify(data, signature);
    },
  };
  return counted;
}

export const encoded = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const header = { alg: 'ES256', typ: 'at+jwt', kid: 'key-1' };
export const claims = {
  iss: issuer,
  aud: resource,
  sub: 'person',
  client_id: 'client',
  scope: 'read write',
  iat: start,
  exp: start + 900,
  jti: 'token-1',
  grant_id: 'grant-1',
  sub_id: { format: 'iss_sub', iss: 'https://idp.example', sub: 'somebody' },
};

/** A signed token with some of it changed; `undefined` leaves a member out. */
export function token(changes: { header?: object; claims?: object; key?: KeyObject } = {}): string {
  const data = `${encoded({ ...header, ...changes.header })}.${encoded({ ...claims, ...changes.claims })}`;
  return `${data}.${signEs256(data, changes.key ?? privateKey)}`;
}

export interface Judgement {
  readonly status: number;
  readonly error: unknown;
  readonly reason: string | undefined;
}

/** A guard with one key and a clock; `judge` gives what became of an Authorization header. */
export function startGuard(options: Partial<Extract<GuardOptions, { issuer: string }>> = {}) {
  const clock = { seconds: start };
  const reads: string[] = [];
  const key = countedKey();
  const revoked = new Set<string>();
  let refused: { reason: string; status: number; cause?: unknown } | undefined;
  const check = guard({
    issuer,
    resource: { uri: resource, scopes: { read: 'read', write: 'write' }, defaultScope: ['read'] },
    keys: {
      verificationKey(kid) {
        reads.push(kid);
        return kid === 'key-1' && !revoked.has(kid) ? key : undefined;
      },
    },
    now: () => clock.seconds,
    onRefusal: (refusal) => {
      refused = refusal;
    },
    ...options,
  });
  const judge = async (authorization: string | undefined): Promise<Judgement> => {
    refused = undefined;
    const result = await check({ authorization });
    if (!isReply(result)) return { status: 200, error: undefined, reason: undefined };
    return {
      status: result.status,
      error: parsed(result).error,
      reason: (refused as { reason: string } | undefined)?.reason,
    };
  };
  return { clock, reads, key, revoked, check, judge, bearer: (text: string) => judge(`Bearer ${text}`) };
}
