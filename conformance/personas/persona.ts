/** What a client persona is made of: how one real MCP client goes through OAuth, as data (reference, section 8). */

export interface Persona {
  readonly name: string;
  /**
   * How it is known: `recorded` on loopback against a server of ours, `documented` in its own source or documentation, or
   * `second-hand` from issues and the code of others. What none of them says is what MCP 2026-07-28 asks of a client.
   */
  readonly source: 'recorded' | 'documented' | 'second-hand';
  readonly identity: ByRegistration | ByDocument;
  /** Where its answers go, each a run of its own. `{port}` is whatever port it could listen on. */
  readonly redirectUris: readonly string[];
  readonly discovery: Discovery;
  /** What it asks for; `challenge` is the scope of the 401. Anything else is sent as it stands here. */
  readonly scope: 'challenge' | { readonly sent: string };
  /** Adds `offline_access` and `prompt=consent` where the server lists the scope. */
  readonly asksForRefresh?: true;
  readonly prompt?: 'consent';
  readonly resource: ResourceForm;
  readonly tokenAuth: TokenAuth;
  /** Repeats its scope in every token request. */
  readonly repeatsScope?: true;
  /** GET at the MCP endpoint: before it signs in, to see what is there, or after `initialize`, for a stream. */
  readonly opensStream?: 'before-sign-in' | 'after-initialize';
  /** What it does on 403 `insufficient_scope`; left out: it tells its user. */
  readonly onInsufficientScope?: 'asks-for-the-union' | 'refreshes';
  /** Refuses an answer without `iss`, advertised or not. Every persona compares one that is there. */
  readonly needsIss?: true;
  /** What it must be set against: a server without metadata documents, a resource that is a bare origin. */
  readonly meets?: { readonly documents?: false; readonly originResource?: true };
}

export interface ByRegistration {
  readonly by: 'registration';
  /** The body of RFC 7591 §3.1, as it is sent but for `{port}`. */
  readonly body: Readonly<Record<string, unknown>> & { readonly redirect_uris: readonly string[] };
}

export interface ByDocument {
  readonly by: 'document';
  readonly document: ClientDocument;
  /** Whether a reviewed copy ships with the library for when the document cannot be had. */
  readonly pinned: boolean;
}

/** A Client ID Metadata Document, as its vendor serves it. */
export interface ClientDocument {
  readonly client_id: string;
  readonly redirect_uris: readonly string[];
  readonly jwks_uri?: string;
  readonly [member: string]: unknown;
}

export interface Discovery {
  /** Where it looks for the resource's metadata, in order, until it finds one. */
  readonly resourceMetadata: readonly ResourceMetadataPlace[];
  /** Where it looks for the authorization server's. */
  readonly serverMetadata: readonly ServerMetadataPlace[];
  /** Value of `MCP-Protocol-Version` on these requests. */
  readonly protocolVersion?: string;
  /** A page in a browser: `Origin` on every request, and a preflight before each that is not simple. */
  readonly browserOrigin?: string;
}

/** `challenge`: the URL the 401 names. The others: RFC 9728 §3.1 with the path inserted, and at the root. */
export type ResourceMetadataPlace = 'challenge' | 'path' | 'root';

/** RFC 8414 §3.1; OpenID Connect Discovery with the path inserted, and appended (§4). */
export type ServerMetadataPlace = 'oauth' | 'openid' | 'openid-appended';

/** `href`: `new URL(resource).href`, so that a bare origin gets a trailing slash. */
export type ResourceForm = 'listed' | 'href' | 'upper-case-host' | 'absent';

/** `basic-raw`: `btoa(id:secret)` as the SDK writes it; `basic-encoded`: both halves percent-encoded (RFC 6749 §2.3.1). */
export type TokenAuth = 'none' | 'post' | 'basic-raw' | 'basic-encoded' | 'private_key_jwt';

/** In the order of MCP 2026-07-28 ("Authorization Server Discovery"): what is known of nobody else in particular. */
export const discoveryOfTheSpecification: Discovery = {
  resourceMetadata: ['challenge', 'path', 'root'],
  serverMetadata: ['oauth', 'openid', 'openid-appended'],
  protocolVersion: '2025-11-25',
};
