/** The harness with an identity provider that can be asked again, rotates what it is asked with, and remembers all of it. */
import { randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { type GatehouseOptions, IdentityProviderError, isReply, type RenewedSession } from '../../src/gatehouse.ts';
import { fakeIdentityProvider, parsed, resource, startHarness, type TokenAnswer, withTokens } from '../harness.ts';

export const roles = {
  groups: { staff: ['editor'], board: ['chair'] },
  roles: { editor: ['write:things'], chair: ['decide'] },
};

export const away = () => new IdentityProviderError('idp.unreachable', { transient: true });
export const no = () => new IdentityProviderError('idp.renew.refused.invalid_grant', { transient: false });

export const textOf = () => `idp-session-${randomBytes(12).toString('base64url')}`;

/** Takes only the session it gave last. */
export function renewableProvider() {
  const provider = Object.assign(fakeIdentityProvider(), {
    session: textOf() as string | undefined,
    disabled: false,
    /** Every session there ever was. */
    texts: [] as string[],
    asked: [] as string[],
    ended: [] as string[],
    /** In the place of the answer. */
    instead: undefined as (() => unknown) | undefined,
    /** Waited for before the answer goes out, after the rotation. */
    hold: undefined as Promise<void> | undefined,
    endFails: undefined as Error | undefined,
    async renew(session: string): Promise<RenewedSession> {
      provider.asked.push(session);
      if (provider.instead) return (await provider.instead()) as RenewedSession;
      if (provider.disabled || session !== provider.session) {
        await provider.hold;
        throw no();
      }
      provider.session = textOf();
      provider.texts.push(provider.session);
      const { emailDomain, accessToken } = provider;
      const answer = {
        groups: provider.groups,
        session: provider.session,
        ...(emailDomain !== undefined && { emailDomain }),
        ...(accessToken && { accessToken }),
      };
      await provider.hold;
      return answer;
    },
    async end(session: string): Promise<void> {
      provider.ended.push(session);
      if (provider.endFails) throw provider.endFails;
    },
  });
  provider.texts.push(String(provider.session));
  return provider;
}

export type RenewableProvider = ReturnType<typeof renewableProvider>;

export function startWithSessions(options: Partial<GatehouseOptions> = {}) {
  const identityProvider = renewableProvider();
  const all = { roles, identityProvider, ...options };
  const harness = { ...startHarness(all), identityProvider };
  const { records, clock, events } = harness;
  /** Another instance on the same database and provider; `changes` for what its operator has set differently. */
  const another = (changes: Partial<GatehouseOptions> = {}) =>
    startHarness({ ...all, records, now: () => clock.seconds, log: (event) => events.push(event), ...changes }).server;
  const names = () => events.map(({ event }) => event);
  const grant = async () => (await records.list('grant')).items[0];
  const session = async () => (await records.list('identitySession')).items[0];
  const guarded = (token: string) => harness.server.guard(resource)({ authorization: `Bearer ${token}` });
  const rolesOf = async (token: string) => {
    const read = await guarded(token);
    return isReply(read) ? read.status : read.roles;
  };
  return { ...harness, another, names, grant, session, guarded, rolesOf };
}

export type SessionHarness = ReturnType<typeof startWithSessions>;

export const tokensOf = (reply: Parameters<typeof parsed>[0]) => parsed(reply) as unknown as TokenAnswer;

/** A client that is signed in, and each `next` refreshes with what the last answer brought. */
export async function startRefreshing(harness: SessionHarness, metadata: Readonly<Record<string, unknown>> = {}) {
  const signed = await withTokens(harness, metadata);
  let current = signed.tokens;
  const next = async (server = harness.server) => {
    const reply = await signed.refresh({ refresh_token: current.refresh_token }, server);
    if (reply?.status === 200) current = tokensOf(reply);
    return { reply, status: reply?.status, tokens: current };
  };
  return { ...signed, next };
}

/** Lets so many seconds of timers pass while the work goes on. Wants `vi.useFakeTimers(timers)`. */
export async function passing<T>(seconds: number, work: Promise<T>): Promise<T> {
  await vi.advanceTimersByTimeAsync(seconds * 1000);
  return work;
}

export const timers: Parameters<typeof vi.useFakeTimers>[0] = { toFake: ['setTimeout', 'clearTimeout'] };
