/**
 * The one way out for URLs that strangers choose (SEC-09): https, a host resolved once with every address public, the
 * connection pinned to those addresses, one request, no redirect, status 200, and bounded time and bytes.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { dnsResolver, type HostResolver, hostAddresses } from './host-addresses.ts';
import { SafeFetchError } from './safe-fetch-error.ts';

export interface SafeFetchOptions {
  /** Left out: DNS. */
  readonly resolveHost?: HostResolver;
  /** PEM certificates to trust beside those Node trusts. */
  readonly extraCertificates?: readonly string[];
  /** Development and tests only: this computer too, there over plain http as well. */
  readonly dangerouslyAllowLoopback?: boolean;
}

export interface Wanted {
  /** Of the body as it is read, whatever `Content-Length` says. */
  readonly maxBytes: number;
  /** Sent as `Accept`. */
  readonly accept: string;
  /** Whether a media type (lower case, without parameters; empty if not sent) will do. */
  readonly isType: (type: string) => boolean;
  /** For everything together: name, connection, TLS, answer. 5 unless told. */
  readonly timeoutSeconds?: number;
}

export interface Fetched {
  readonly bytes: Buffer;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Rejects with `SafeFetchError` and nothing else. */
export type SafeFetch = (url: string, wanted: Wanted) => Promise<Fetched>;

export function safeFetch(options: SafeFetchOptions = {}): SafeFetch {
  const { resolveHost = dnsResolver(), dangerouslyAllowLoopback = false, extraCertificates = [] } = options;
  const ca = extraCertificates.length > 0 ? [...getCACertificates(), ...extraCertificates] : undefined;
  return async (text, wanted) => {
    const url = fetchable(text, dangerouslyAllowLoopback);
    const deadline = new AbortController();
    const { signal } = deadline;
    const timer = setTimeout(
      () => deadline.abort(new SafeFetchError('fetch.timeout')),
      (wanted.timeoutSeconds ?? 5) * 1000,
    );
    try {
      const looked = hostAddresses(url.hostname, signal, {
        resolveHost,
        dangerouslyAllowLoopback,
        loopbackOnly: url.protocol === 'http:',
      });
      const addresses = await Promise.race([looked, aborted(signal)]);
      return await get(url, addresses, ca, wanted, signal);
    } catch (error) {
      if (error instanceof SafeFetchError) throw error;
      throw new SafeFetchError('fetch.unreachable', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}

function fetchable(text: string, dangerouslyAllowLoopback: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol === 'https:' || (dangerouslyAllowLoopback && url?.protocol === 'http:');
  if (!url || !scheme || url.username !== '' || url.password !== '' || text.includes('#')) {
    throw new SafeFetchError('fetch.url');
  }
  return url;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function get(
  url: URL,
  addresses: readonly string[],
  ca: readonly string[] | undefined,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const sent = request({
      method: 'GET',
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
      path: url.pathname + url.search,
      // No pool: a socket is for the addresses of this very check. No proxy of the environment either.
      agent: false,
      // The name is not looked up again: what was checked is what is dialled. The certificate is for the name.
      lookup: pinned(addresses),
      ...(isIP(url.hostname) === 0 && !url.hostname.startsWith('[') && { servername: url.hostname }),
      // Said, because the environment can turn it off.
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(ca && { ca: [...ca] }),
      setHost: false,
      headers: {
        host: url.host,
        accept: wanted.accept,
        'accept-encoding': 'identity',
        'user-agent': 'Gatehouse',
      },
      maxHeaderSize: 16 * 1024,
      signal,
    });
    const fail = (error: unknown) => {
      reject(signal.aborted ? signal.reason : error);
      sent.destroy();
    };
    sent.on('error', fail);
    sent.on('close', () => fail(new Error('closed before the answer')));
    sent.on('response', (answer) => {
      const refusal = refusedHead(answer, wanted);
      if (refusal) return fail(refusal);
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > wanted.maxBytes) fail(new SafeFetchError('fetch.too_large'));
        else chunks.push(chunk);
      });
      answer.on('error', fail);
      answer.on('end', () => {
        // Only after a whole body: one that is cut off ends in `error`.
        resolve({ bytes: Buffer.concat(chunks), headers: answer.headers as Fetched['headers'] });
      });
    });
    sent.end();
  });
}

function pinned(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, done) => {
    if (options.all) done(null, all);
    else done(null, all[0]?.address ?? '', all[0]?.family);
  };
}

function refusedHead(answer: IncomingMessage, wanted: Wanted): SafeFetchError | undefined {
  const { statusCode = 0, headers } = answer;
  if (statusCode === 404 || statusCode === 410) return new SafeFetchError('fetch.gone');
  if (statusCode >= 300 && statusCode < 400) return new SafeFetchError('fetch.redirected');
  if (statusCode !== 200) return new SafeFetchError('fetch.status', { cause: new Error(`status ${statusCode}`) });
  const encoding = headers['content-encoding'];
  // We asked for none: what is small here could be large once it is unpacked.
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    return new SafeFetchError('fetch.content_encoding');
  }
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!wanted.isType(type)) return new SafeFetchError('fetch.content_type');
  const length = Number(headers['content-length'] ?? 0);
  return length > wanted.maxBytes ? new SafeFetchError('fetch.too_large') : undefined;
}
