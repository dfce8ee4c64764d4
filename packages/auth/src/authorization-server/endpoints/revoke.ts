/** The revocation endpoint (RFC 7009): a client gives back what it was given, and the whole grant with it. */
import { OAuthError } from '../../oauth/error.ts';
import { type Endpoint, type HttpReply, json, noStore } from '../../oauth/http.ts';
import { formParameters } from '../../oauth/parameters.ts';
import { maxAssertionLength } from '../assertion.ts';
import { authenticateClient } from '../clients/authenticate.ts';
import type { Client } from '../clients/client.ts';
import type { ClientAssertions } from '../clients/client-assertion.ts';
import { digest, logName, readCredential } from '../credential.ts';
import type { IssuedTokenReader } from '../issued-token.ts';
import type { Parts } from '../parts.ts';
import type { EndGrant } from '../revocation.ts';

export interface RevokeOptions extends Pick<Parts, 'keyring' | 'resolveClient' | 'log'> {
  readonly endGrant: EndGrant;
  readonly readIssuedToken: IssuedTokenReader;
  /** For `private_key_jwt`; without it, assertions are not read. */
  readonly assertions?: ClientAssertions;
}

/** RFC 7009 §2.2: the status says it all. */
const done: HttpReply = { status: 200, headers: { ...noStore }, body: '' };

export function revoke(options: RevokeOptions): Endpoint {
  const { keyring, resolveClient, log, endGrant, readIssuedToken, assertions } = options;
  return async (request) => {
    const parameters = formParameters(request, { maxValueLength: maxAssertionLength });
    const client = await authenticateClient(request, parameters, resolveClient, assertions);
    const token = parameters.get('token');
    if (token === undefined) {
      throw new OAuthError('invalid_request', 'token is missing.', { reason: 'revoke.token_missing' });
    }
    // `token_type_hint` is not needed (RFC 7009 §2.1): the two kinds are told apart by their form.
    const refresh = readCredential(keyring, 'refresh-token', token);
    if (refresh) return end(refresh.grantId, client);
    // A code is no token (RFC 7009 §2.1) and, without its verifier, may be in the wrong hands: it ends nothing here. An
    // expired access token neither (§2.2: it is invalid already); whoever finds one in an old log cannot sign anybody out.
    const access = await readIssuedToken(token);
    if (!access) {
      log({ event: 'revoke.unknown_token', client: logName(client.id) });
      return done;
    }
    if (access.clientId !== client.id) throw otherClient();
    if (access.grantId === undefined) return unsupportedTokenType();
    return end(access.grantId, client);
  };

  async function end(grantId: string, client: Client): Promise<HttpReply> {
    const clientDigest = digest(client.id);
    // Of any generation: what is genuine and comes from its own client says whose grant it was.
    const outcome = await endGrant(grantId, 'client', (grant) => grant.clientDigest === clientDigest);
    if (outcome === 'refused') throw otherClient();
    return done;
  }
}

/** RFC 7009 §2.1: refused and said so, in the words of RFC 6749 §5.2 ("was issued to another client"). */
function otherClient(): OAuthError {
  return new OAuthError('invalid_grant', 'The token was issued to another client.', { reason: 'revoke.other_client' });
}

/** RFC 7009 §2.2.1: a token without a grant lives until it expires, and a 200 would say otherwise. */
function unsupportedTokenType(): HttpReply {
  const description = 'A token without a grant cannot be revoked; it expires by itself.';
  return json(400, { error: 'unsupported_token_type', error_description: description }, noStore);
}
