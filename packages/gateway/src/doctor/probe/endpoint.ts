/** The MCP endpoint as somebody without a token, with a wrong one, and as a page in a browser meets it. */
import { type EndpointFacts, type Exchange, type Fetched, lastOf } from '../facts.ts';
import { type Asker, redirectOf } from './http.ts';
import { isObject } from './json.ts';
import { discover, initialize, wrongToken } from './messages.ts';

/** Where the web form of the MCP Inspector stands: the browser client that everybody tries first. */
export const pageOrigin = 'http://localhost:6274';

/** Undefined: nothing answered at all; the exchange that says why. */
export async function probeEndpoint(
  asker: Asker,
  typed: string,
): Promise<{ readonly endpoint?: EndpointFacts; readonly first: Exchange }> {
  const first = await asker.ask(initialize(typed));
  if (!first.answer) return { first };
  const way = await followed(asker, typed, first);
  const url = speaksMcp(lastOf(way)) ? lastOf(way).url : typed;
  const withToken = { authorization: `Bearer ${wrongToken}` };
  const asks = {
    again: initialize(url),
    discover: discover(url),
    get: { url, headers: { accept: 'text/event-stream' }, leavesStreams: true },
    wrongToken: adding(initialize(url), withToken),
    tokenInQuery: initialize(inQuery(url)),
    preflight: preflightOf(url, 'POST', ['authorization', 'content-type', 'mcp-protocol-version']),
    fromPage: adding(initialize(url), { origin: pageOrigin }),
  };
  const seen: Partial<Record<keyof typeof asks, Exchange>> = {};
  // One after the other: latencies are measured, and a small server is not to be blamed for our haste.
  for (const name of Object.keys(asks) as Array<keyof typeof asks>) seen[name] = await asker.ask(asks[name]);
  for (const exchange of [...way.hops, ...Object.values(seen)]) await giveBack(asker, exchange);
  return { first, endpoint: { initialize: way, url, ...(seen as Record<keyof typeof asks, Exchange>) } };
}

/** A session that was only looked at is ended: a server that lets anybody in has room for so many. */
async function giveBack(asker: Asker, exchange: Exchange): Promise<void> {
  const session = asker.sessionOf(exchange);
  if (session === undefined) return;
  await asker.ask({ url: exchange.url, method: 'DELETE', secretHeaders: { 'mcp-session-id': session } });
}

/** What a page asks before a request that is not simple (Fetch, "CORS-preflight fetch"). */
export function preflightOf(url: string, method: string, headers: readonly string[]) {
  return {
    url,
    method: 'OPTIONS',
    headers: {
      origin: pageOrigin,
      'access-control-request-method': method,
      ...(headers.length > 0 && { 'access-control-request-headers': headers.join(',') }),
    },
  };
}

/** What a page gets of a document that it asks for without a header of its own: no preflight (Fetch, "simple" requests). */
export function fromPageOf(url: string) {
  return { url, headers: { accept: 'application/json', origin: pageOrigin } };
}

/** The same message to where redirects lead: a client that follows them at all should end where this ends. */
async function followed(asker: Asker, typed: string, first: Exchange): Promise<Fetched> {
  const hops = [first];
  for (let to = redirectOf(first); to !== undefined && hops.length <= 3; ) {
    const hop = await asker.ask(initialize(to));
    hops.push(hop);
    to = redirectOf(hop);
  }
  return { url: typed, hops };
}

/** Not the sign-in page that a login wall redirects to: a challenge, or an answer in JSON-RPC. */
function speaksMcp({ answer }: Exchange): boolean {
  return answer !== undefined && (answer.status === 401 || (isObject(answer.json) && 'jsonrpc' in answer.json));
}

function adding<T extends { readonly headers?: Readonly<Record<string, string>> }>(
  ask: T,
  headers: Readonly<Record<string, string>>,
): T {
  return { ...ask, headers: { ...ask.headers, ...headers } };
}

function inQuery(url: string): string {
  const withQuery = new URL(url);
  withQuery.searchParams.set('access_token', wrongToken);
  return withQuery.href;
}
