/** What the doctor knows of a client: the behaviour that decides whether it connects. Data; judge.ts sets it against the facts. */
import type { DocumentClientFacts, RegistrationFacts } from '../facts.ts';

/** What a client is not known to do is `unknown`, and then no verdict is built on it. */
export interface Persona {
  /** For `--client`: `claude-code`. */
  readonly client: string;
  readonly name: string;
  /** Where each member comes from: source code, documentation, recorded traffic, or reports of others. */
  readonly sources: readonly string[];
  readonly runs: 'computer' | 'cloud';
  /** With `fetch` an Authorization header does not survive a redirect to another origin. */
  readonly library: 'fetch' | 'unknown';
  /** The statuses of a first answer upon which it signs in. */
  readonly signsInOn: readonly number[];
  /** It begins with `server/discover` (2026-07-28) where it can. */
  readonly beginsWithDiscover?: true;
  /** `needed`: without a readable WWW-Authenticate it never signs in. `used`: it has other ways. */
  readonly challenge: 'needed' | 'used';
  readonly resourceMetadata: ResourceMetadataUse;
  readonly serverMetadata: ServerMetadataUse;
  readonly identity: Identity;
  /** Compares `iss` of an authorization answer, and misses it where the server announces it (RFC 9207 §2.4). */
  readonly checksIss: boolean | 'unknown';
  /** The loopback host of its redirect URI, where the port is whatever was free. */
  readonly freePortOn?: 'localhost' | '127.0.0.1';
  /** How long it waits for the token endpoint. */
  readonly tokenSeconds?: number;
  /** It has a form that is a page in a browser, beside the one that is judged. */
  readonly alsoAPage?: true;
}

export interface ResourceMetadataUse {
  /** `named`: where the challenge names a URL that one alone, else path and root. `all`: challenge, path, root. */
  readonly places: 'named' | 'all';
  /** Reported to look at the root only; other reports say otherwise. */
  readonly perhapsRootOnly?: true;
  /** Without a document: the MCP server's origin is taken for the authorization server (2025-03-26), or it stops. */
  readonly without: 'origin' | 'stops' | 'unknown';
  /**
   * What `resource` must be: the typed URL less its query (`without-query`), that or a URL above it (`above`), or the
   * typed URL, else the document is left aside (`or-dropped`).
   */
  readonly resource: 'without-query' | 'above' | 'or-dropped' | 'unknown';
}

export interface ServerMetadataUse {
  /** Without a document: /authorize, /token and /register at the origin, or it stops. */
  readonly without: 'guesses' | 'stops' | 'unknown';
  /** Whether `issuer` must be what was named; `or-slash`: the named one may have a slash more at its end. */
  readonly issuer: 'exact' | 'or-slash' | 'ignored' | 'unknown';
  /** What it makes of `code_challenge_methods_supported`; `if-listed`: a list must have S256, none at all will do. */
  readonly pkce: 'needed' | 'if-listed' | 'ignored' | 'unknown';
  /** 200 with something else than JSON at one place ends the search. */
  readonly stopsAtWebPage?: true;
  /** Refuses a document that lacks what its form requires (RFC 8414 §2, OpenID Connect Discovery §3). */
  readonly wantsAllMembers?: true;
  /** Sends nothing to a token endpoint on plain http. */
  readonly refusesPlainHttp?: true;
}

export interface Identity {
  /** Client ID Metadata Document, used where the server announces them. */
  readonly document?: {
    readonly url: string;
    /** The probe that asked as this client; none: nothing is known of how the server takes its document. */
    readonly probe?: DocumentClientFacts['client'];
    /** Used only where one of these is among `token_endpoint_auth_methods_supported`. */
    readonly onlyWith?: readonly string[];
    /** Where `iss` is not announced it uses another document, of each connector's own. */
    readonly otherWithoutIss?: true;
  };
  /** A library: applications may bring a document of their own, and most do not. */
  readonly perhapsDocument?: true;
  /** RFC 7591: the registration that was tried with the same kind of redirect URIs, and whether they were its own. */
  readonly registration?: { readonly like: RegistrationFacts['purpose']; readonly own: boolean };
}

/** Where a client gets stuck, in the order of the way. */
export type Step = 'address' | 'first answer' | 'discovery' | 'registration' | 'sign-in' | 'token';

/** Something on the way of one client. */
export interface Hindrance {
  readonly outcome: 'fails' | 'unknown' | 'partly';
  readonly step: Step;
  /** A sentence for whoever runs the server; `It` is the client. */
  readonly reason: string;
}

/** What a leg of the way finds; its return value is what the next leg goes on with, undefined where there is none. */
export type Leg<T> = Generator<Hindrance, T | undefined>;

export const fails = (step: Step, reason: string): Hindrance => ({ outcome: 'fails', step, reason });
export const unknown = (step: Step, reason: string): Hindrance => ({ outcome: 'unknown', step, reason });
export const partly = (step: Step, reason: string): Hindrance => ({ outcome: 'partly', step, reason });
