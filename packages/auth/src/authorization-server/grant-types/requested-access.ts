/** What a token request without a person's grant asks for: one resource (RFC 8707 §2.2) and a scope (RFC 6749 §3.3). */
import { OAuthError } from '../../oauth/error.ts';
import { defaultScopeOf, type Resource, resourceMatches } from '../../oauth/resource.ts';

/** The one of `choice` that the request means; it may leave `resource` out where there is but one. */
export function requestedResource(requested: string | undefined, choice: readonly Resource[]): Resource {
  if (requested === undefined) {
    const [only, ...others] = choice;
    if (!only || others.length > 0) {
      throw new OAuthError('invalid_target', 'Say with resource which one the token is for.', {
        reason: 'resource.missing',
      });
    }
    return only;
  }
  const found = choice.find(({ uri }) => resourceMatches(requested, uri));
  if (!found) {
    throw new OAuthError('invalid_target', 'No token is issued for this resource.', { reason: 'resource.unknown' });
  }
  return found;
}

/**
 * The scope of the token: what the resource has, within every limit that is set. Names that the resource does not know
 * are dropped, as everywhere; one that it knows and that lies beyond the limits is never answered with something else.
 */
export function permittedScope(
  requested: readonly string[],
  resource: Resource,
  limits: ReadonlyArray<readonly string[] | undefined>,
): readonly string[] {
  const known = Object.keys(resource.scopes);
  const set = limits.filter((limit) => limit !== undefined);
  const most = known.filter((token) => set.every((limit) => limit.includes(token)));
  const wanted = known.filter((token) => requested.includes(token));
  // Without a wish: all of a limit, which was set for just this client or assertion; without a limit, the least.
  const usual = set.length > 0 ? most : defaultScopeOf(resource);
  const scope = wanted.length > 0 ? most.filter((token) => wanted.includes(token)) : usual;
  if (scope.length === 0 && known.length > 0) {
    throw new OAuthError('invalid_scope', 'Nothing of the requested scope can be granted.', { reason: 'scope.none' });
  }
  return scope;
}
