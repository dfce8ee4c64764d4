/** One resource in front of its target: CORS, guard, limits, tool rules, identity, proxy; the path of a guarded request in order. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type AccessToken,
  type Guard,
  type HttpReply,
  isReply,
  type Log,
  logName,
  protectedResourceMetadataUrl,
  requestTarget,
  sendReply,
} from '@mcp-gatehouse/auth';
import type { ToolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import { corsHeaders, preflight } from './cors.ts';
import type { IdentityToTarget } from './identity-to-target.ts';
import { type CallsInFlight, defaultMessageBytes } from './limits.ts';
import { outcomeReply } from './outcome-reply.ts';
import { problem, wrongMethod } from './problem.ts';
import { forward } from './proxy/forward.ts';
import type { Target } from './proxy/target.ts';
import type { RateLimits } from './rate-limits/rate-limits.ts';
import { namesInQuery, type TargetRoute } from './target-route.ts';
import { unwatched, type WatchedRequest } from './telemetry/watch.ts';
import { admit, type Refused } from './tool-policy/admit.ts';
import { answerFilter } from './tool-policy/answer-filter.ts';
import { shown } from './tool-policy/judge.ts';
import { type MessageRoom, messageRoom } from './tool-policy/message-room.ts';

export interface McpEndpointOptions {
  readonly resource: string;
  readonly guard: Guard;
  readonly target: Target;
  readonly route: TargetRoute;
  readonly identity: IdentityToTarget;
  readonly publicOrigin: string;
  /** What each tool needs; without it, whoever holds a token may call them all. */
  readonly tools?: ToolPolicy;
  /** How often; without it, as often as anybody likes. Where there are neither tools nor limits no message is read. */
  readonly rateLimits?: RateLimits;
  /** What may be in flight here at once; without it, anything. */
  readonly calls?: CallsInFlight;
  /** Bytes of one message; 8 MiB unless given. */
  readonly maxMessageBytes?: number | undefined;
  /** How long an event stream may be silent; see `Exchange`. */
  readonly keepAliveSeconds?: number | undefined;
  /** Told of tools that were denied, and of calls that were too many. */
  readonly log?: Log;
}

/** Who asks and what became of it, for the access log. */
export interface Served {
  readonly outcome: string;
  readonly subject?: string;
  /** In place of the path, where the path itself opens a door. */
  readonly shownPath?: string;
  readonly cause?: unknown;
  /** Of `tools/call` where messages are read: bounded and printable. */
  readonly tool?: string;
  /** The MCP method, where one that names no tool was denied. */
  readonly rpcMethod?: string;
  /** Why a message was refused or denied: the private tag. */
  readonly reason?: string;
}

export type McpEndpoint = (
  req: IncomingMessage,
  res: ServerResponse,
  requestId: string,
  watched?: WatchedRequest,
) => Promise<Served>;

