/** Names and certificates: what a client sees before the first byte of HTTP (RFC 9325, RFC 9525). */
import { lookup as lookupAll } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { type ConnectionOptions, connect, type DetailedPeerCertificate, getCACertificates } from 'node:tls';
import type { DnsFacts, Failure, TlsFacts } from '../facts.ts';
import { failureOf } from './http.ts';

export type Addresses = DnsFacts['addresses'];

/** Every address of a name; rejects with the code of `getaddrinfo` where there is none. */
export type Resolve = (hostname: string) => Promise<Addresses>;

export const resolveBySystem: Resolve = async (hostname) =>
  (await lookupAll(hostname, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));

export async function probeDns(url: string, resolve: Resolve, now: () => number): Promise<DnsFacts> {
  const hostname = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const started = now();
  try {
    return { hostname, addresses: await resolve(hostname), ms: now() - started };
  } catch (error) {
    return { hostname, addresses: [], failure: failureOf(error), ms: now() - started };
  }
}

/** For sockets, from the same source. */
export function lookupBy(resolve: Resolve): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (all) callback(null, [...addresses]);
        else if (first) callback(null, first.address, first.family);
        else callback(Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' }), '');
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

export interface TlsProbe {
  readonly lookup: LookupFunction;
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Certificates that are trusted besides the usual ones, in PEM. */
  readonly ca?: string;
}

/** Undefined for an origin without TLS. */
export async function probeTls(url: string, probe: TlsProbe): Promise<TlsFacts | undefined> {
  const { origin, protocol } = new URL(url);
  if (protocol !== 'https:') return undefined;
  const started = probe.now();
  const seen = await handshake(url, probe, {});
  // Only where the handshake can be done at all: a server that is away is not asked again.
  const old = seen.protocol === undefined ? undefined : await handshake(url, probe, oldProtocols);
  return {
    origin,
    ...seen,
    ...(old?.protocol !== undefined && { acceptsOld: old.protocol }),
    ms: probe.now() - started,
    at: Math.floor(Date.now() / 1000),
  };
}

/** RFC 8996 ended both. OpenSSL itself speaks them at its lowest level only. */
const oldProtocols: ConnectionOptions = {
  minVersion: 'TLSv1',
  maxVersion: 'TLSv1.1',
  ciphers: 'DEFAULT@SECLEVEL=0',
};

type Handshake = Pick<TlsFacts, 'protocol' | 'fault' | 'certificate'>;

function handshake(url: string, probe: TlsProbe, options: ConnectionOptions): Promise<Handshake> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      lookup: probe.lookup,
      // An address has no server name (RFC 6066 §3).
      ...(!/^[\d.]+$|:/.test(host) && { servername: host }),
      // Looked at whatever it is; the verdict of the verification is in `authorizationError`.
      rejectUnauthorized: false,
      ...(probe.ca !== undefined && { ca: [...getCACertificates('default'), probe.ca] }),
      ...options,
    });
    const settle = (seen: Handshake) => {
      clearTimeout(timer);
      probe.signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(seen);
    };
    const gaveUp = () => settle({ fault: { code: 'TIMEOUT', message: `No TLS handshake within ${probe.seconds} s.` } });
    const abort = () => gaveUp();
    const timer = setTimeout(gaveUp, probe.seconds * 1000);
    probe.signal.addEventListener('abort', abort);
    socket.once('error', (error) => settle({ fault: failureOf(error) }));
    socket.once('close', () => settle({ fault: { code: 'ECONNRESET', message: 'The server hung up.' } }));
    socket.once('secureConnect', () => {
      const certificate = certificateOf(socket.getPeerCertificate(true));
      const protocol = socket.getProtocol();
      settle({
        ...(protocol !== null && { protocol }),
        ...(!socket.authorized && { fault: faultOf(socket.authorizationError) }),
        ...(certificate && { certificate }),
      });
    });
  });
}

/** Node's types say Error; what it sets is a code, or an Error for a wrong name. */
function faultOf(error: unknown): Failure {
  return typeof error === 'string' ? { code: error, message: error } : failureOf(error);
}

function certificateOf(peer: DetailedPeerCertificate): TlsFacts['certificate'] {
  if (peer.valid_from === undefined) return undefined;
  const name = (of: { readonly CN?: unknown; readonly O?: unknown } | undefined) => String(of?.CN ?? of?.O ?? '');
  return {
    subject: name(peer.subject),
    issuer: name(peer.issuer),
    names: (peer.subjectaltname ?? '')
      .split(', ')
      .filter((entry) => entry !== '')
      .slice(0, 100),
    notBefore: Math.floor(Date.parse(peer.valid_from) / 1000),
    notAfter: Math.floor(Date.parse(peer.valid_to) / 1000),
  };
}
