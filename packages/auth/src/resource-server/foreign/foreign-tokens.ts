/**
 * The verifier of other people's tokens: Cognito's, Auth0's, any OpenID provider's, several side by side (RFC 8725,
 * RFC 9068 §4). A token may say which of the configured issuers it is of, and nothing else before it is verified.
 */
import { createHash } from 'node:crypto';
import { subjectOf } from '../../identity-providers/identity-provider.ts';
import { signingAlgorithms } from '../../oauth/jws.ts';
import { parseScope } from '../../oauth/scope.ts';
import type { AccessToken } from '../access-token.ts';
import { invalidToken } from '../challenge.ts';
import { rolesFrom } from '../require.ts';
import type { TokenVerifier } from '../verifier.ts';
import { type CompactJws, compactJws } from './compact-jws.ts';
import type { Fetch } from './fetch-document.ts';
import { type ForeignIssuer, issuerFaults } from './issuer.ts';
import { type IssuerKeys, type IssuerKeysOptions, issuerKeys } from './issuer-keys.ts';
import { algorithmNamed } from './key-set.ts';

export type { ForeignIssuer } from './issuer.ts';

export interface ForeignTokensOptions {
  readonly issuers: readonly ForeignIssuer[];
  readonly now: () => number;
  readonly fetch?: Fetch;
  /** How far the issuer's clock may differ from ours at `exp`, `nbf` and `iat`. */
  readonly skewSeconds?: number;
  /** For one answer of an issuer. */
  readonly timeoutSeconds?: number;
  /** Told of every time an issuer's keys could not be fetched, for the log. */
  readonly onFailure?: NonNullable<IssuerKeysOptions['onFailure']>;
}

type Claims = CompactJws['claims'];

/**
 * In place of the verifier of our own tokens: throws `invalid_token`, or 503 while an issuer's keys cannot be had.
 * Throws a `TypeError` with everything that is wrong with the issuers. Tokens are not remembered: an RSA signature is
 * verified in some 30 µs, and a remembered token would outlive a key that its issuer removed.
 */
export function foreignTokens(options: ForeignTokensOptions): TokenVerifier {
  const { issuers, now, skewSeconds = 30, timeoutSeconds = 5, onFailure } = options;
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const faults = [...issuerFaults(issuers)];
  if (!(skewSeconds >= 0 && skewSeconds <= 300)) faults.push('skewSeconds: must be 0 to 300');
  if (faults.length > 0) throw new TypeError(`Other issuers' tokens cannot be verified:\n- ${faults.join('\n- ')}`);

  // Each with keys of its own: a key id of one issuer means nothing at another (CVE-2025-59936).
  const known = new Map<unknown, { readonly entry: ForeignIssuer; readonly keys: IssuerKeys }>();
  for (const entry of issuers) {
    const { issuer, jwksUri, algorithms = signingAlgorithms } = entry;
    known.set(issuer, {
      entry,
      keys: issuerKeys({ issuer, jwksUri, algorithms, fetch, now, timeoutSeconds, onFailure }),
    });
  }

  return async (token) => {
    const jws = compactJws(token);
    const found = known.get(jws.claims.iss);
    if (!found) throw invalidToken('token.issuer');
    const typed = checkType(jws, found.entry);
    await checkSignature(jws, found.keys, found.entry);
    refuseOtherKinds(jws.claims, typed);
    checkTimes(jws.claims, now(), skewSeconds);
    return accessToken(token, jws.claims, found.entry);
  };
}

/**
 * Whether the token says that it is an access token (RFC 9068 §2.1; RFC 8725 §3.11), or only that it is a JWT. Media
 * types have no case and may leave out `application/`.
 */
function checkType({ header }: CompactJws, { tokenType = 'at+jwt' }: ForeignIssuer): boolean {
  const type = typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : header.typ;
  if (type === 'at+jwt') return true;
  if (tokenType === 'jwt' && (type === undefined || type === 'jwt')) return false;
  throw invalidToken('token.type');
}

async function checkSignature(jws: CompactJws, keys: IssuerKeys, entry: ForeignIssuer): Promise<void> {
  const { kid } = jws.header;
  const algorithm = algorithmNamed(jws.header.alg);
  // `none`, HS256 and what else nobody configured end here, before a key is looked for.
  if (!(entry.algorithms ?? signingAlgorithms).some((one) => one === algorithm)) throw invalidToken('token.algorithm');
  if (typeof kid !== 'string' || kid === '' || kid.length > 256) throw invalidToken('token.key_id');
  const key = await keys(kid);
  if (!key) throw invalidToken('token.key_unknown');
  // RFC 8725 §3.1: the key says which algorithm, never the token.
  if (key.algorithm !== algorithm) throw invalidToken('token.algorithm');
  if (!key.verify(jws.signingInput, jws.signature)) throw invalidToken('token.signature');
}

