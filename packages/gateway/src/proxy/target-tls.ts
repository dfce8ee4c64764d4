/** TLS to a target: what the operator gives for it, and what is wrong with that (RFC 9325 §3, RFC 9525). */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

export interface TargetTls {
  /** PEM. Who may have signed the target's certificate, in place of the public authorities and not beside them. */
  readonly ca?: string | undefined;
  /** PEM, with its key: what a target that asks for a certificate is shown. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that is asked for and that must stand in the certificate, where it is not the URL's host. */
  readonly serverName?: string | undefined;
  /** Then anybody in between can read and change everything. */
  readonly dangerouslyAcceptAnyCertificate?: boolean | undefined;
}

/** Each with its path; never with a value. */
export function tlsFaults({ ca, cert, key, serverName }: TargetTls): readonly string[] {
  const faults: string[] = [];
  if (ca !== undefined && !certificate(ca)) faults.push('ca: is no certificate in PEM');
  const shown = cert === undefined ? undefined : certificate(cert);
  if (cert !== undefined && !shown) faults.push('cert: is no certificate in PEM');
  if ((cert === undefined) !== (key === undefined)) {
    faults.push(cert === undefined ? 'key: needs its certificate, tls.cert' : 'cert: needs its key, tls.key');
  }
  if (key !== undefined) {
    const own = privateKey(key);
    if (!own) faults.push('key: is no private key in PEM without a passphrase');
    else if (shown && !shown.checkPrivateKey(own)) faults.push('key: is not the key of tls.cert');
  }
  if (serverName !== undefined && !/^[A-Za-z0-9.-]{1,253}$/.test(serverName))
    faults.push('serverName: is no host name');
  if (faults.length === 0 && cert !== undefined && !usable(cert, key)) faults.push('cert: is refused by OpenSSL');
  return faults;
}

function certificate(pem: string): X509Certificate | undefined {
  if (!pem.includes('-----BEGIN ')) return undefined;
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function privateKey(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** A key too short for today's rules, for one. */
function usable(cert: string, key: string | undefined): boolean {
  try {
    createSecureContext({ cert, key });
    return true;
  } catch {
    return false;
  }
}
