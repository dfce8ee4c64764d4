/** The pool: everything an endpoint may ask for, in one value; made once at start. */
import { type ConfirmationCodes, createConfirmationCodes, createLockout, type Lockout } from './attempts.ts';
import { type AuthorizationCode, createAuthorizationCodes } from './authorization-codes.ts';
import type { ClientConfig, PoolConfig } from './config.ts';
import type { PoolEvent } from './events.ts';
import type { ExpiringMap } from './expiring-map.ts';
import { type Csrf, createCsrf, createSessions, type Sessions } from './sessions.ts';
import { createGrants, type Grants } from './state/grants.ts';
import { loadSigningKeys, type SigningKeys } from './state/signing-keys.ts';
import { openState } from './state/state-file.ts';
import { createUsers, type Users } from './state/users.ts';

export interface Pool {
  readonly config: PoolConfig;
  /** Scheme, host and port of the managed login pages and the OAuth endpoints. */
  readonly origin: string;
  /** `<origin>/<pool id>`, the `iss` of every token. */
  readonly issuer: string;
  readonly keys: SigningKeys;
  readonly users: Users;
  readonly grants: Grants;
  readonly codes: ExpiringMap<AuthorizationCode>;
  readonly sessions: Sessions;
  readonly csrf: Csrf;
  readonly lockout: Lockout;
  readonly confirmationCodes: ConfirmationCodes;
  /** Seconds since the epoch, whole. */
  now(): number;
  log(event: PoolEvent): void;
  /** Resolves when everything is on disk. */
  settle(): Promise<void>;
  client(clientId: string | undefined): ClientConfig | undefined;
}

export interface PoolOptions {
  readonly config: PoolConfig;
  readonly stateFile: string | undefined;
  readonly now: () => number;
  readonly log: (event: PoolEvent) => void;
}

/** Reads the state and makes the pool; its origin is known only once the server listens. */
export async function preparePool(options: PoolOptions): Promise<(origin: string) => Pool> {
  const { config, log } = options;
  const now = () => Math.floor(options.now());
  const state = await openState(config.poolId, options.stateFile);
  const keys = await loadSigningKeys(state);
  const clients = new Map(config.clients.map((client) => [client.clientId, client]));
  return (origin) => {
    const secure = origin.startsWith('https:');
    return {
      config,
      origin,
      issuer: `${origin}/${config.poolId}`,
      keys,
      users: createUsers(config, state),
      grants: createGrants(state, now),
      codes: createAuthorizationCodes(now),
      sessions: createSessions(now, secure),
      csrf: createCsrf(secure),
      lockout: createLockout(now),
      confirmationCodes: createConfirmationCodes(now),
      now,
      log,
      settle: state.settle,
      client: (clientId) => (clientId === undefined ? undefined : clients.get(clientId)),
    };
  };
}
