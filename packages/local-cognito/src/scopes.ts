/** Scopes: which a client may have, and which user attributes they release (OpenID Connect Core §5.4, Cognito's rules). */
import { type ClientConfig, PROFILE_ATTRIBUTES, STANDARD_SCOPES } from './config.ts';
import type { User } from './state/users.ts';

const NEED_OPENID = ['email', 'phone', 'profile'];

/** The scopes of an authorization request; all the client's when it names none; undefined if one is not the client's. */
export function requestedScopes(client: ClientConfig, scope: string | undefined): string[] | undefined {
  const names = splitScope(scope);
  if (names.length === 0) return [...client.allowedScopes];
  if (!names.every((name) => client.allowedScopes.includes(name))) return undefined;
  if (!names.includes('openid') && names.some((name) => NEED_OPENID.includes(name))) return undefined;
  return names;
}

/** The same for client credentials, which know only the scopes of resource servers. */
export function machineScopes(client: ClientConfig, scope: string | undefined): string[] | undefined {
  const allowed = client.allowedScopes.filter((name) => !STANDARD_SCOPES.some((standard) => standard === name));
  const names = splitScope(scope);
  if (names.length === 0) return allowed;
  return names.every((name) => allowed.includes(name)) ? names : undefined;
}

/**
 * The attributes a token or `/oauth2/userInfo` shows. `openid` alone releases all of them; together with `profile`,
 * `email` or `phone` only theirs.
 */
export function releasedAttributes(user: User, scopes: readonly string[]): Record<string, string | boolean> {
  const all = !scopes.some((scope) => NEED_OPENID.includes(scope));
  const released: Record<string, string | boolean> = {};
  for (const [name, value] of Object.entries(user.attributes)) {
    const scope = name.startsWith('phone_number') ? 'phone' : 'profile';
    const covered = scope === 'phone' || PROFILE_ATTRIBUTES.includes(name) || name.startsWith('custom:');
    if (all || (covered && scopes.includes(scope))) {
      released[name] = name === 'phone_number_verified' ? value === 'true' : value;
    }
  }
  if (all || scopes.includes('email')) {
    released.email = user.email;
    released.email_verified = user.emailVerified;
  }
  return released;
}

function splitScope(scope: string | undefined): string[] {
  return [...new Set((scope ?? '').split(' ').filter((name) => name !== ''))];
}
