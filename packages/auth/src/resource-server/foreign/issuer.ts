/** Foreign issuers: whose access tokens count beside our own, and what their configuration must say (RFC 8725 §3.8, §3.9). */
import { type SigningAlgorithm, signingAlgorithms } from '../../oauth/jws.ts';
import { isLoopbackHost } from '../../oauth/redirect-uri.ts';
import { type RoleRules, roleRuleFaults } from '../require.ts';

export interface ForeignIssuer {
  /** Compared with `iss` byte for byte, a trailing slash included. */
  readonly issuer: string;
  /** Our resource that the issuer's tokens are for; what the token's `audience` becomes. */
  readonly resource: string;
  /** What stands in `aud`. It or `clientIds` must be given. */
  readonly audience?: string;
  /**
   * The clients whose tokens count (`client_id`, or `azp`). Without `audience` they stand in for it, as Cognito has it:
   * then `token_use` must be `access`, and an `aud` that is there all the same must be our resource (RFC 8707 §2.2).
   */
  readonly clientIds?: readonly string[];
  /** Where the keys are; otherwise the issuer's OpenID discovery document says so. */
  readonly jwksUri?: string;
  /** A key without `alg` counts for the first of these that fits its type. All of ours unless told. */
  readonly algorithms?: readonly SigningAlgorithm[];
  /**
   * `at+jwt`, the default, takes RFC 9068's `typ` alone. `jwt` is for issuers that say `JWT` or nothing at all (Auth0,
   * Cognito): there id tokens are told from access tokens by their claims.
   */
  readonly tokenType?: 'at+jwt' | 'jwt';
  /** Where roles and permissions come from; from nowhere unless told. */
  readonly permissionsFrom?: 'cognito:groups' | 'permissions' | 'scope';
  /** With `cognito:groups`: what the groups come to. Without it each group is a role of its name. */
  readonly roleRules?: RoleRules;
  /** Cut from the scopes that begin with it, such as `https://api.example.com/`; the others are dropped. */
  readonly scopePrefix?: string;
}

/** Everything wrong with a list of issuers, each with its path; empty: nothing. */
export function issuerFaults(issuers: readonly ForeignIssuer[]): readonly string[] {
  const faults: string[] = [];
  if (issuers.length === 0) faults.push('issuers: at least one is needed');
  issuers.forEach((entry, index) => {
    const at = `issuers[${index}]`;
    const fault = (name: string, words: string) => faults.push(`${at}.${name}: ${words}`);
    const where = urlFault(entry.issuer);
    if (where !== undefined) fault('issuer', `"${entry.issuer}" ${where}`);
    else if (entry.issuer.includes('?')) fault('issuer', `"${entry.issuer}" must have no query`); // RFC 8414 §2
    if (issuers.findIndex(({ issuer }) => issuer === entry.issuer) !== index) {
      fault('issuer', `"${entry.issuer}" stands twice`);
    }
    if (!URL.canParse(entry.resource)) fault('resource', `"${entry.resource}" is not an absolute URL`);
    // A verifier that checks the audience only where one was configured is a verifier that takes everybody's tokens.
    if (entry.audience === undefined && entry.clientIds === undefined) {
      fault('audience', 'is missing; a token for anybody would be a token for us (or give clientIds)');
    }
    if (entry.audience === '') fault('audience', 'is empty');
    if (entry.clientIds?.length === 0 || entry.clientIds?.includes('')) fault('clientIds', 'is empty');
    if (entry.jwksUri !== undefined) {
      const words = urlFault(entry.jwksUri);
      if (words !== undefined) fault('jwksUri', `"${entry.jwksUri}" ${words}`);
    }
    if (entry.algorithms?.length === 0) fault('algorithms', 'is empty');
    for (const algorithm of entry.algorithms ?? []) {
      if (!signingAlgorithms.includes(algorithm)) fault('algorithms', `"${algorithm}" is none of ${signingAlgorithms}`);
    }
    if (entry.roleRules) {
      if (entry.permissionsFrom !== 'cognito:groups') fault('roleRules', 'need permissionsFrom: "cognito:groups"');
      for (const words of roleRuleFaults(entry.roleRules)) fault('roleRules', words);
    }
    if (entry.scopePrefix === '') fault('scopePrefix', 'is empty');
  });
  return faults;
}

/** Why a URL of an issuer cannot be trusted with a connection; undefined: it can. */
export function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not an absolute URL';
  const { protocol, hostname, username, password, hash } = new URL(text);
  if (username !== '' || password !== '' || hash !== '') return 'must have no user and no fragment';
  if (protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))) return undefined;
  return 'must be https (plain http is for localhost)';
}
