/** Why a target did not answer, in words for the log that name the cure; a client never sees them. */

const signer = 'nobody who is trusted here has signed the target’s certificate: give its authority as tls.ca';
const noTls = 'the target does not speak TLS on this port: begin its URL with http://';

const showCertificate = 'if it asks for a certificate, give tls.cert and tls.key';

/** By the code of Node's or OpenSSL's error. */
const cures: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the target’s certificate is signed by itself: give it as tls.ca',
  SELF_SIGNED_CERT_IN_CHAIN: signer,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: signer,
  UNABLE_TO_GET_ISSUER_CERT: signer,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: signer,
  CERT_HAS_EXPIRED: 'the target’s certificate has expired: renew it there',
  CERT_NOT_YET_VALID: 'the target’s certificate is not valid yet: compare the two clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the target’s certificate is for another name: give that name as tls.serverName',
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE': `the target refused the TLS handshake: ${showCertificate}`,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: `the target refused us: ${showCertificate}`,
  UND_ERR_CONNECT_TIMEOUT: 'no connection within connectSeconds',
  UND_ERR_HEADERS_TIMEOUT: 'no answer within answerSeconds',
  UND_ERR_BODY_TIMEOUT: 'nothing more of the answer within idleSeconds',
};

/** Of the error and its kin; the first that has one. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error instanceof AggregateError ? errorCode(error.errors[0]) : errorCode(error.cause);
}

export function isTimeout(error: unknown): boolean {
  return /^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$|^ETIMEDOUT$/.test(errorCode(error) ?? '');
}

/** One line. */
export function targetErrorInWords(error: unknown): string {
  // Several addresses were tried, and the error of all of them says nothing itself.
  const told = error instanceof AggregateError ? error.errors : [error];
  const said = told.map((one) => (one instanceof Error ? one.message : String(one))).join(', ');
  const line = said.replace(/\s+/g, ' ').trim().slice(0, 500);
  const code = errorCode(error) ?? '';
  // In TLS 1.3 a client learns that its certificate was missed when it reads first (RFC 8446 §4.4.2.4), which undici calls this.
  const hungUp = code === 'UND_ERR_SOCKET' && line === 'other side closed';
  const cure = hungUp ? `the target hung up without an answer: over TLS, ${showCertificate}` : cures[code];
  return cure === undefined ? line : `${cure} (${line})`;
}
