/**
 * What the doctor observed of one MCP server: plain data, no judgement. Probes gather it, rules read it, and it can be
 * written to a file and judged again. Texts are as the server sent them: whoever shows one to a person cleans it (text.ts).
 */

export interface Facts {
  readonly typed: TypedUrl;
  /** What the examination was told to leave out, so that a rule does not take silence for a fault. */
  readonly examined: Examined;
  readonly dns: DnsFacts;
  /** One entry an origin that speaks TLS: the MCP server's first, then the authorization servers'. */
  readonly tls: readonly TlsFacts[];
  /** The MCP endpoint without a token, and with a wrong one. Undefined: it never answered, see `unreachable`. */
  readonly endpoint?: EndpointFacts;
  /** The first request, where it got no answer. */
  readonly unreachable?: Exchange;
  /** Where RFC 9728 metadata was looked for, in the order of MCP 2026-07-28; the first good one is what clients use. */
  readonly resourceMetadata: readonly ResourceMetadataFacts[];
  /** One entry an issuer of the resource's metadata, in its order; or the MCP origin itself (2025-03-26). */
  readonly authorizationServers: readonly AuthorizationServerFacts[];
  /** With a token; without one where the server let us in. */
  readonly session?: SessionFacts;
  /** Why probes were left undone; empty: everything was examined. */
  readonly unfinished: readonly string[];
  readonly requests: number;
  /** Of the whole examination. */
  readonly ms: number;
}

export interface TypedUrl {
  /** As it was typed, never normalised, because clients compare bytes; with a scheme, without userinfo and fragment. */
  readonly url: string;
  /** Nobody typed a scheme: `https://` was put in front, `http://` for a name of this computer. */
  readonly schemeAdded: boolean;
  /** It had `user:password@`, which is not kept. */
  readonly userinfo: boolean;
  readonly fragment: boolean;
}

export interface Examined {
  /** Whether clients were registered (RFC 7591); no: nothing that needs a client id was asked. */
  readonly register: boolean;
  readonly token: boolean;
  readonly streamSeconds: number;
  /** The token was sent although the certificate cannot be trusted. Nothing else depends on certificates: see `tls`. */
  readonly insecure: boolean;
}

/** One request and what came of it. No redirect was followed. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  /** Headers of ours that matter to a rule, such as `origin`; never a token. */
  readonly sent: Readonly<Record<string, string>>;
  readonly answer?: Answer;
  /** No whole head of an answer came. */
  readonly failure?: Failure;
  /** From the start to the last byte that was read. */
  readonly ms: number;
}

export interface Answer {
  readonly status: number;
  /** Lower-case names, values as they came, repeated ones kept apart, in their order. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** Its beginning, at most 16384 characters. */
  readonly body: string;
  /** Bytes of the body that were read, at most 128 KiB. */
  readonly bytes: number;
  /** How the body ended: `whole`; cut by our limit of `size` or `time`; `stream`: left by us on purpose; `broken` off. */
  readonly end: 'whole' | 'size' | 'time' | 'stream' | 'broken';
  /** The body, where it is JSON of reasonable depth. Server-sent events: the data of the first that holds a JSON-RPC answer. */
  readonly json?: unknown;
  /** From the start to the end of the head. */
  readonly headMs: number;
}

export interface Failure {
  /** Of Node or OpenSSL where there is one (`ECONNREFUSED`, `CERT_HAS_EXPIRED`), else `TIMEOUT`, `BUDGET` or `UNKNOWN`. */
  readonly code: string;
  readonly message: string;
}

/** A document that was asked for with GET; redirects followed by hand as `fetch` would, each a hop. */
export interface Fetched {
  readonly url: string;
  /** At least one; the last is the end of the way, or one redirect too many. */
  readonly hops: readonly Exchange[];
}

export interface DnsFacts {
  readonly hostname: string;
  readonly addresses: ReadonlyArray<{ readonly address: string; readonly family: 4 | 6 }>;
  readonly failure?: Failure;
  readonly ms: number;
}

