/** What a page in a browser may ask and read: CORS (Fetch Standard), at the MCP endpoint and wherever discovery leads. */
import { type Exchange, type Facts, headerOf } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { pageOrigin } from '../probe/endpoint.ts';
import { objectOf } from '../probe/metadata.ts';
import { quoted } from '../text.ts';
import { asksForToken, knownServers, letsAnybodyIn, list, ofServers, seen, told } from './observe.ts';

const pages = 'The MCP Inspector in its web form, and every client that is a web page, cannot connect.';
const withoutHeader =
  'The SDK sends MCP-Protocol-Version with it, for which the browser asks first; refused that, it tries again without. So only a missing Access-Control-Allow-Origin stops it.';
const documentCure =
  'Send Access-Control-Allow-Origin: * there. To spare pages the second try, answer OPTIONS with Access-Control-Allow-Headers: MCP-Protocol-Version.';

export const browserRules: Rules = [
  {
    id: 'browser.preflight-guarded',
    severity: 'warning',
    title: 'The MCP endpoint asks for a token before a browser may ask',
    why: `Browsers send OPTIONS without a token, always. ${pages}`,
    spec: 'Fetch, “CORS-preflight fetch”',
    cure: 'Let OPTIONS through before the token is checked.',
    check: (facts) => atEndpoint(facts, ({ answer }) => answer?.status === 401),
  },
  {
    id: 'browser.origin-refused',
    severity: 'note',
    title: 'The MCP endpoint refuses pages of other origins',
    why: 'That is how it should be, unless clients that are web pages are to be served: those of the Inspector are refused, too.',
    spec: 'MCP 2026-07-28, Streamable HTTP, “Security Warning”',
    cure: 'Nothing; or allow the origins of the pages that may.',
    check: (facts) => atEndpoint(facts, ({ answer }) => answer?.status === 403),
  },
  {
    id: 'browser.preflight',
    severity: 'warning',
    title: 'The MCP endpoint does not answer browsers',
    why: pages,
    spec: 'Fetch, “CORS-preflight fetch”',
    cure: 'Answer OPTIONS with 204, Access-Control-Allow-Origin, -Methods and -Headers. A CDN has to let OPTIONS through, too.',
    check: (facts) =>
      atEndpoint(facts, (exchange) => ![401, 403].includes(exchange.answer?.status ?? 0) && !isAllowed(exchange)),
  },
  {
    id: 'browser.headers',
    severity: 'warning',
    title: 'The MCP endpoint does not let browsers send what MCP needs',
    why: `${pages} A * does not cover Authorization.`,
    spec: 'Fetch, “CORS protocol and credentials”; MCP 2026-07-28, Streamable HTTP',
    cure: 'Allow Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method and Mcp-Name in Access-Control-Allow-Headers, and POST in -Methods.',
    check: (facts) => {
      const { preflight } = facts.endpoint ?? {};
      const missing = preflight && isAllowed(preflight) ? notAllowed(preflight) : [];
      return seen(examined(facts) && missing.length > 0 && `Not allowed: ${list(missing)}`);
    },
  },
  {
    id: 'browser.challenge-hidden',
    severity: 'warning',
    title: 'A page cannot read the challenge',
    why: `Without Access-Control-Allow-Origin on the 401, and WWW-Authenticate in -Expose-Headers, a browser shows it an error without content. ${pages}`,
    spec: 'Fetch, “CORS-safelisted response-header name”',
    cure: 'Send both with every answer, refusals included. Middleware often adds CORS to what succeeds only.',
    check: (facts) => {
      const { preflight, fromPage } = facts.endpoint ?? {};
      const exposed = (headerOf(fromPage?.answer, 'access-control-expose-headers') ?? '').toLowerCase();
      const readable =
        fromPage !== undefined &&
        allowsOrigin(fromPage) &&
        (/(^|[\s,])www-authenticate([\s,]|$)/.test(exposed) || exposed.trim() === '*');
      // Where a page may not ask at all, or there is no challenge, there is nothing to hide.
      const there =
        asksForToken(facts) &&
        preflight &&
        isAllowed(preflight) &&
        fromPage?.answer?.status === 401 &&
        headerOf(fromPage.answer, 'www-authenticate') !== undefined;
      return seen(
        there &&
          !readable &&
          `access-control-allow-origin ${quoted(headerOf(fromPage.answer, 'access-control-allow-origin') ?? 'absent')}, -expose-headers ${quoted(exposed || 'absent')}`,
      );
    },
  },
  {
    id: 'browser.resource-metadata',
    severity: 'warning',
    title: 'A page cannot read the resource’s metadata',
    why: `${withoutHeader} ${pages}`,
    spec: 'Fetch, “CORS protocol”; RFC 9728 §3.1',
    cure: documentCure,
    check: ({ resourceMetadata }) => {
      const used = resourceMetadata.find(({ fetched }) => objectOf(fetched) !== undefined);
      return seen(hidden(used?.fromPage));
    },
  },
  {
    id: 'browser.server-metadata',
    severity: 'warning',
    title: 'A page cannot read the authorization server’s metadata',
    why: `${withoutHeader} ${pages}`,
    spec: 'Fetch, “CORS protocol”; RFC 8414 §3',
    cure: documentCure,
    check: (facts) => ofServers(facts, ({ fromPage }) => hidden(fromPage)),
  },
  {
    id: 'browser.token',
    severity: 'warning',
    title: 'A page cannot use the token endpoint',
    why: pages,
    spec: 'Fetch, “HTTP-network-or-cache fetch”; OAuth 2.1 §3.2',
    cure: 'Send Access-Control-Allow-Origin: * there; a public client has no cookies to protect.',
    check: (facts) =>
      knownServers(facts).flatMap(({ token }) =>
        // A form is sent without asking first; what counts is whether the answer can be read.
        seen(token && ![token.preflight, token.unknownClient].some(allowsOrigin) && words(token.preflight)),
      ),
  },
];

