/** A grant type: what turns a token request into an authorization. Everything the types share is the endpoint's. */
import type { Parameters } from '../../oauth/parameters.ts';
import type { Client } from '../clients/client.ts';
import type { Authorization } from '../token-issuer.ts';

export interface GrantTypeResult {
  readonly authorization: Authorization;
  readonly refreshToken?: string;
  /** The same answer again, for a client that lost the first. */
  readonly replay: boolean;
}

/** Throws `OAuthError` for refusals. `now` in seconds. */
export type GrantType = (client: Client, parameters: Parameters, now: number) => Promise<GrantTypeResult>;
