/**
 * Claims that are nobody's standard: which names are taken (RFC 7519 §4.1, RFC 9068 §2.2), what an operator may add to a
 * token, and what is left of a token once everything with a meaning of its own has been read. Pure.
 */

/**
 * Claims that say something to whoever reads a token: RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4, RFC 7800 §3, and those
 * of ID tokens, for a resource must not take one for the other.
 */
const reservedClaims = new Set(
  (
    'iss sub aud exp nbf iat jti client_id scope scp azp grant_id sub_id cnf act may_act authorization_details events ' +
    'auth_time acr amr nonce at_hash c_hash s_hash sid typ token_use active __proto__'
  ).split(' '),
);

/** Claims that may be added and that whoever reads the token knows by name (RFC 9068 §2.2.3.1). */
const listsOfNames: readonly string[] = ['roles', 'permissions'];

/** So that a token stays well below what headers may hold. */
const maxClaimsBytes = 2048;

/** Everything wrong with further claims of a client's tokens; empty: they can be used. */
export function claimsFaults(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const faults = Object.keys(claims).flatMap((name) => {
    if (reservedClaims.has(name)) return [`"${name}" has a meaning of its own and cannot be set`];
    if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(name)) return [`"${name}" is no name of a claim`];
    if (claims[name] === undefined || typeof claims[name] === 'function') return [`"${name}" has no JSON value`];
    // Anything else under these names would be in the token and nobody would ever be told of it.
    return listsOfNames.includes(name) && !isNames(claims[name]) ? [`"${name}" must be a list of text`] : [];
  });
  try {
    if (Buffer.byteLength(JSON.stringify(claims), 'utf8') > maxClaimsBytes) {
      faults.push(`together they may have ${maxClaimsBytes} bytes of JSON`);
    }
  } catch {
    faults.push('they are not JSON');
  }
  return faults;
}

/** The rule once more where it counts: a name we do not set in this token must not be set by a client's claims either. */
export function withoutReserved(claims: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !reservedClaims.has(name)));
}

/** Of a verified token's claims those that have no place of their own in what the guard hands on; undefined: none. */
export function furtherClaims(
  claims: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  const further = Object.entries(withoutReserved(claims)).filter(([name]) => !listsOfNames.includes(name));
  return further.length === 0 ? undefined : Object.fromEntries(further);
}

export function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
