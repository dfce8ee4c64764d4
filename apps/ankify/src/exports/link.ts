/**
 * Download links: each is a capability for one version of one deck of one owner until a moment, sealed by an HMAC. The
 * server keeps nothing, so a link outlives a restart and none has to be cleaned up.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Deck } from '../decks/deck.ts';

export const linkLifetimeSeconds = 3600;

export interface Link {
  readonly deckId: string;
  readonly version: number;
  readonly ownerDigest: Buffer;
  /** Seconds. */
  readonly expiresAt: number;
}

const ownerBytes = 16;
const payloadBytes = 16 + 4 + 6 + ownerBytes;
const tokenLength = Math.ceil(((payloadBytes + 32) * 4) / 3);

/** `key`: 32 bytes or more, known to this service only. */
export function sealLink(key: Uint8Array, deck: Deck, expiresAt: number): string {
  const payload = Buffer.alloc(payloadBytes);
  payload.write(deck.id.replaceAll('-', ''), 0, 'hex');
  payload.writeUInt32BE(deck.version, 16);
  payload.writeUIntBE(expiresAt, 20, 6);
  ownerDigest(deck.owner).copy(payload, 26);
  return Buffer.concat([payload, mac(key, payload)]).toString('base64url');
}

/** Undefined: we never made it. The caller still compares `expiresAt` with the clock and the rest with the deck. */
export function openLink(key: Uint8Array, token: string): Link | undefined {
  if (token.length !== tokenLength) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  // The last character has spare bits: without this, four spellings of a token would be one.
  if (bytes.toString('base64url') !== token) return undefined;
  const payload = bytes.subarray(0, payloadBytes);
  if (!timingSafeEqual(bytes.subarray(payloadBytes), mac(key, payload))) return undefined;
  return {
    deckId: payload.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    version: payload.readUInt32BE(16),
    expiresAt: payload.readUIntBE(20, 6),
    ownerDigest: payload.subarray(26),
  };
}

export function ownerDigest(owner: string): Buffer {
  return createHash('sha256').update(owner).digest().subarray(0, ownerBytes);
}

function mac(key: Uint8Array, payload: Buffer): Buffer {
  return createHmac('sha256', key).update('ankify download link 1\0').update(payload).digest();
}
