/**
 * Authorization codes and refresh tokens as text: a key id, a grant's id, a generation, and an untruncated MAC over all
 * of it. Nothing is stored, and who cannot make the MAC cannot even name a grant (OAuth 2.1 §7.1: integrity of ids).
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Keyring } from '../sealing/keyring.ts';
import type { Presented } from './grant.ts';

/** 128 random bits (RFC 6749 §10.10 asks for 2^-128); the MAC adds 256 that are not random. */
export function newGrantId(): string {
  return randomBytes(16).toString('base64url');
}

export function authorizationCode(keyring: Keyring, grantId: string): string {
  return credential(keyring, 'authorization-code', grantId, 0);
}

/** The n-th refresh token of a grant; the same text whenever it is asked for, so that a replay gets the same answer. */
export function refreshToken(keyring: Keyring, grantId: string, generation: number): string {
  return credential(keyring, 'refresh-token', grantId, generation);
}

const prefixes = { 'authorization-code': 'ghc', 'refresh-token': 'ghr' } as const;

/** The grant and the generation of a genuine credential; undefined for anything else, so that guessing revokes nothing. */
export function readCredential(
  keyring: Keyring,
  kind: Presented['kind'],
  text: string,
): (Presented & { readonly grantId: string }) | undefined {
  const match = /^(gh[cr])_([A-Za-z0-9]{1,16})\.([A-Za-z0-9_-]{22})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})$/.exec(
    text,
  );
  if (!match) return undefined;
  const [, prefix, keyId = '', grantId = '', generation = '', mac = ''] = match;
  if (prefix !== prefixes[kind]) return undefined;
  if (!keyring.verifyMac(kind, `${grantId}.${generation}`, mac, keyId)) return undefined;
  return { kind, grantId, generation: Number(generation) };
}

function credential(keyring: Keyring, kind: Presented['kind'], grantId: string, generation: number): string {
  const mac = keyring.mac(kind, `${grantId}.${generation}`);
  return `${prefixes[kind]}_${keyring.currentKeyId}.${grantId}.${generation}.${mac}`;
}

/** SHA-256 as base64url: how client ids, states and cookies stand in records. */
export function digest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url');
}

/** Eight characters of a digest: how a log names something it must not hold (security.md, rule 11). */
export function logName(text: string): string {
  return digest(text).slice(0, 8);
}