export function mcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const { resource, guard, target, route, identity, tools, rateLimits, calls } = options;
  const { maxMessageBytes = defaultMessageBytes, keepAliveSeconds, log = () => {} } = options;
  const resourceMetadata = protectedResourceMetadataUrl(resource);
  const room = roomFor(maxMessageBytes);
  return async (req, res, requestId, watched = unwatched) => {
    const cors = corsHeaders(req);
    const send = (reply: HttpReply) => sendReply(req, res, { ...reply, headers: { ...reply.headers, ...cors } });
    if (req.method === 'OPTIONS') {
      send(preflight(req, route.methods));
      return { outcome: 'preflight' };
    }
    if (!route.methods.includes(req.method ?? '')) {
      send(wrongMethod(route.methods.join(', ')));
      return { outcome: 'method_not_allowed' };
    }
    const token = await guard(req.headers);
    if (isReply(token)) {
      send(token);
      return { outcome: 'challenged' };
    }
    const { subject } = token;
    watched.caller(resource, token);
    const refuse = (reply: HttpReply, outcome: string): Served => {
      send(reply);
      return { outcome, subject };
    };
    // No credential to us (OAuth 2.1 §5.1), and none for the target: it would go there with the rest of the query.
    if (namesInQuery(requestTarget(req).query).has('access_token')) {
      const words = 'Send the access token in the Authorization header alone.';
      return refuse(problem(400, 'invalid_request', words), 'token_in_query');
    }
    const routed = route.of(req, token);
    if ('reply' in routed) return refuse(routed.reply, routed.outcome);
    const busy = calls?.enter(token, res);
    if (busy) return refuse(busy, 'busy');

    const reading = { policy: tools, token, resourceMetadata, maxBytes: maxMessageBytes, room };
    const admitted = tools || rateLimits ? await admit(req, reading) : undefined;
    if (admitted?.refused) {
      const { refused } = admitted;
      if (refused.outcome === 'tool_denied')
        log({ event: 'tool.denied', ...aboutCaller(resource, token), ...of(refused) });
      if ('tool' in refused && refused.tool !== undefined)
        watched.message({ method: 'tools/call', tool: refused.tool });
      const facts = { resourceMetadata, held: token.scope, maxMessageBytes };
      const reply = 'reply' in refused ? refused.reply : outcomeReply(refused, facts);
      if (reply && !res.destroyed) send(reply);
      const { reply: _, ...served } = { reply: undefined, ...refused };
      return { ...served, subject };
    }
    const { message, tool, done = () => {} } = admitted ?? {};
    const known = { subject, ...(tool !== undefined && { tool }) };
    if (message) watched.message({ method: message.method, tool, meta: message.meta });
    const limited = message && rateLimits?.take({ token, message });
    if (limited) {
      done();
      const { reason, rule, reply, retryAfterSeconds } = limited;
      const named = tool === undefined ? { rpcMethod: shown(message.method ?? '') } : { tool };
      log({ event: 'call.limited', ...aboutCaller(resource, token), reason, rule, retryAfterSeconds, ...named });
      if (!res.destroyed) send(reply);
      return { subject, outcome: 'limited', reason, ...named };
    }
    let lines: Awaited<ReturnType<IdentityToTarget>>;
    try {
      lines = await identity(token);
    } catch (cause) {
      done();
      // Keys that are away say nothing of the caller, who keeps the token and comes again (REL-02).
      if (!res.destroyed) send(problem(503, 'temporarily_unavailable', noIdentity));
      return { ...known, outcome: 'no_identity', cause };
    }
    if (isIdentityReply(lines)) {
      done();
      if (!res.destroyed) send(lines);
      return { ...known, outcome: 'no_identity' };
    }

    const exchange = watched.target(target.url);
    const lists = () => tools && answerFilter({ policy: tools, token, maxBytes: maxMessageBytes, expected: 'replay' });
    const wanted = admitted?.exchange ?? {};
    const parts = routed.exchange ? { ...wanted, ...routed.exchange(wanted, lists) } : wanted;
    const outcome = await forward({
      req,
      res,
      target,
      path: routed.path,
      identity: lines,
      publicOrigin: options.publicOrigin,
      remoteAddress: req.socket.remoteAddress,
      requestId,
      maxBodyBytes: maxMessageBytes,
      extraHeaders: cors,
      onHead: exchange.answered,
      ...(routed.publicLocation && { publicLocation: routed.publicLocation }),
      ...(keepAliveSeconds !== undefined && { keepAliveSeconds }),
      ...parts,
      inPlace: { ...parts.inPlace, ...exchange.headers },
    }).finally(done);
    exchange.end(outcome.outcome);
    const reply = outcomeReply(outcome, { resourceMetadata, held: token.scope, maxMessageBytes });
    if (reply && !res.headersSent && !res.destroyed) send(reply);
    const cause = 'cause' in outcome ? outcome.cause : undefined;
    return { ...known, outcome: outcome.outcome, ...(cause !== undefined && { cause }) };
  };
}

const noIdentity = 'This server cannot be told who you are right now; try again in a moment.';

/** Where messages are judged they stand in memory, and a few hundred of the largest would end the process. */
function roomFor(maxMessageBytes: number): MessageRoom {
  return messageRoom({ total: 32 * maxMessageBytes, perPerson: 4 * maxMessageBytes });
}

function isIdentityReply(lines: Awaited<ReturnType<IdentityToTarget>>): lines is HttpReply {
  return 'status' in lines;
}

/** As the audit trail names people and clients. */
function aboutCaller(resource: string, { subject, clientId, grantId }: AccessToken) {
  return {
    resource,
    person: subject.slice(0, 8),
    client: logName(clientId),
    ...(grantId !== undefined && { grant: grantId }),
  };
}

function of({ reason, tool, rpcMethod }: Extract<Refused, { readonly reason: string }>) {
  return { reason, ...(tool !== undefined && { tool }), ...(rpcMethod !== undefined && { rpcMethod }) };
}
