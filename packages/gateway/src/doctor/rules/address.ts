/** The typed URL, its name, and where its redirects lead. */
import { isLoopbackHost } from '../../loopback.ts';
import { type Exchange, type Facts, lastOf } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { redirectOf } from '../probe/http.ts';
import { quoted } from '../text.ts';
import { failureWords, isHtml, seen } from './observe.ts';

export const addressRules: Rules = [
  {
    id: 'address.unresolvable',
    severity: 'fault',
    title: 'The name has no address',
    why: 'No client can connect.',
    spec: 'RFC 1035',
    cure: 'Check the spelling. If the name is new, its DNS record is missing or has not spread yet; names of an internal network exist only there.',
    check: ({ dns }) => seen(dns.failure && `Looking up ${quoted(dns.hostname)} gave ${dns.failure.code}.`),
  },
  {
    id: 'address.unreachable',
    severity: 'fault',
    title: 'Nothing answers',
    why: 'No client can connect.',
    spec: 'RFC 9110 §3.3',
    cure: 'Is the server running, does it listen on this port and on this interface (not on 127.0.0.1 alone), and does a firewall or security group let it through?',
    check: ({ unreachable, tls }) =>
      // A handshake that fails is told with TLS.
      seen(
        unreachable && tls[0]?.protocol === undefined && tls[0]?.fault !== undefined && !isSilent(tls[0].fault.code)
          ? undefined
          : unreachable && `POST ${unreachable.url}: ${failureWords(unreachable)}`,
      ),
  },
  {
    id: 'address.userinfo',
    severity: 'fault',
    title: 'The URL has a user name in it',
    why: 'fetch refuses URLs with credentials, so every client that is built on it (the SDKs, Claude Code, VS Code) fails before it sends anything; others write the password into logs.',
    spec: 'RFC 9110 §4.2.4; RFC 8707 §2',
    cure: 'Give out the URL without user:password@ and let OAuth say who is there.',
    check: ({ typed }) => seen(typed.userinfo && `${typed.url} was typed with userinfo, which was not sent.`),
  },
  {
    id: 'address.fragment',
    severity: 'warning',
    title: 'The URL has a fragment',
    why: 'A resource indicator must not have one: an authorization server may answer invalid_target to clients that send it on.',
    spec: 'RFC 8707 §2; RFC 9728 §1.2',
    cure: 'Give out the URL without the part behind #.',
    check: ({ typed }) => seen(typed.fragment && `${typed.url} was typed with a fragment, which was not sent.`),
  },
  {
    id: 'address.scheme-added',
    severity: 'note',
    title: 'The URL was typed without a scheme',
    why: 'Clients want the whole URL, and compare it byte for byte with what the server says of itself.',
    spec: 'RFC 9728 §3.3',
    cure: 'Give out the URL with its scheme.',
    check: ({ typed }) => seen(typed.schemeAdded && `No scheme was typed; ${typed.url} was examined.`),
  },
  {
    id: 'address.plain-http',
    severity: 'fault',
    title: 'The URL is plain http',
    why: 'Access tokens travel readable for everybody on the way. Claude.ai and ChatGPT accept https only, and the SDK v2 client does not send secrets over it.',
    spec: 'RFC 6750 §5.3; MCP 2026-07-28, Security Considerations, “Communication Security”',
    cure: 'Serve it over TLS and give out the https URL. A redirect from http is no cure: the first request, with its token, was sent already.',
    check: ({ typed, endpoint }) => {
      const { protocol, hostname } = new URL(typed.url);
      const upgraded = endpoint && new URL(endpoint.url).protocol === 'https:';
      return seen(
        protocol === 'http:' &&
          !isLoopbackHost(hostname) &&
          (upgraded
            ? `${typed.url} redirects to ${endpoint.url}, which is the URL to give out.`
            : `${typed.url} was typed.`),
      );
    },
  },
  {
    id: 'address.not-public',
    severity: 'note',
    title: 'The address is not on the public internet',
    why: 'Clients in a vendor’s cloud (Claude.ai, ChatGPT, Copilot) cannot reach it. Those on this computer or in this network can.',
    spec: 'RFC 6890',
    cure: 'Nothing, if that is meant. Otherwise put it behind a public name.',
    check: ({ dns }) => {
      const [first] = dns.addresses;
      const inside = dns.addresses.every(({ address }) => isInside(address));
      return seen(first && inside && `${quoted(dns.hostname)} is ${first.address}.`);
    },
  },
  {
    id: 'address.no-ipv4',
    severity: 'warning',
    title: 'The name has no IPv4 address',
    why: 'Claude.ai connects over IPv4 only, and many networks of people have no IPv6.',
    spec: 'RFC 8305',
    cure: 'Add an A record.',
    check: ({ dns }) =>
      seen(
        dns.addresses.length > 0 &&
          !new URL(`http://${dns.hostname.includes(':') ? `[${dns.hostname}]` : dns.hostname}`).hostname.includes(
            ':',
          ) &&
          dns.addresses.every(({ family }) => family === 6) &&
          `${quoted(dns.hostname)} has ${dns.addresses.map(({ address }) => address).join(', ')} only.`,
      ),
  },
  {
    id: 'address.redirect-loop',
    severity: 'fault',
    title: 'Redirects do not come to an end',
    why: 'Clients give up after a few.',
    spec: 'RFC 9110 §15.4',
    cure: 'Two rules send the request back and forth, often one that adds a slash and one that takes it away, or TLS ended by a load balancer in front of a server that insists on https: have it trust X-Forwarded-Proto.',
    check: (facts) => seen(isLoop(facts) && `${facts.endpoint?.initialize.hops.map(({ url }) => url).join(' → ')} → …`),
  },
  {
    id: 'address.redirect-downgrade',
    severity: 'fault',
    title: 'It redirects from https to http',
    why: 'The next request, with its token, goes out readable for everybody; clients refuse, or lose the token on the way.',
    spec: 'RFC 9110 §15.4; RFC 6750 §5.3',
    cure: 'The server behind the load balancer does not know that it is reached over https: have it trust X-Forwarded-Proto (uvicorn: --proxy-headers --forwarded-allow-ips), and give out the URL it redirects to.',
    check: (facts) => seen(redirects(facts).find(({ from, to }) => isDowngrade(from, to))?.saw),
  },
  {
    id: 'address.redirect-elsewhere',
    severity: 'fault',
    title: 'It redirects to another host',
    why: 'fetch takes the Authorization header off when a redirect leaves the origin: every request arrives without its token, and clients sign in again and again.',
    spec: 'Fetch, “HTTP-redirect fetch”; RFC 9110 §15.4',
    cure: 'Give out the URL it redirects to, or let this host answer by itself.',
    check: (facts) =>
      seen(
        redirects(facts).find(
          ({ from, to }) => from.hostname !== to.hostname || (from.protocol === to.protocol && from.port !== to.port),
        )?.saw,
      ),
  },
  {
    id: 'address.redirect-post',
    severity: 'fault',
    title: 'It redirects in a way that turns POST into GET',
    why: 'After 301, 302 and 303 fetch sends a GET without the message: clients get 405 or a web page, and report a broken server.',
    spec: 'Fetch, “HTTP-redirect fetch”; RFC 9110 §15.4.2 to 15.4.4',
    cure: 'Give out the URL it redirects to. If the redirect has to stay, make it 308.',
    check: (facts) =>
      seen(
        redirects(facts).find(
          ({ status, from, to }) => status < 307 && isSameServer(from, to) && from.protocol === to.protocol,
        )?.saw,
      ),
  },
  {
    id: 'address.redirect',
    severity: 'warning',
    title: 'It redirects every request',
    why: 'Each request is made twice, some clients do not follow redirects of a POST, and the resource’s URL is not the one that people type.',
    spec: 'RFC 9110 §15.4.8, §15.4.9; RFC 9728 §3.3',
    cure: 'Give out the URL it redirects to, or serve both (Starlette and FastMCP: redirect_slashes=False and a route for each).',
    check: (facts) =>
      seen(
        redirects(facts).find(
          ({ status, from, to }) => status >= 307 && isSameServer(from, to) && from.protocol === to.protocol,
        )?.saw,
      ),
  },
];