export interface TlsFacts {
  /** `https://host[:port]`. */
  readonly origin: string;
  /** `TLSv1.3`; undefined where no handshake was completed. */
  readonly protocol?: string;
  /** Why a client with the usual trust would refuse: `CERT_HAS_EXPIRED`, `DEPTH_ZERO_SELF_SIGNED_CERT`, … */
  readonly fault?: Failure;
  readonly certificate?: {
    readonly subject: string;
    readonly issuer: string;
    readonly names: readonly string[];
    /** Seconds since the epoch. */
    readonly notBefore: number;
    readonly notAfter: number;
  };
  /** The newest protocol older than TLS 1.2 that it would also speak: `TLSv1.1`. */
  readonly acceptsOld?: string;
  readonly ms: number;
  /** Seconds since the epoch, when this was seen: what an expiry is measured against. */
  readonly at: number;
}

export interface EndpointFacts {
  /** `initialize` of 2025-06-18 at the typed URL without a token. Hops: what a redirect led to, asked with POST again. */
  readonly initialize: Fetched;
  /** The URL where the examination went on: the typed one, or where same-server redirects led. */
  readonly url: string;
  /** The same again: a warm connection and a warm server. */
  readonly again: Exchange;
  /** `server/discover` of 2026-07-28 without a token. */
  readonly discover: Exchange;
  /** GET with `accept: text/event-stream`, without a token. Of a stream the head alone: it may be silent for ever. */
  readonly get: Exchange;
  /** The initialize with a bearer token that nobody issued. */
  readonly wrongToken: Exchange;
  /** The initialize with that token as `access_token` in the query, and no `Authorization`. */
  readonly tokenInQuery: Exchange;
  /** A page at `http://localhost:6274` (the Inspector) asks whether it may POST. */
  readonly preflight: Exchange;
  /** That page's POST, without a token: whether it could read the challenge. */
  readonly fromPage: Exchange;
}

/** `challenge`: the URL the 401 names. The others: RFC 9728 §3.1, path inserted, and at the root. */
export type ResourceMetadataPlace = 'challenge' | 'path' | 'root';

export interface ResourceMetadataFacts {
  /** Where two places are the same URL, it was asked once and stands under both. */
  readonly place: ResourceMetadataPlace;
  readonly fetched: Fetched;
  /** Asked with an `Origin`, as a page in a browser would: the preflight for `MCP-Protocol-Version`. */
  readonly preflight?: Exchange;
  /** GET with an `Origin` and without that header, which needs no preflight: what the SDK does when the first fails. */
  readonly fromPage?: Exchange;
}

/** RFC 8414 §3.1 (path inserted); OpenID Connect Discovery with the path inserted, and appended (§4). */
export type ServerMetadataForm = 'oauth' | 'openid' | 'openid-appended';

export interface AuthorizationServerFacts {
  /** As the resource's metadata writes it; for `origin` the MCP server's origin. */
  readonly issuer: string;
  /** `listed` in the resource's metadata; `origin`: there is no such metadata (2025-03-26). */
  readonly found: 'listed' | 'origin';
  /** In the order of MCP 2026-07-28. Without a path in the issuer `openid-appended` is `openid`, and left out. */
  readonly documents: ReadonlyArray<{ readonly form: ServerMetadataForm; readonly fetched: Fetched }>;
  /** The first document that is a JSON object: what clients use. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The URL it came from. */
  readonly metadataUrl?: string;
  /** Preflight of that document, for a page. */
  readonly preflight?: Exchange;
  /** GET of that document, from a page. */
  readonly fromPage?: Exchange;
  readonly jwks?: Fetched;
  readonly registrations: readonly RegistrationFacts[];
  readonly authorize?: AuthorizeFacts;
  /** Where metadata documents are announced: known clients' authorization requests, as they come with their documents. */
  readonly documentClients: readonly DocumentClientFacts[];
  readonly token?: TokenFacts;
}

