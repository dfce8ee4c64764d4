/** The users of the pool: those of the configuration, with what they changed since, and those who signed up. */
import { createHash, randomUUID } from 'node:crypto';
import type { PoolConfig, UserConfig } from '../config.ts';
import { hashPassword, type StoredPassword, verifyPassword } from '../password.ts';
import type { State } from './state-file.ts';

export interface User {
  readonly sub: string;
  readonly username: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly confirmed: boolean;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Users {
  /** By username or e-mail address, in any case. */
  findByLogin(login: string): User | undefined;
  findBySub(sub: string): User | undefined;
  /** Always as slow as a hash, even for no user. */
  passwordMatches(user: User | undefined, password: string): Promise<boolean>;
  /** Adds an unconfirmed user; undefined if username or address is taken, or the pool is full. */
  signUp(user: { username: string | undefined; email: string; password: string }): Promise<User | undefined>;
  /** Marks account and address as theirs. */
  confirm(sub: string): Promise<void>;
  setPassword(sub: string, password: string): Promise<void>;
}

const MAX_SIGNED_UP = 10_000;

export function createUsers(config: PoolConfig, state: State): Users {
  const { data } = state;
  const bySub = new Map<string, User>();
  const byLogin = new Map<string, string>();
  const configured = new Map<string, StoredPassword>();

  const logins = (user: { username: string; email: string }) =>
    new Set([user.username.toLowerCase(), user.email.toLowerCase()]);
  const taken = (user: { username: string; email: string }) => [...logins(user)].some((login) => byLogin.has(login));
  const add = (user: User) => {
    bySub.set(user.sub, user);
    for (const login of logins(user)) byLogin.set(login, user.sub);
  };

  for (const entry of config.users) {
    const sub = entry.sub ?? stableSub(config.poolId, entry.username ?? entry.email);
    const changes = data.changes[sub];
    add({
      sub,
      username: entry.username ?? sub,
      email: entry.email,
      emailVerified: changes?.emailVerified ?? (entry.emailVerified && entry.confirmed),
      confirmed: changes?.confirmed ?? entry.confirmed,
      groups: byPrecedence(entry.groups, config.groups),
      attributes: entry.attributes,
    });
    configured.set(sub, configuredPassword(entry));
  }
  for (const [sub, user] of Object.entries(data.users)) {
    const { username, email, emailVerified, confirmed } = user;
    // The configuration wins: someone who signed up gives way to a user added to the file under the same name.
    if (!taken(user)) add({ sub, username, email, emailVerified, confirmed, groups: [], attributes: {} });
  }

  return {
    findByLogin(login) {
      const sub = byLogin.get(login.toLowerCase());
      return sub === undefined ? undefined : bySub.get(sub);
    },
    findBySub: (sub) => bySub.get(sub),
    async passwordMatches(user, password) {
      if (!user) return verifyPassword(undefined, password);
      const hash = data.users[user.sub]?.passwordHash ?? data.changes[user.sub]?.passwordHash;
      return verifyPassword(hash ? { hash } : configured.get(user.sub), password);
    },
    async signUp({ username, email, password }) {
      const passwordHash = await hashPassword(password);
      const sub = randomUUID();
      const record = { username: username ?? sub, email, emailVerified: false, confirmed: false, passwordHash };
      // From here to `add` nothing awaits: of two equal sign-ups exactly one is made.
      if (taken(record) || Object.keys(data.users).length >= MAX_SIGNED_UP) return undefined;
      data.users[sub] = record;
      const user = { sub, username: record.username, email, emailVerified: false, confirmed: false };
      add({ ...user, groups: [], attributes: {} });
      await state.save();
      return bySub.get(sub);
    },
    async confirm(sub) {
      const user = bySub.get(sub);
      if (!user) return;
      bySub.set(sub, { ...user, confirmed: true, emailVerified: true });
      const record = data.users[sub];
      if (record) Object.assign(record, { confirmed: true, emailVerified: true });
      else data.changes[sub] = { ...data.changes[sub], confirmed: true, emailVerified: true };
      await state.save();
    },
    async setPassword(sub, password) {
      const passwordHash = await hashPassword(password);
      const record = data.users[sub];
      if (record) record.passwordHash = passwordHash;
      else data.changes[sub] = { ...data.changes[sub], passwordHash };
      await state.save();
    },
  };
}

function configuredPassword(entry: UserConfig): StoredPassword {
  return entry.passwordHash === undefined ? { plain: entry.password ?? '' } : { hash: entry.passwordHash };
}

/** A UUID that is the same at every start, so that tokens and databases keep pointing at the same user. */
function stableSub(poolId: string, name: string): string {
  const hex = createHash('sha256').update(`${poolId}\n${name.toLowerCase()}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** `cognito:groups` lists the group that decides the preferred role first. */
function byPrecedence(names: readonly string[], groups: PoolConfig['groups']): string[] {
  const precedence = (name: string) => groups.find((group) => group.name === name)?.precedence ?? Infinity;
  return [...names].sort((a, b) => (precedence(a) === precedence(b) ? 0 : precedence(a) - precedence(b)));
}