interface Redirect {
  readonly status: number;
  readonly from: URL;
  readonly to: URL;
  readonly saw: string;
}

/** Those on the way to the MCP endpoint; a login wall has its own rule, and a circle too. */
function redirects(facts: Facts): readonly Redirect[] {
  const hops = facts.endpoint?.initialize.hops ?? [];
  const last = hops.at(-1);
  if (!last || isHtml(last.answer) || isLoop(facts)) return [];
  return hops.slice(0, -1).map((hop) => redirect(hop));
}

function redirect(hop: Exchange): Redirect {
  const to = redirectOf(hop) ?? hop.url;
  const status = hop.answer?.status ?? 0;
  return { status, from: new URL(hop.url), to: new URL(to), saw: `POST ${hop.url} → ${status} to ${to}` };
}

function isLoop({ endpoint }: Facts): boolean {
  return endpoint !== undefined && redirectOf(lastOf(endpoint.initialize)) !== undefined;
}

function isDowngrade(from: URL, to: URL): boolean {
  return from.protocol === 'https:' && to.protocol === 'http:' && from.hostname === to.hostname;
}

/** From http to https the port changes, too. */
function isSameServer(from: URL, to: URL): boolean {
  return from.hostname === to.hostname && (from.port === to.port || from.protocol !== to.protocol);
}

/** Failures that are none of TLS. */
function isSilent(code: string): boolean {
  return ['ECONNREFUSED', 'ETIMEDOUT', 'TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code);
}

/** Loopback, private and link-local: what a vendor's cloud cannot reach. */
function isInside(address: string): boolean {
  return (
    /^(127|10)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^169\.254\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
      address,
    ) || /^(::1$|f[cd]|fe[89ab])/i.test(address)
  );
}
