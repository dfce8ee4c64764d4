/** A grant type: what turns a token request into an authorization. Everything the types share is the endpoint's. */
import type { Parameters } from '../../oauth/parameters.ts';
import type { AuthenticatedClient } from '../clients/authenticate.ts';
import type { Authorization, Issue } from '../token-issuer.ts';

export interface GrantTypeResult {
  readonly authorization: Authorization;
  readonly refreshToken?: string;
  /** Made before anything was spent on it, by those types that spend something. */
  readonly accessToken?: string;
  /** The same answer again, for a client that lost the first. */
  readonly replay: boolean;
}

/** Throws `OAuthError` for refusals. `now` in seconds. `issue` signs, and may be away: ask it before the grant moves. */
export type GrantType = (
  client: AuthenticatedClient,
  parameters: Parameters,
  now: number,
  issue: Issue,
) => Promise<GrantTypeResult>;
