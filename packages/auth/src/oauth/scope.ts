/** Scope values: the space-separated lists of RFC 6749 §3.3. */

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

export function isScopeToken(text: string): boolean {
  return scopeToken.test(text);
}

/** The tokens of a scope parameter, each once, in their order; stray spaces and impossible characters are dropped. */
export function parseScope(text: string | undefined): readonly string[] {
  return [...new Set((text ?? '').split(' ').filter((token) => scopeToken.test(token)))];
}

/**
 * What a request for scopes comes to: those the resource knows, in the resource's order. Unknown ones are dropped and
 * not fatal, because mcp-remote asks for `openid email profile` and others for `offline_access` everywhere; a request
 * that names nothing known is a request for the default (RFC 6749 §3.3).
 */
export function grantableScope(
  requested: readonly string[],
  known: readonly string[],
  fallback: readonly string[],
): readonly string[] {
  const wanted = known.filter((token) => requested.includes(token));
  return wanted.length > 0 ? wanted : fallback;
}

/** The part of a grant's scope that a token request asks for (RFC 6749 §6); all of it when it asks for none. */
export function narrowedScope(requested: readonly string[], granted: readonly string[]): readonly string[] {
  return requested.length === 0 ? granted : granted.filter((token) => requested.includes(token));
}