function checkTimes({ exp, nbf, iat }: Claims, time: number, skewSeconds: number): void {
  if (typeof exp !== 'number' || time >= exp + skewSeconds) throw invalidToken('token.expired');
  if (nbf !== undefined && !(typeof nbf === 'number' && time >= nbf - skewSeconds)) throw invalidToken('token.not_yet');
  if (typeof iat !== 'number' || time < iat - skewSeconds) throw invalidToken('token.not_yet');
}

function accessToken(token: string, claims: Claims, entry: ForeignIssuer): AccessToken {
  const { sub, jti } = claims;
  if (typeof sub !== 'string' || sub === '') throw invalidToken('token.claims');
  const clientId = clientOf(claims);
  checkAudience(claims, clientId, entry);
  const identity = { issuer: entry.issuer, subject: sub };
  const scope = scopeOf(claims, entry);
  return {
    subject: subjectOf(identity),
    clientId,
    scope,
    audience: entry.resource,
    issuer: entry.issuer,
    expiresAt: claims.exp as number,
    issuedAt: claims.iat as number,
    // Auth0 gives none unless asked to; the token's own digest is as good a name, and is no token.
    tokenId: typeof jti === 'string' && jti !== '' ? jti : createHash('sha256').update(token).digest('base64url'),
    identity,
    ...rolesAndPermissions(claims, scope, entry),
  };
}

/** Things that an issuer signs with the same keys, and that a lax `typ` would let pass: id, refresh and logout tokens. */
function refuseOtherKinds(claims: Claims, typed: boolean): void {
  const { token_use: use, typ } = claims;
  if (use !== undefined && use !== 'access') throw invalidToken('token.use');
  if (typ !== undefined && typ !== 'Bearer') throw invalidToken('token.use'); // Keycloak's `ID`, `Refresh`, `Logout`
  if (typed) return;
  // OpenID Connect Core §2, §3.1.3.6; Back-Channel Logout §2.4.
  for (const name of ['nonce', 'at_hash', 'c_hash', 'events']) if (name in claims) throw invalidToken('token.use');
}

/** `client_id` (RFC 9068 §2.2), or the names others have for it; where there are several they must agree. */
function clientOf({ client_id: clientId, azp, cid }: Claims): string {
  const names = [clientId, azp, cid].filter((name) => name !== undefined);
  const [first] = names;
  if (typeof first !== 'string' || first === '') throw invalidToken('token.claims');
  if (names.some((name) => name !== first)) throw invalidToken('token.client');
  return first;
}

function checkAudience(claims: Claims, clientId: string, { audience, clientIds, resource }: ForeignIssuer): void {
  const { aud } = claims;
  const includes = (text: string) => aud === text || (Array.isArray(aud) && aud.includes(text));
  if (audience !== undefined) {
    if (!includes(audience)) throw invalidToken('token.audience');
  } else {
    // Cognito: no `aud`, so the client is what a token is for. Its id tokens have the client as `aud`.
    if (claims.token_use !== 'access') throw invalidToken('token.use');
    if (aud !== undefined && !includes(resource)) throw invalidToken('token.audience');
  }
  if (clientIds && !clientIds.includes(clientId)) throw invalidToken('token.client');
}

function scopeOf({ scope, scp }: Claims, { scopePrefix }: ForeignIssuer): readonly string[] {
  const given = scope ?? scp; // Entra and Okta say `scp`, Okta as an array
  const all = parseScope(typeof given === 'string' ? given : texts(given).join(' '));
  if (scopePrefix === undefined) return all;
  // Without its prefix another API's scope, or one of OpenID's, must not pass for ours.
  return all.filter((one) => one.startsWith(scopePrefix)).flatMap((one) => parseScope(one.slice(scopePrefix.length)));
}

function rolesAndPermissions(
  claims: Claims,
  scope: readonly string[],
  { permissionsFrom, roleRules }: ForeignIssuer,
): Pick<AccessToken, 'roles' | 'permissions'> {
  if (permissionsFrom === 'scope') return { permissions: scope };
  if (permissionsFrom === 'permissions') return { permissions: texts(claims.permissions) };
  if (permissionsFrom === undefined) return {};
  const groups = texts(claims['cognito:groups']);
  return roleRules ? rolesFrom({ groups }, roleRules) : { roles: groups };
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? [...new Set(value.filter((one) => typeof one === 'string' && one !== ''))] : [];
}
