/**
 * The sessions of the page: a code becomes one, its tokens are refreshed once for all tabs, and it ends at the gateway.
 * A token-mediating backend (draft-ietf-oauth-browser-based-apps §6.2): refresh tokens never reach the page's script.
 */
import { randomUUID } from 'node:crypto';
import type { LogEvent } from '../tools/tool-context.ts';
import { type GatewayClient, GatewayUnavailable, type Tokens } from './gateway-client.ts';
import type { PageSession } from './session-cookie.ts';

export interface Given {
  readonly accessToken: string;
  /** Left of its life. */
  readonly expiresInSeconds: number;
  readonly scope: string;
  /** What the cookie must hold from now on. */
  readonly session: PageSession;
}

/** `signed_out`: there is no session, or it has ended. */
export type Outcome = Given | 'signed_out';

export interface Sessions {
  /** Undefined: the gateway does not take the code. Throws `GatewayUnavailable`. */
  begin(code: string, verifier: string, redirectUri: string): Promise<Given | undefined>;
  /** `force`: the last access token was refused. Throws `GatewayUnavailable`; the session goes on then. */
  token(session: PageSession, force: boolean): Promise<Outcome>;
  /** Throws `GatewayUnavailable`: it is over here, and the gateway could not be told. */
  end(session: PageSession): Promise<void>;
}

/** What this process knows of a session, beside its cookie. */
interface Known {
  readonly session: PageSession;
  readonly tokens: Tokens;
  /** Seconds. */
  readonly at: number;
  /** Whether a browser has come with this generation: then it has the cookie, and who comes with an older one has a copy. */
  presented: boolean;
}

/** Tabs that sent the cookie before they got the new one. */
const lateSeconds = 60;
/** Beyond this the oldest are forgotten: then the gateway's own rules for refresh tokens hold alone. */
const maxKnown = 10_000;

export interface SessionsOptions {
  readonly client: GatewayClient;
  /** Seconds. */
  readonly now: () => number;
  readonly log: (event: LogEvent) => void;
}

export function createSessions({ client, now, log }: SessionsOptions): Sessions {
  const known = new Map<string, Known>();
  /** Whether the gateway knows of it, too. */
  const ended = new Map<string, boolean>();
  const refreshing = new Map<string, Promise<Known | 'signed_out'>>();

  const keep = (session: PageSession, tokens: Tokens): Known => {
    const entry = { session, tokens, at: now(), presented: false };
    remember(known, session.id, entry);
    return entry;
  };

  const forget = (id: string, revoked: boolean) => {
    known.delete(id);
    remember(ended, id, revoked);
  };

  async function revoke({ id, refreshToken }: PageSession): Promise<void> {
    forget(id, false);
    await client.revoke(refreshToken);
    remember(ended, id, true);
  }

  async function refresh(session: PageSession): Promise<Known | 'signed_out'> {
    const redeemed = await client.refresh(session.refreshToken);
    if ('refused' in redeemed) {
      log({ event: 'session.ended', why: redeemed.refused });
      forget(session.id, true);
      return 'signed_out';
    }
    const { refreshToken } = redeemed.tokens;
    return keep({ id: session.id, generation: session.generation + 1, refreshToken }, redeemed.tokens);
  }

  /** Whoever comes with a cookie that was replaced, and whose replacement was used, holds a copy: nobody can tell which. */
  async function endReplayed(entry: Known): Promise<'signed_out'> {
    log({ event: 'session.replayed', generation: entry.session.generation });
    await revoke(entry.session).catch((error: unknown) => {
      if (!(error instanceof GatewayUnavailable)) throw error;
      log({ event: 'session.unrevoked', error: error.message });
    });
    return 'signed_out';
  }

  return {
    async begin(code, verifier, redirectUri) {
      const redeemed = await client.redeem(code, verifier, redirectUri);
      if ('refused' in redeemed) {
        log({ event: 'session.refused', why: redeemed.refused });
        return undefined;
      }
      const { tokens } = redeemed;
      log({ event: 'session.begun' });
      return given(keep({ id: randomUUID(), generation: 1, refreshToken: tokens.refreshToken }, tokens), now());
    },
    async token(session, force) {
      const { id, generation } = session;
      if (ended.has(id)) return 'signed_out';
      const entry = known.get(id);
      // A higher one than we know was made by another process.
      if (entry && generation <= entry.session.generation) {
        if (generation === entry.session.generation) entry.presented = true;
        else if (now() > entry.at + lateSeconds && (entry.presented || generation < entry.session.generation - 1)) {
          return endReplayed(entry);
        }
      }
      const newest = entry && generation <= entry.session.generation ? entry : undefined;
      if (newest && !force && isFresh(newest, now())) return given(newest, now());
      // Of many who were refused at once, one asks and all get its answer.
      if (newest && force && generation < newest.session.generation) return given(newest, now());
      let flight = refreshing.get(id);
      if (!flight) {
        flight = refresh(newest?.session ?? session).finally(() => refreshing.delete(id));
        refreshing.set(id, flight);
      }
      const result = await flight;
      return result === 'signed_out' ? result : given(result, now());
    },
    async end(session) {
      // What is just being refreshed would live on under its next token.
      const flight = refreshing.get(session.id);
      const last = flight ? await flight.catch(() => undefined) : undefined;
      const newest = last && last !== 'signed_out' ? last.session : known.get(session.id)?.session;
      if (ended.get(session.id) === true) return;
      log({ event: 'session.ended', why: 'asked' });
      await revoke(newest ?? session);
    },
  };
}

/** At least half of its life is left: nobody is given one that ends at once. */
function isFresh({ tokens, at }: Known, now: number): boolean {
  return at + tokens.lifeSeconds / 2 > now;
}

function given({ session, tokens, at }: Known, now: number): Given {
  const expiresInSeconds = Math.max(0, Math.floor(at + tokens.lifeSeconds - now));
  return { accessToken: tokens.accessToken, expiresInSeconds, scope: tokens.scope, session };
}

function remember<T>(map: Map<string, T>, id: string, value: T): void {
  map.delete(id);
  map.set(id, value);
  const [oldest] = map.keys();
  if (map.size > maxKnown && oldest !== undefined) map.delete(oldest);
}
