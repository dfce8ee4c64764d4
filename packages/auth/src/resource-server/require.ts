/**
 * Authorization in one call: what an operation needs against what an access token holds (RFC 6750 §3.1). Scope is what
 * the client was allowed, roles and permissions are what the user is and may do; an operation may need all three.
 */
import { OAuthError } from '../oauth/error.ts';
import type { AccessToken } from './access-token.ts';

type OneOrMore = string | readonly string[];

/** Everything that is listed is needed. */
export interface Needs {
  readonly scope?: OneOrMore;
  readonly permission?: OneOrMore;
  readonly role?: OneOrMore;
}

/** Scope to the scopes it includes, such as `{ write: ['read'] }`; followed through, circles and all. */
export type ScopeHierarchy = Readonly<Record<string, readonly string[]>>;

/** A refusal, and what the challenge must ask for: `challenge({ resourceMetadata, scope }, error)`. */
export interface Denial {
  readonly error: OAuthError;
  /** Empty where no scope would help. */
  readonly scope: readonly string[];
}

type Held = Pick<AccessToken, 'scope' | 'roles' | 'permissions'>;

/**
 * Undefined: go ahead. Scopes that are missing are `insufficient_scope` with every scope to ask for, those that are held
 * among them, because a client replaces its token by what it asked for. A missing permission or role is
 * `access_denied`: no consent could add it, so the client must not be sent to ask for one.
 */
export function require(token: Held, needs: Needs, hierarchy: ScopeHierarchy = {}): Denial | undefined {
  if (missing(needs.permission, token.permissions).length > 0) return denied('token.permission');
  if (missing(needs.role, token.roles).length > 0) return denied('token.role');
  const lacking = missing(needs.scope, [...includedScope(token.scope, hierarchy)]);
  if (lacking.length === 0) return undefined;
  return {
    error: new OAuthError('insufficient_scope', 'The access token does not allow this operation.', {
      reason: 'token.scope',
    }),
    scope: [...new Set([...token.scope, ...lacking])],
  };
}

/** The scopes a list comes to when each brings along what it includes (MCP: hierarchies must be accounted for). */
export function includedScope(scope: readonly string[], hierarchy: ScopeHierarchy): ReadonlySet<string> {
  const all = new Set(scope);
  // A set grows while it is walked, and takes nothing twice: circles end.
  for (const one of all) for (const other of own(hierarchy, one) ?? []) all.add(other);
  return all;
}

/** The operator's words for who may do what. */
export interface RoleRules {
  /** Group at the identity provider, to the roles its members have. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** User (the `sub` of our tokens), to the roles they have beside those of their groups. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  /** Roles of everybody who signed in. */
  readonly everyone?: readonly string[];
  /** Role, to the permissions that come with it. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
}

/** Whom the rules are asked about. */
export interface Member {
  readonly subject?: string;
  readonly groups: readonly string[];
}

/** Groups to roles to permissions, in the order of the rules; a group nobody wrote a rule for counts for nothing. */
export function rolesFrom(
  { subject, groups }: Member,
  { groups: ofGroups = {}, users = {}, everyone = [], roles: permissionsOf }: RoleRules,
): { readonly roles: readonly string[]; readonly permissions: readonly string[] } {
  const member = new Set(groups);
  const roles = new Set([
    ...everyone,
    ...Object.entries(ofGroups).flatMap(([group, given]) => (member.has(group) ? given : [])),
    ...(subject === undefined ? [] : (own(users, subject) ?? [])),
  ]);
  return {
    roles: [...roles],
    permissions: [...new Set([...roles].flatMap((role) => own(permissionsOf, role) ?? []))],
  };
}

/** Of somebody's groups those the rules or another list speak of: what is worth keeping, in bounded size. */
export function countedGroups(
  groups: readonly string[],
  rules: RoleRules | undefined,
  others: readonly string[] = [],
): readonly string[] {
  const counted = rules?.groups ?? {};
  return [...new Set(groups)].filter((group) => Object.hasOwn(counted, group) || others.includes(group));
}

/** What is wrong with the rules, each as a sentence after the path it stands at; empty: nothing. */
export function roleRuleFaults(rules: RoleRules): readonly string[] {
  const used: ReadonlyArray<readonly [string, Iterable<string>]> = [
    ['groups', new Set(Object.values(rules.groups ?? {}).flat())],
    ['users', new Set(Object.values(rules.users ?? {}).flat())],
    ['everyone', new Set(rules.everyone ?? [])],
  ];
  // A misspelt role would be a role without permissions, and nobody would know why.
  return used.flatMap(([where, roles]) =>
    [...roles]
      .filter((role) => own(rules.roles, role) === undefined)
      .map((role) => `${where}: the role "${role}" is not in roles`),
  );
}

function missing(needed: OneOrMore | undefined, held: readonly string[] | undefined): readonly string[] {
  const all = needed === undefined ? [] : typeof needed === 'string' ? [needed] : needed;
  return all.filter((one) => !held?.includes(one));
}

function denied(reason: string): Denial {
  const error = new OAuthError('access_denied', 'You may not do this.', { status: 403, reason });
  return { error, scope: [] };
}

/** Not `constructor`, not `__proto__`: names come from tokens. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
