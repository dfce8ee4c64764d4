/** The first request without a token: whether it is answered with 401 at all. */
import { type Facts, lastOf } from '../facts.ts';
import type { Rules } from '../finding.ts';
import { redirectOf } from '../probe/http.ts';
import { shown } from '../text.ts';
import {
  contentTypeOf,
  failureWords,
  firstAnswer,
  hasResourceMetadata,
  isHtml,
  knownServers,
  letsAnybodyIn,
  seen,
  told,
} from './observe.ts';

const noSignIn =
  'Clients start to sign in on 401 and on nothing else: they show a broken server, and never open a browser.';
const spec401 = 'MCP 2026-07-28, Authorization, “Error Handling”; RFC 9110 §15.5.2';

export const answerRules: Rules = [
  {
    id: 'challenge.open',
    severity: 'warning',
    title: 'Anybody may use it',
    why: 'It answers without a token and names no authorization server. Whoever knows the URL calls its tools.',
    spec: 'MCP 2026-07-28, Authorization, “Overview”',
    cure: 'If it is not meant for everybody: gatehouse serve --target URL puts OAuth in front of it.',
    check: (facts) => seen(letsAnybodyIn(facts) && !isProtected(facts) && openWords(facts)),
  },
  {
    id: 'challenge.lets-in',
    severity: 'warning',
    title: 'It answers without a token although it names an authorization server',
    why: 'Clients sign in when they are answered with 401: until then they are connected as nobody. Claude documents that as “lazy authentication”, where a tool asks for the token. Whether others sign in so late is their own affair, and where nothing ever answers 401 nobody signs in.',
    spec: `${spec401}; claude.com/docs/connectors/building/lazy-authentication`,
    cure: 'If some of it is for everybody: answer 401 with a challenge to the calls that need a person. Else ask for the token before the message is looked at, initialize included.',
    check: (facts) => seen(letsAnybodyIn(facts) && isProtected(facts) && openWords(facts)),
  },
  {
    id: 'challenge.login-page',
    severity: 'fault',
    title: 'It answers with a web page',
    why: noSignIn,
    spec: spec401,
    cure: 'A login wall for browsers, or a single-page application’s fallback, stands before the MCP path. Take the path out of it, and answer 401 there.',
    check: (facts) => {
      const answer = firstAnswer(facts);
      const page = answer && isHtml(answer) && answer.status < 400;
      return seen(page && facts.endpoint?.initialize.hops.map(told).join('; '));
    },
  },
  {
    id: 'challenge.forbidden',
    severity: 'fault',
    title: 'It answers 403 without a token',
    why: 'VS Code signs in on 403, too. Other clients do on 401 and on nothing else: they show a broken server, and never open a browser. 403 means that no other token would help.',
    spec: spec401,
    cure: 'Answer 401 with a challenge. A 403 that the server did not write comes from before it: a firewall rule, a CloudFront origin access control (which also overwrites Authorization), an IP allow-list.',
    check: (facts) => withStatus(facts, (status) => status === 403),
  },
  {
    id: 'challenge.legacy-sse',
    severity: 'warning',
    title: 'It speaks the old HTTP+SSE transport only',
    why: 'POST does not work and GET opens a stream: the transport of 2024-11-05. Newer clients (Claude.ai, ChatGPT, the SDK v2 client) do not use it.',
    spec: 'MCP 2026-07-28, Transports, “Backwards Compatibility”',
    cure: 'Serve Streamable HTTP; a gateway can do so in front of it (target: { transport: sse }).',
    check: (facts) => seen(isLegacySse(facts) && facts.endpoint && told(facts.endpoint.get)),
  },
  {
    id: 'challenge.not-found',
    severity: 'fault',
    title: 'There is no MCP endpoint at this path',
    why: 'No client can connect.',
    spec: 'MCP 2026-07-28, Streamable HTTP',
    cure: 'Check the path: /mcp and /mcp/ are two, and many servers have only one of them. Behind a CDN or an API gateway: does a route for exactly this path, and for POST, lead to the server?',
    check: (facts) => withStatus(facts, (status) => (status === 404 || status === 405) && !isLegacySse(facts)),
  },
  {
    id: 'challenge.wrong-status',
    severity: 'fault',
    title: 'It refuses the first request before it asks for a token',
    why: noSignIn,
    spec: spec401,
    cure: 'Check the token before anything else: headers, session and protocol version are the business of those who have one.',
    check: (facts) =>
      withStatus(
        facts,
        (status) => status < 200 || (status >= 400 && status < 500 && ![401, 403, 404, 405].includes(status)),
      ),
  },
  {
    id: 'challenge.server-error',
    severity: 'fault',
    title: 'It fails on a request without a token',
    why: noSignIn,
    spec: spec401,
    cure: 'Look into the server’s log. 502, 503 and 504 come from what stands before it: is the server up, and does it listen where that looks for it?',
    check: (facts) => withStatus(facts, (status) => status >= 500),
  },
  {
    id: 'challenge.not-mcp',
    severity: 'fault',
    title: 'It answers with something that is not MCP',
    why: 'No client understands the answer.',
    spec: 'MCP 2026-07-28, Streamable HTTP, “Sending Messages”',
    cure: 'Is this the URL of the MCP endpoint?',
    check: (facts) => {
      const answer = firstAnswer(facts);
      const strange = answer && answer.status >= 200 && answer.status < 400 && !isHtml(answer) && !letsAnybodyIn(facts);
      const redirected = facts.endpoint && redirectOf(lastOf(facts.endpoint.initialize)) !== undefined;
      return seen(
        strange && !redirected && `${answer.status} ${contentTypeOf(answer) ?? ''} ${shown(answer.body, 80)}`.trim(),
      );
    },
  },
  {
    id: 'challenge.cut',
    severity: 'fault',
    title: 'An answer of the endpoint did not come to its end',
    why: 'Clients wait until they give up, or see a broken connection.',
    spec: 'RFC 9112 §8',
    cure: 'A server that dies in the middle, a wrong Content-Length, or a proxy that stops buffering at its limit: its log says which.',
    check: ({ endpoint }) =>
      seen(
        endpoint &&
          [lastOf(endpoint.initialize), endpoint.again, endpoint.wrongToken]
            .filter(
              ({ answer, failure }) => failure !== undefined || answer?.end === 'time' || answer?.end === 'broken',
            )
            .map((exchange) =>
              exchange.answer
                ? `POST ${exchange.url}: ${exchange.answer.bytes} bytes of an answer ${exchange.answer.status}, then nothing.`
                : `POST ${exchange.url}: ${failureWords(exchange)}`,
            )[0],
      ),
  },
];

function isProtected(facts: Facts): boolean {
  return hasResourceMetadata(facts) || knownServers(facts).length > 0;
}

function openWords({ endpoint }: Facts): string | undefined {
  return endpoint && told(lastOf(endpoint.initialize));
}

function isLegacySse({ endpoint }: Facts): boolean {
  const status = endpoint && lastOf(endpoint.initialize).answer?.status;
  const { answer } = endpoint?.get ?? {};
  return (
    status !== undefined &&
    [400, 404, 405].includes(status) &&
    answer?.status === 200 &&
    contentTypeOf(answer) === 'text/event-stream'
  );
}

function withStatus(facts: Facts, is: (status: number) => boolean) {
  const answer = firstAnswer(facts);
  const page = answer && isHtml(answer) && answer.status < 400;
  return seen(
    answer &&
      !page &&
      is(answer.status) &&
      facts.endpoint &&
      `${told(lastOf(facts.endpoint.initialize))} ${excerpt(answer.body)}`.trim(),
  );
}

function excerpt(body: string): string {
  const text = shown(body.replace(/<[^>]*>/g, ' '), 120).trim();
  return text === '' ? '' : `“${text}”`;
}
