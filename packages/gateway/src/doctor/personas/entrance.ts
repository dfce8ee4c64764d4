/** The first leg: whether a client reaches the MCP endpoint, and whether what it answers makes the client sign in. */
import { isLoopbackHost } from '../../loopback.ts';
import { bearerOf, bearerParameter, renamedChallenge } from '../challenge.ts';
import { type Answer, type Exchange, type Facts, headerOf, lastOf } from '../facts.ts';
import { redirectOf } from '../probe/http.ts';
import { isHttpUrl } from '../probe/metadata.ts';
import {
  contentTypeOf,
  failureWords,
  hasResourceMetadata,
  isHtml,
  knownServers,
  letsAnybodyIn,
  told,
} from '../rules/observe.ts';
import { quoted } from '../text.ts';
import { fails, type Leg, type Persona, partly, unknown } from './persona.ts';

/** `signs-in`: on to discovery. `lets-in`: it is connected already, and nothing else is asked of it. */
export type Entrance = 'signs-in' | 'lets-in';

export function* entrance(facts: Facts, persona: Persona): Leg<Entrance> {
  const { endpoint } = facts;
  if (!endpoint) {
    yield whyUnreachable(facts);
    return undefined;
  }
  yield* overTheNetwork(facts, persona);
  const hindered = yield* overRedirects(endpoint.initialize.hops, persona);
  if (hindered) return undefined;
  const first = lastOf(endpoint.initialize);
  const { answer } = first;
  if (!answer) {
    yield fails('first answer', `Its first request gets no whole answer: ${failureWords(first)}.`);
    return undefined;
  }
  if (letsAnybodyIn(facts)) return yield* throughAnOpenDoor(facts);
  if (!persona.signsInOn.includes(answer.status)) {
    const on = persona.signsInOn.join(' or ');
    const legacy = (contentTypeOf(endpoint.get.answer) ?? '') === 'text/event-stream';
    if (legacy && [400, 404, 405].includes(answer.status)) {
      yield unknown('first answer', 'The server speaks the old HTTP+SSE transport only, which it may still try.');
    } else {
      const what = isHtml(answer) ? `${answer.status} and a web page` : String(answer.status);
      yield fails('first answer', `It signs in when it is answered with ${on}, and the server answers ${what}.`);
    }
    return undefined;
  }
  if (persona.beginsWithDiscover && endpoint.discover.answer?.status !== 401) {
    yield unknown(
      'first answer',
      `It may begin with server/discover, which is not answered with 401 (${told(endpoint.discover)}).`,
    );
  }
  return (yield* challenged(answer, persona)) ? 'signs-in' : undefined;
}

function whyUnreachable({ dns, unreachable }: Facts) {
  if (dns.failure) return fails('address', `The name ${quoted(dns.hostname)} has no address (${dns.failure.code}).`);
  if (unreachable) return fails('address', `Nothing answers it: ${failureWords(unreachable)}.`);
  return unknown('address', 'The examination ended before anything was asked.');
}

function* overTheNetwork({ typed, dns, tls, endpoint }: Facts, { runs, library }: Persona): Leg<never> {
  const reached = new URL(endpoint?.url ?? typed.url);
  const untrusted = tls.find(({ origin, fault }) => origin === reached.origin && fault)?.fault;
  if (untrusted) yield fails('address', `It refuses the server’s certificate (${untrusted.code}).`);
  if (typed.userinfo && library === 'fetch') {
    yield fails('address', 'It cannot send requests to a URL with a user name in it: fetch refuses them.');
  }
  if (runs === 'computer') return undefined;
  const [first] = dns.addresses;
  if (isLoopbackHost(reached.hostname) || dns.addresses.every(({ address }) => isInside(address))) {
    yield unknown(
      'address',
      `It connects from its vendor’s cloud, which does not reach ${first?.address ?? reached.hostname}; it was judged as if this were a public https URL.`,
    );
  } else if (reached.protocol === 'http:') {
    yield fails('address', 'It connects over https only, and the URL is plain http.');
  }
  return undefined;
}

/** True: it does not get any further. */
function* overRedirects(hops: readonly Exchange[], { library, client }: Persona): Leg<boolean> {
  const last = hops.at(-1);
  if (!last || isHtml(last.answer)) return false;
  if (redirectOf(last) !== undefined) {
    yield fails('address', 'The server’s redirects come to no end.');
    return true;
  }
  for (const hop of hops.slice(0, -1)) {
    const status = hop.answer?.status ?? 0;
    const to = redirectOf(hop) ?? hop.url;
    if (status < 307) {
      yield fails('address', `The server redirects with ${status}, and its message is lost: POST becomes GET.`);
      return true;
    }
    if (new URL(to).origin === new URL(hop.url).origin) continue;
    const lost = `a redirect to another origin (${quoted(new URL(to).origin, 100)}) takes the token off its requests`;
    // VS Code follows redirects by itself.
    if (library === 'fetch') yield fails('address', `The server redirects with ${status}: ${lost}.`);
    else if (client !== 'vscode') yield unknown('address', `Whether ${lost} depends on its HTTP library.`);
  }
  return false;
}

function* throughAnOpenDoor(facts: Facts): Leg<Entrance> {
  if (hasResourceMetadata(facts) || knownServers(facts).length > 0) {
    yield unknown(
      'first answer',
      'It connects without signing in, since initialize is answered without a token; it signs in later if a tool is answered with 401, which was not tried.',
    );
  }
  return 'lets-in';
}

function* challenged(answer: Answer, { challenge }: Persona): Leg<true> {
  const renamed = headerOf(answer, 'www-authenticate') === undefined && renamedChallenge(answer) !== undefined;
  if (challenge === 'used') {
    if (renamed) {
      yield partly(
        'first answer',
        'It connects, but never sees a challenge: the header arrives as x-amzn-remapped-www-authenticate, so the scope is lost, and so is every later request for more scope.',
      );
    }
    return true;
  }
  const where = 'It reads in WWW-Authenticate where to sign in';
  const named = bearerParameter(answer, 'resource_metadata');
  if (renamed) yield fails('first answer', `${where}, and the header arrives as x-amzn-remapped-www-authenticate.`);
  else if (!bearerOf(answer)) yield fails('first answer', `${where}, and the 401 has no Bearer challenge.`);
  else if (named !== undefined && !isHttpUrl(named)) {
    yield fails('first answer', `${where}, and resource_metadata is no whole URL there: ${quoted(named, 120)}.`);
  } else return true;
  return undefined;
}

/** Loopback, private and link-local: what a vendor's cloud cannot reach. */
export function isInside(address: string): boolean {
  return (
    /^(127|10)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^169\.254\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
      address,
    ) || /^(::1$|f[cd]|fe[89ab])/i.test(address)
  );
}
