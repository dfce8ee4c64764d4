/** The addresses of a host that a request may be sent to: asked once, all of them public (SEC-09), or none is used. */
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { SafeFetchError } from './safe-fetch-error.ts';
import { isLoopbackAddress, specialUse } from './special-use.ts';

/** All addresses of a name. Rejects where it has none or nobody answers. */
export type HostResolver = (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;

/** More than a real host has; what comes after is checked all the same and never dialled. */
const maxDialled = 8;

export interface HostAddressOptions {
  readonly resolveHost: HostResolver;
  readonly dangerouslyAllowLoopback: boolean;
  /** For plain http, which the development switch opens to this computer and not to the world. */
  readonly loopbackOnly: boolean;
}

/** `hostname` as `URL` writes it. Throws `SafeFetchError`. */
export async function hostAddresses(
  hostname: string,
  signal: AbortSignal,
  { resolveHost, dangerouslyAllowLoopback, loopbackOnly }: HostAddressOptions,
): Promise<readonly string[]> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses =
    isIP(literal) !== 0 ? [literal] : await named(hostname, signal, resolveHost, dangerouslyAllowLoopback);
  if (addresses.length === 0) throw new SafeFetchError('fetch.no_address');
  for (const address of addresses) {
    if (dangerouslyAllowLoopback && isLoopbackAddress(address)) continue;
    // One private address among public ones is how a rebinding answer looks: nothing of it is used.
    const name = specialUse(address);
    if (name !== undefined) throw new SafeFetchError('fetch.special_use', { cause: new Error(`${hostname}: ${name}`) });
    if (loopbackOnly) throw new SafeFetchError('fetch.url');
  }
  return addresses.slice(0, maxDialled);
}

async function named(
  hostname: string,
  signal: AbortSignal,
  resolveHost: HostResolver,
  dangerouslyAllowLoopback: boolean,
): Promise<readonly string[]> {
  // RFC 6761 §6.3: names that mean this computer, whatever a name server says.
  if (/(^|\.)localhost\.?$/i.test(hostname)) {
    if (dangerouslyAllowLoopback) return ['127.0.0.1', '::1'];
    throw new SafeFetchError('fetch.special_use');
  }
  try {
    return await resolveHost(hostname, signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : new SafeFetchError('fetch.no_address', { cause: error });
  }
}

/**
 * DNS itself, not `getaddrinfo`: no hosts file, no search domains, no mDNS, and a slow name server takes none of the
 * four threads that the rest of the process reads files and checks signatures with. `servers`: `address:port`; left
 * out, those of the system.
 */
export function dnsResolver(servers?: readonly string[]): HostResolver {
  return async (hostname, signal) => {
    const resolver = new Resolver({ timeout: 2000, tries: 2 });
    if (servers) resolver.setServers(servers);
    const cancel = () => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
      // IPv4 first: clouds without a way out over IPv6 are many, without one over IPv4 few.
      const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
      if (addresses.length > 0) return addresses;
      throw answers.find((answer) => answer.status === 'rejected')?.reason ?? new Error('no addresses');
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}