/** A client of a vendor's, which is known by its document and needs no registration. */
export interface DocumentClientFacts {
  readonly client: 'claude' | 'claude-code' | 'chatgpt' | 'vscode' | 'zed' | 'opencode';
  readonly clientId: string;
  readonly redirectUri: string;
  /** GET at the authorization endpoint: must go on to a page or a sign-in. */
  readonly exchange: Exchange;
}

export interface RegistrationFacts {
  /** `native`: loopback redirect URIs; `cursor`: its three at once, one of them `cursor://…`; `hosted`: Claude.ai's. */
  readonly purpose: 'native' | 'cursor' | 'hosted';
  readonly sent: { readonly redirect_uris: readonly string[]; readonly [member: string]: unknown };
  readonly exchange: Exchange;
  /** Of a 2xx answer. */
  readonly clientId?: string;
  /** RFC 7592 §2.3, where the server offered it. */
  readonly deleted?: Exchange;
}

/** GETs at the authorization endpoint, judged by status and `Location`; nobody signs in. All for the `native` client. */
export interface AuthorizeFacts {
  /** The redirect URI of `asClientsDo`. */
  readonly redirectUri: string;
  /** PKCE with S256, `resource`, `state`, a scope: must go on to a page or a sign-in. */
  readonly asClientsDo: Exchange;
  /** The same without PKCE. */
  readonly withoutPkce: Exchange;
  /** The same with another port in the loopback redirect URI (RFC 8252 §7.3), for each host that was registered. */
  readonly otherPorts: ReadonlyArray<{ readonly redirectUri: string; readonly exchange: Exchange }>;
  /** The same with a redirect URI that was never registered. */
  readonly strangeRedirect: { readonly redirectUri: string; readonly exchange: Exchange };
  /** The same with a resource that is somebody else's. */
  readonly strangeResource: Exchange;
}

/** POSTs at the token endpoint that must all be refused. */
export interface TokenFacts {
  /** Of the `native` client, with a code nobody issued. Left out where no client was registered. */
  readonly wrongCode?: Exchange;
  readonly wrongRefreshToken?: Exchange;
  /** Of a client nobody registered. */
  readonly unknownClient: Exchange;
  readonly preflight: Exchange;
}

/** MCP itself, as the holder of the operator's token or, at an open server, as anybody. */
export interface SessionFacts {
  readonly withToken: boolean;
  readonly initialize: Exchange;
  /** `server/discover` of 2026-07-28. */
  readonly discover: Exchange;
  readonly toolsList?: Exchange;
  /** `Mcp-Session-Id` was given. */
  readonly hasSession: boolean;
  readonly stream?: StreamFacts;
  /** DELETE with the session id. */
  readonly ended?: Exchange;
  /** Of the token, where it is a JWT: its claims `aud`, `iss`, `exp`. Nothing else is kept of it. */
  readonly claims?: { readonly aud?: unknown; readonly iss?: unknown; readonly exp?: unknown };
}

/** GET with `accept: text/event-stream`, kept open. */
export interface StreamFacts {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers: Answer['headers'];
  readonly headMs?: number;
  readonly firstByteMs?: number;
  /** When data or comments came, from the start; at most 100. */
  readonly arrivals: readonly number[];
  readonly bytes: number;
  /** `kept`: still open when we had seen enough; `closed` by the server; `broken` off. */
  readonly end: 'kept' | 'closed' | 'broken' | 'refused';
  readonly failure?: Failure;
  /** From the start to the end. */
  readonly ms: number;
}

/** The value of a header, repeated ones joined with a comma (RFC 9110 §5.3); undefined where there is none. */
export function headerOf(answer: Pick<Answer, 'headers'> | undefined, name: string): string | undefined {
  const values = headersOf(answer, name);
  return values.length === 0 ? undefined : values.join(', ');
}

export function headersOf(answer: Pick<Answer, 'headers'> | undefined, name: string): readonly string[] {
  return (answer?.headers ?? []).filter(([given]) => given === name).map(([, value]) => value);
}

/** The end of the way. */
export function lastOf(fetched: Fetched): Exchange {
  const last = fetched.hops.at(-1);
  if (!last) throw new RangeError('a document without a hop');
  return last;
}
