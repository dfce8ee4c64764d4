/** `private_key_jwt`: a client proves itself with a JWT that it signed (RFC 7523 §2.2, §3, and rfc7523bis for `aud`). */
import { OAuthError } from '../../oauth/error.ts';
import type { Parameters } from '../../oauth/parameters.ts';
import { type Assertion, assertionFaults, isSignedBy, readAssertion } from '../assertion.ts';
import type { SingleUse } from '../single-use.ts';
import type { Client } from './client.ts';

export const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** What an assertion is judged by. */
export interface ClientAssertions {
  /** Our issuer: the only `aud`. The token endpoint's URL is none, however many servers accept it. */
  readonly issuer: string;
  readonly singleUse: SingleUse;
  readonly now: () => number;
}

/** An assertion is made for one request; what a client keeps for longer is worth more to a thief than to it. */
const maxLifetimeSeconds = 5 * 60;

/** rfc7523bis names the last; libraries still send `JWT` or nothing. Any other type is another kind of token. */
const types = [undefined, 'jwt', 'client-authentication+jwt'];

/** The assertion of a request, unproven: it names the client. Undefined: the request brings none. */
export function presentedAssertion(parameters: Parameters, { issuer, now }: ClientAssertions): Assertion | undefined {
  const text = parameters.get('client_assertion');
  const type = parameters.get('client_assertion_type');
  if (text === undefined && type === undefined) return undefined;
  if (type !== clientAssertionType) {
    throw refuse(`client_assertion_type must be ${clientAssertionType}.`, 'client.assertion_type');
  }
  if (text === undefined) throw refuse('client_assertion is missing.', 'client.assertion_missing');
  const rules = { audience: issuer, now: now(), maxLifetimeSeconds, types, requireIssuedAt: false };
  const assertion = readAssertion(text, rules);
  // Nothing is known of any client yet, so the words may help whoever writes one.
  if (typeof assertion === 'string') {
    const reason = assertion === 'type' ? 'client.assertion_header_type' : `client.assertion_${assertion}`;
    throw refuse(`The client assertion is not accepted. ${assertionFaults[assertion]}`, reason);
  }
  // RFC 7523 §3: for client authentication both are the client.
  if (assertion.issuer !== assertion.subject) {
    throw refuse(
      'The client assertion is not accepted. Its iss and sub must both be the client_id.',
      'client.assertion_iss_sub',
    );
  }
  return assertion;
}

/** The private reason why the assertion does not prove the client; undefined: it does, and it is spent now. */
export async function assertionFault(
  assertion: Assertion,
  client: Client,
  { singleUse }: ClientAssertions,
): Promise<string | undefined> {
  if (!client.keys) return 'client.keys_missing';
  if (!(await isSignedBy(assertion, await client.keys(assertion.keyId)))) return 'client.assertion_signature';
  // Last, so that nobody but the client can spend what is the client's (SEC-02).
  const first = await singleUse.spend('client-assertion', client.id, assertion.id, assertion.expiresAt);
  return first ? undefined : 'client.assertion_replayed';
}

function refuse(description: string, reason: string): OAuthError {
  // RFC 7521 §4.2.1: whatever is wrong with an assertion is `invalid_client`.
  return new OAuthError('invalid_client', description, { reason });
}
