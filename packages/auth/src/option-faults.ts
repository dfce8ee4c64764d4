/** What can be wrong with the options, all of it said at once and before the first request (architecture §7). */
import type { Lifetimes } from './authorization-server/parts.ts';
import { hostOf } from './oauth/hosts.ts';
import { publicUrlFaults } from './oauth/public-url.ts';
import type { Resource } from './oauth/resource.ts';
import { isScopeToken } from './oauth/scope.ts';
import { assertionAudienceFault } from './resource-server/identity-assertion.ts';

/** All scopes of a resource together: a token that holds every one must still pass the guard, and a header. */
const maxScopeCharacters = 2048;

export function resourceFaults(issuer: string, resources: readonly Resource[]): readonly string[] {
  const faults = publicUrlFaults(issuer).map((fault) => `issuer: "${issuer}" ${fault}`);
  if (resources.length === 0) faults.push('resources: at least one is needed');
  resources.forEach(({ uri, scopes, defaultScope, assertionAudience }, index) => {
    const at = `resources[${index}]`;
    faults.push(...publicUrlFaults(uri).map((fault) => `${at}.uri: "${uri}" ${fault}`));
    const known = Object.keys(scopes);
    if (known.length === 0) faults.push(`${at}.scopes: at least one is needed`);
    for (const scope of known) if (!isScopeToken(scope)) faults.push(`${at}.scopes: "${scope}" is no scope`);
    if (known.join(' ').length > maxScopeCharacters) {
      faults.push(`${at}.scopes: together they may have ${maxScopeCharacters} characters`);
    }
    for (const scope of defaultScope ?? []) {
      if (!known.includes(scope)) faults.push(`${at}.defaultScope: "${scope}" is not in scopes`);
    }
    const wrong =
      assertionAudience !== undefined &&
      assertionAudienceFault(
        assertionAudience,
        issuer,
        resources.map((one) => one.uri),
      );
    if (wrong) faults.push(`${at}.assertionAudience: "${assertionAudience}" ${wrong}`);
    // Metadata is served by host and path (RFC 9728 §3.1), whatever the scheme: TLS may end before us.
    const place = (one: string) => (URL.canParse(one) ? `${hostOf(one)} ${new URL(one).pathname}` : one);
    if (resources.findIndex((other) => place(other.uri) === place(uri)) !== index) {
      faults.push(`${at}.uri: another resource has the host and path of "${uri}"`);
    }
  });
  return faults;
}

export function lifetimeFaults(lifetimes: Lifetimes): readonly string[] {
  const faults = Object.entries(lifetimes)
    .filter(([name, value]) => !Number.isInteger(value) || value < (name.startsWith('grace') ? 0 : 1))
    .map(
      ([name, value]) =>
        `lifetimes.${name}: ${value} must be a whole number of at least ${name.startsWith('grace') ? 0 : 1}`,
    );
  if (lifetimes.refreshIdleSeconds < lifetimes.accessTokenSeconds) {
    faults.push('lifetimes.refreshIdleSeconds: must not be below accessTokenSeconds');
  }
  if (lifetimes.identityStaleSeconds < lifetimes.identityCheckSeconds) {
    faults.push('lifetimes.identityStaleSeconds: must not be below identityCheckSeconds');
  }
  return faults;
}
