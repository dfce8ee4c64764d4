/** Resources: the canonical URI of an MCP server, as a client names it (RFC 8707 §2) and as a token carries it (`aud`). */

/** An MCP server that tokens can be issued for. */
export interface Resource {
  /** The URL a person types into an MCP client; no fragment, no trailing slash. The token's `aud`. */
  readonly uri: string;
  /** What a person calls it; shown on the consent page. */
  readonly name?: string;
  /** Every scope of this resource and what it lets a client do, in words that stand after "It will be able to". */
  readonly scopes: Readonly<Record<string, string>>;
  /** The minimal scopes for basic use: the challenge's and the metadata's. All of `scopes` unless told. */
  readonly defaultScope?: readonly string[];
  /** What signed assertions of the caller's identity for the target behind it say in `aud`; none are made unless told. */
  readonly assertionAudience?: string;
  /**
   * Whether the identity provider's own access token is kept, sealed, for who comes here, so that the target can be given it:
   * it can then act as the person at the provider. Needs a provider that can be asked again; no unless told.
   */
  readonly providerToken?: boolean;
}

export function defaultScopeOf(resource: Resource): readonly string[] {
  return resource.defaultScope ?? Object.keys(resource.scopes);
}

/**
 * Equality of resource indicators: scheme and host in any case (RFC 8707 §2 with RFC 3986 §6.2.2.1), and one trailing
 * slash on a bare origin, which `new URL(…).href` adds in the MCP SDK. Nothing else is forgiven.
 */
export function resourceMatches(presented: string, resource: string): boolean {
  const key = comparable(presented);
  return key !== undefined && key === comparable(resource);
}

function comparable(uri: string): string | undefined {
  const match = /^(https?):\/\/([^/?#\s@\\]+)([/?][^#\s\\]*)?$/i.exec(uri);
  if (!match) return undefined;
  const [, scheme = '', authority = '', rest = ''] = match;
  return `${scheme.toLowerCase()}://${authority.toLowerCase()}${rest === '/' ? '' : rest}`;
}