/** CORS of an endpoint that is none is nobody's worry. */
function examined(facts: Facts): boolean {
  return asksForToken(facts) || letsAnybodyIn(facts);
}

function atEndpoint(facts: Facts, is: (preflight: Exchange) => boolean) {
  const { preflight } = facts.endpoint ?? {};
  return seen(examined(facts) && preflight && is(preflight) && words(preflight));
}

function allowsOrigin({ answer }: Exchange): boolean {
  const allowed = headerOf(answer, 'access-control-allow-origin');
  return allowed === '*' || allowed === pageOrigin;
}

function isAllowed(preflight: Exchange): boolean {
  const status = preflight.answer?.status ?? 0;
  return status >= 200 && status < 300 && allowsOrigin(preflight);
}

/** Of the headers that were asked for. */
function notAllowed({ sent, answer }: Exchange): readonly string[] {
  const allowed = (headerOf(answer, 'access-control-allow-headers') ?? '').toLowerCase().split(/[\s,]+/);
  return (sent['access-control-request-headers'] ?? '')
    .split(',')
    .filter((name) => name !== '' && !allowed.includes(name) && (name === 'authorization' || !allowed.includes('*')));
}

/** In words; undefined: a page can read it, or it was not asked. */
function hidden(fromPage: Exchange | undefined): string | undefined {
  if (!fromPage?.answer || allowsOrigin(fromPage)) return undefined;
  const origin = headerOf(fromPage.answer, 'access-control-allow-origin');
  return `${told(fromPage)}, access-control-allow-origin ${quoted(origin ?? 'absent', 80)}`;
}

function words(preflight: Exchange): string {
  const origin = headerOf(preflight.answer, 'access-control-allow-origin');
  const headers = headerOf(preflight.answer, 'access-control-allow-headers');
  return `${told(preflight)}, access-control-allow-origin ${quoted(origin ?? 'absent', 80)}, -headers ${quoted(headers ?? 'absent', 120)}`;
}
