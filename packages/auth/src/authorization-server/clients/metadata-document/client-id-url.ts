/** Which URLs may be a client id (Client ID Metadata Document, "Client Identifier"), and of which hosts we believe one. */
import { isIP } from 'node:net';

/** So that it fits a request parameter and a line of a log. */
export const maxClientIdUrlLength = 1024;

/** Why the text is no client id URL, as the end of a sentence; undefined: it is one. */
export function clientIdUrlFault(text: string, dangerouslyAllowLoopback = false): string | undefined {
  if (text.length > maxClientIdUrlLength) return `is longer than ${maxClientIdUrlLength} characters`;
  if (!URL.canParse(text)) return 'is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(dangerouslyAllowLoopback && url.protocol === 'http:')) return 'is not https';
  if (url.username !== '' || url.password !== '') return 'has userinfo';
  if (text.includes('#')) return 'has a fragment';
  // The draft says SHOULD NOT. No known client has one, and where a site echoes its query, a stranger writes documents.
  if (text.includes('?')) return 'has a query';
  // Dot segments in any spelling, upper-case hosts, default ports, numbers as hosts: a parser would change them, and two
  // that disagree are two clients (SEC-03). Equal to its own normal form means that all read the same.
  if (url.href !== text) return 'is not in normal form (path missing, dot segments, port 443, or unusual characters)';
  if (url.pathname === '/') return 'has no path';
  if (/%2f|%5c|%2e|%00|\\/i.test(url.pathname)) return 'has encoded slashes or dots in its path';
  return dangerouslyAllowLoopback ? undefined : hostFault(url.hostname);
}

function hostFault(hostname: string): string | undefined {
  // An address names nobody a person could recognise.
  if (isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0) return 'has an address where its host should be';
  // `example.com.` is `example.com` to DNS and another host to every list.
  return hostname.includes('.') && !hostname.endsWith('.') ? undefined : 'has no full host name';
}

export interface DomainPolicy {
  /** Hosts whose documents are believed: `example.com` is that host alone, `*.example.com` every host below. Left out: all. */
  readonly allow?: readonly string[];
  /** Stronger than `allow`, and for keys and logos too. */
  readonly deny?: readonly string[];
}

export interface CheckedDomainPolicy {
  /** Whether a client may be published at this host. */
  clients(hostname: string): boolean;
  /** Whether anything at all may be fetched from it. */
  fetches(hostname: string): boolean;
}

/** Throws `TypeError` on an entry that is no host pattern: one that never matches would be a hole in `deny`. */
export function domainPolicy({ allow, deny = [] }: DomainPolicy): CheckedDomainPolicy {
  for (const entry of [...(allow ?? []), ...deny]) {
    const host = entry.replace(/^\*\./, '');
    const plain = URL.canParse(`https://${host}/`) && new URL(`https://${host}/`).hostname === host;
    if (!plain || host.includes('*')) {
      throw new TypeError(`"${entry}" is no host: write example.com, or *.example.com for all below it`);
    }
  }
  const fetches = (hostname: string) => !deny.some((entry) => matches(hostname, entry));
  return {
    fetches,
    clients: (hostname) =>
      fetches(hostname) && (allow === undefined || allow.some((entry) => matches(hostname, entry))),
  };
}

function matches(hostname: string, entry: string): boolean {
  const host = hostname.replace(/\.$/, '');
  return entry.startsWith('*.') ? host.endsWith(entry.slice(1)) : host === entry;
}
