/** A client as every endpoint sees it, wherever it came from (RFC 6749 §2, RFC 7591 §2). */

export type ClientAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post';

export interface Client {
  readonly id: string;
  /** What it calls itself: a claim, unless `proven`. */
  readonly name?: string;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly authMethod: ClientAuthMethod;
  /** Whether somebody vouches for who this is; anybody can register any name. */
  readonly proven: boolean;
}

/** Undefined: no such client. Throws only for faults. */
export type ClientResolver = (clientId: string) => Promise<Client | undefined>;
