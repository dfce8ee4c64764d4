/** MCP itself, as the holder of a token or at an open server: both eras, the tools, and how long a stream lives. */
import { type Exchange, type Facts, headerOf, type SessionFacts } from '../facts.ts';
import type { Observation, Rules } from '../finding.ts';
import { isObject } from '../probe/json.ts';
import { resultOf } from '../probe/session.ts';
import { quoted, shown } from '../text.ts';
import { failureWords, list, seen, told, usedResourceMetadata, words } from './observe.ts';

export const sessionRules: Rules = [
  {
    id: 'session.token-refused',
    severity: 'fault',
    title: 'It refuses the token',
    why: 'The examination could not look behind it; a client with this token would sign in again.',
    spec: 'RFC 6750 §3.1',
    cure: 'Is it expired, of the right issuer, and for this resource? gatehouse token makes one for a gateway of yours.',
    check: (facts) =>
      of(
        facts,
        (session) =>
          session.withToken && isRefused(session.initialize) && `${told(session.initialize)}${claimWords(session)}`,
      ),
  },
  {
    id: 'session.audience',
    severity: 'warning',
    title: 'The token is not for this resource',
    why: 'A server that takes it takes tokens that were meant for others: whoever runs one of those can use them here.',
    spec: 'RFC 8707 §2; MCP 2026-07-28, Authorization, “Token Audience Binding and Validation”',
    cure: 'Have the authorization server put the resource into aud, and refuse tokens without it.',
    check: (facts) =>
      of(facts, ({ claims, initialize }) => {
        const resource = usedResourceMetadata(facts)?.resource ?? facts.typed.url;
        const audience = typeof claims?.aud === 'string' ? [claims.aud] : words(claims?.aud);
        return (
          claims &&
          !isRefused(initialize) &&
          !audience.includes(String(resource)) &&
          `aud is ${list(audience) || 'absent'}, the resource ${quoted(String(resource))}.`
        );
      }),
  },
  {
    id: 'session.broken',
    severity: 'fault',
    title: 'MCP does not begin',
    why: 'Neither initialize nor server/discover gets a result: clients are connected to nothing.',
    spec: 'MCP 2025-11-25, Lifecycle; MCP 2026-07-28, Discovery',
    cure: 'Look into the log of the MCP server.',
    check: (facts) =>
      of(
        facts,
        ({ initialize, discover }) =>
          !isRefused(initialize) &&
          !resultOf(initialize) &&
          !resultOf(discover) &&
          `initialize: ${answerWords(initialize)}; server/discover: ${answerWords(discover)}`,
      ),
  },
  {
    id: 'session.only-modern',
    severity: 'warning',
    title: 'It speaks 2026-07-28 only',
    why: 'SDK v1 clients, and many others of today, begin with initialize.',
    spec: 'MCP 2026-07-28, Versioning',
    cure: 'Answer initialize, too (SDK v2: legacy: ’stateless’).',
    check: (facts) =>
      of(
        facts,
        ({ initialize, discover }) =>
          !isRefused(initialize) &&
          !resultOf(initialize) &&
          resultOf(discover) &&
          `initialize: ${answerWords(initialize)}`,
      ),
  },
  {
    id: 'session.only-legacy',
    severity: 'note',
    title: 'It does not speak 2026-07-28 yet',
    why: 'Newer clients fall back to initialize, at the price of a request.',
    spec: 'MCP 2026-07-28, Versioning',
    cure: 'Update the SDK of the MCP server.',
    check: (facts) =>
      of(
        facts,
        ({ initialize, discover }) =>
          resultOf(initialize) &&
          !resultOf(discover) &&
          `It speaks ${quoted(String(resultOf(initialize)?.protocolVersion), 40)}. server/discover: ${answerWords(discover)}`,
      ),
  },
  {
    id: 'session.tools',
    severity: 'fault',
    title: 'The tools cannot be listed',
    why: 'Clients show a server without tools, or an error.',
    spec: 'MCP 2026-07-28, Tools, “Listing Tools”',
    cure: 'Look into the log of the MCP server. A session that is not found: several instances without a common place for sessions, or without sticky routing.',
    check: (facts) =>
      of(facts, ({ toolsList, initialize, discover }) => {
        const result = resultOf(initialize) ?? resultOf(discover);
        const has = isObject(result?.capabilities) && result.capabilities.tools !== undefined;
        return (
          has && toolsList && !Array.isArray(resultOf(toolsList)?.tools) && `tools/list: ${answerWords(toolsList)}`
        );
      }),
  },
  {
    id: 'session.stream-buffered',
    severity: 'warning',
    title: 'Something on the way holds the stream back',
    why: 'The head of a stream did not come while its server kept it open: notifications and progress arrive late, or all at once at the end.',
    spec: 'MCP 2025-11-25, Transports; HTML Living Standard §9.2',
    cure: 'Switch buffering off for the MCP path (nginx: proxy_buffering off or X-Accel-Buffering: no; API Gateway REST: response streaming; Function URL: RESPONSE_STREAM), and compression for text/event-stream.',
    check: (facts) =>
      of(
        facts,
        ({ stream }) => stream?.failure?.code === 'TIMEOUT' && stream.status === undefined && stream.failure.message,
      ),
  },
  {
    id: 'session.stream-cut',
    severity: 'warning',
    title: 'A stream is cut',
    why: 'Clients open it again and again, and lose what was said in between; long tool calls end in an error.',
    spec: 'MCP 2025-11-25, Transports, “Listening for Messages from the Server”',
    cure: 'Which timeout is it? 29 or 30 s: API Gateway; 30 to 120 s: CloudFront’s read timeout; 60 s: ALB and nginx (idle). Comments every 15 s (keepAliveSeconds of a gateway) help against idle ones; the others have to be raised.',
    check: (facts) =>
      of(
        facts,
        ({ stream }) =>
          stream &&
          (stream.end === 'closed' || stream.end === 'broken') &&
          stream.status === 200 &&
          `After ${seconds(stream.ms)} s${stream.failure ? ` (${stream.failure.code})` : ''}.`,
      ),
  },
  {
    id: 'session.stream-silent',
    severity: 'note',
    title: 'A quiet stream is quiet',
    why: 'Without a comment now and then whatever stands between may cut it: ALB and nginx after 60 s, CloudFront after 30.',
    spec: 'HTML Living Standard §9.2.7',
    cure: 'Send a comment (a line that begins with a colon) every 15 s: a gateway’s keepAliveSeconds does so.',
    check: (facts) =>
      of(
        facts,
        ({ stream }) =>
          stream?.end === 'kept' &&
          stream.bytes === 0 &&
          stream.ms >= 15_000 &&
          `Nothing came in ${seconds(stream.ms)} s.`,
      ),
  },
];

function of({ session }: Facts, say: (session: SessionFacts) => unknown): readonly Observation[] {
  const saw = session && say(session);
  return seen(typeof saw === 'string' && saw);
}

function isRefused({ answer }: Exchange): boolean {
  return answer?.status === 401 || answer?.status === 403;
}

function claimWords({ claims }: SessionFacts): string {
  if (!claims) return '';
  const { exp } = claims;
  const until =
    typeof exp === 'number' && Math.abs(exp) < 8e12 ? `, valid until ${new Date(exp * 1000).toISOString()}` : '';
  return `; the token is of ${quoted(String(claims.iss), 100)} for ${JSON.stringify(claims.aud) ?? 'nobody'}${until}`;
}

/** The JSON-RPC error where there is one, else the status. */
function answerWords(exchange: Exchange): string {
  const { answer } = exchange;
  if (!answer) return failureWords(exchange);
  const json = answer.json;
  const error = isObject(json) && isObject(json.error) ? json.error : undefined;
  const said = error ? `${String(error.code)} ${String(error.message)}` : (headerOf(answer, 'content-type') ?? '');
  return `${answer.status} ${shown(said, 150)}`.trim();
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
