/** The record of an identity provider's session: what is in it, how long it lives, and what must not be seen of it. */
import type { Kinds } from '@mcp-gatehouse/records';
import type { ProviderToken } from '../identity-providers/identity-provider.ts';
import { describeCause } from '../oauth/error.ts';
import type { Resource } from '../oauth/resource.ts';
import type { Keyring } from '../sealing/keyring.ts';
import type { Grant } from './grant.ts';
import type { Lifetimes } from './parts.ts';

/** Its id is the grant's. Times are seconds since the epoch. */
export interface IdentitySession {
  /** What the provider gave at the sign-in or at the last renewal, sealed in `sessionContext`. */
  readonly sealed: string;
  /** As the provider last said: a grant that went on without waiting for the answer finds them here. */
  readonly groups: readonly string[];
  /** Likewise: of the person's verified e-mail address, where the operator's list has it. */
  readonly emailDomain?: string;
  /** The provider's access token, where the grant's resource passes it on: sealed in `tokenContext`. */
  readonly accessToken?: {
    readonly sealed: string;
    /** Left out: the provider does not say that it ends. */
    readonly endsAt?: number;
  };
  /** When the provider last said that the person is who they were; the sign-in counts. */
  readonly renewedAt: number;
  /** Attempts since then that learnt nothing. */
  readonly failures: number;
  /** The end of the pause after such an attempt. */
  readonly retryAt?: number;
  /** Who is asking; once the lease is over: who never came to an end. */
  readonly attempt?: { readonly by: string; readonly leaseUntil: number };
  /** Since the last answer an attempt came to no end: the provider may have rotated what is sealed here. */
  readonly lost?: true;
  /** The grant has ended, and the provider could not be told. */
  readonly over?: true;
}

export const identitySessionKinds: Kinds<{ identitySession: IdentitySession }> = { identitySession: {} };

export const sessionContext = (grantId: string): string => `identitySession ${grantId}`;

export const tokenContext = (grantId: string): string => `identitySession ${grantId} access token`;

/** Longer than any that fits into a header; what a provider gives beyond that is none. */
const maxTokenLength = 16 * 1024;

/** As it is kept; undefined: there is none that could be used. */
export function sealedToken(
  keyring: Pick<Keyring, 'seal'>,
  grantId: string,
  given: ProviderToken | undefined,
  now: number,
): Required<Pick<IdentitySession, 'accessToken'>> | undefined {
  if (given === undefined) return undefined;
  const { token, expiresIn } = given;
  // RFC 6750 §2.1: what cannot stand in the header is no bearer token.
  if (typeof token !== 'string' || token.length > maxTokenLength || !/^[A-Za-z0-9._~+/-]+=*$/.test(token))
    return undefined;
  if (expiresIn !== undefined && !(Number.isFinite(expiresIn) && expiresIn > 0)) return undefined;
  const sealed = keyring.seal(tokenContext(grantId), token);
  return { accessToken: { sealed, ...(expiresIn !== undefined && { endsAt: now + Math.floor(expiresIn) }) } };
}

/**
 * From when another should be had before this one is passed on: it must live for as long as a request may take. One that
 * lives shortly in any case is used for half of its life.
 */
export function tokenGoodUntil({ accessToken, renewedAt }: IdentitySession): number {
  if (accessToken?.endsAt === undefined) return Number.POSITIVE_INFINITY;
  return accessToken.endsAt - Math.min(60, Math.max(0, Math.floor((accessToken.endsAt - renewedAt) / 2)));
}

/** Whether the targets of a resource are given the provider's access token. */
export function passesTokenOn(resources: readonly Resource[], uri: string): boolean {
  return resources.some((resource) => resource.uri === uri && resource.providerToken === true);
}

/** A provider's refresh token and what belongs to it; every database can keep as much. */
export const maxSessionLength = 32 * 1024;

export function isUsableSession(session: unknown): session is string {
  return typeof session === 'string' && session !== '' && session.length <= maxSessionLength;
}

/**
 * When a session may go that will be looked at again at `dueAt`: refreshes until then move the end of the grant and leave
 * the session alone.
 */
export function sessionEnd(
  grant: Pick<Grant, 'createdAt'>,
  dueAt: number,
  { refreshIdleSeconds, grantSeconds }: Pick<Lifetimes, 'refreshIdleSeconds' | 'grantSeconds'>,
): number {
  return Math.min(dueAt + refreshIdleSeconds, grant.createdAt + grantSeconds) + 300;
}

/** A provider of somebody else's making may put anything into its errors; the session stays out of the log (SEC-07). */
export function describeWithout(session: string, error: unknown): string | undefined {
  return describeCause(error)?.replaceAll(session, '[session]');
}

/** Undefined after so many seconds, and the work goes on; it must not reject. */
export async function within<T>(seconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000, undefined);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
