/** One resource in front of its target: CORS, guard, proxy, and what is said when the target fails. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Guard,
  type HttpReply,
  isReply,
  type Log,
  logName,
  protectedResourceMetadataUrl,
  sendReply,
} from '@mcp-gatehouse/auth';
import { insufficientScope } from '@mcp-gatehouse/auth/guard';
import type { ToolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import type { CallsInFlight } from './limits.ts';
import { type Exchange, forward, type Outcome, type Target } from './proxy/forward.ts';
import { admit } from './tool-policy/admit.ts';
import { messageRoom } from './tool-policy/message-room.ts';

/** Bytes of one MCP message; the SDK's own servers take 4 MiB. */
const maxMessageBytes = 8 * 1024 * 1024;

/** Where messages are judged they stand in memory, and a few hundred of the largest would end the process. */
const roomForMessages = { total: 32 * maxMessageBytes, perPerson: 4 * maxMessageBytes };

export interface McpEndpointOptions {
  readonly resource: string;
  readonly guard: Guard;
  readonly target: Target;
  readonly targetSecret?: string | undefined;
  readonly publicOrigin: string;
  /** What each tool needs; without it, whoever holds a token may call them all, and no message is read. */
  readonly tools?: ToolPolicy;
  /** What may be in flight here at once; without it, anything. */
  readonly calls?: CallsInFlight;
  /** Told of tools that were denied. */
  readonly log?: Log;
}

const methods = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'];

/** Who asks and what became of it, for the access log. */
export interface Served {
  readonly outcome: string;
  readonly subject?: string;
  /** In place of the path, where the path itself opens a door. */
  readonly shownPath?: string;
  readonly cause?: unknown;
  /** Of `tools/call` where tools are judged: bounded and printable. */
  readonly tool?: string;
  /** The MCP method, where one that names no tool was denied. */
  readonly rpcMethod?: string;
  /** Why a message was refused or denied: the private tag. */
  readonly reason?: string;
}

export type McpEndpoint = (req: IncomingMessage, res: ServerResponse, requestId: string) => Promise<Served>;

export function mcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const { resource, guard, target, targetSecret, publicOrigin, tools, calls, log } = options;
  const resourceMetadata = protectedResourceMetadataUrl(resource);
  const room = messageRoom(roomForMessages);
  return async (req, res, requestId) => {
    const cors = corsHeaders(req);
    const send = (reply: HttpReply) => sendReply(req, res, { ...reply, headers: { ...reply.headers, ...cors } });
    if (req.method === 'OPTIONS') {
      send(preflight(req));
      return { outcome: 'preflight' };
    }
    // RS-17: POST, and GET and DELETE in the older revisions. TRACE would send our own headers back to the client.
    if (!methods.includes(req.method ?? '')) {
      send(wrongMethod(methods.join(', ')));
      return { outcome: 'method_not_allowed' };
    }
    const judged = await guard(req.headers);
    if (isReply(judged)) {
      send(judged);
      return { outcome: 'challenged' };
    }
    // No credential to us (OAuth 2.1 §5.1), and none for the target: it would go there with the rest of the query.
    if (/[?&]access_token=/i.test(req.url ?? '')) {
      send(problem(400, 'invalid_request', 'Send the access token in the Authorization header alone.'));
      return { outcome: 'token_in_query' };
    }
    const refusedBusy = calls?.enter(judged, res);
    if (refusedBusy) {
      send(refusedBusy);
      return { outcome: 'busy', subject: judged.subject };
    }
    const admitted =
      tools && (await admit(req, { policy: tools, token: judged, resourceMetadata, maxBytes: maxMessageBytes, room }));
    if (admitted?.refused) {
      const { refused } = admitted;
      if (refused.outcome === 'tool_denied') {
        const { reason, tool, rpcMethod } = refused;
        log?.({
          event: 'tool.denied',
          resource,
          person: judged.subject.slice(0, 8),
          client: logName(judged.clientId),
          ...(judged.grantId !== undefined && { grant: judged.grantId }),
          reason,
          ...(tool !== undefined && { tool }),
          ...(rpcMethod !== undefined && { rpcMethod }),
        });
      }
      const refusal = 'reply' in refused ? refused.reply : replyFor(refused, resourceMetadata, judged.scope);
      if (refusal && !res.destroyed) send(refusal);
      const { reply: _, ...served } = { reply: undefined, ...refused };
      return { ...served, subject: judged.subject };
    }
    const query = req.url?.indexOf('?') ?? -1;
    const exchange: Exchange = {
      req,
      res,
      target,
      path: target.url.pathname + mergedQuery(target.url.search, query < 0 ? '' : (req.url ?? '').slice(query + 1)),
      token: judged,
      targetSecret,
      publicOrigin,
      remoteAddress: req.socket.remoteAddress,
      requestId,
      maxBodyBytes: maxMessageBytes,
      extraHeaders: cors,
      ...admitted?.exchange,
    };
    const outcome = await forward(exchange).finally(admitted?.done);
    const reply = replyFor(outcome, resourceMetadata, judged.scope);
    if (reply && !res.headersSent && !res.destroyed) send(reply);
    return {
      outcome: outcome.outcome,
      subject: judged.subject,
      ...(admitted?.tool !== undefined && { tool: admitted.tool }),
      ...('cause' in outcome && outcome.cause !== undefined && { cause: outcome.cause }),
    };
  };
}

/** The query of the configured target first, then the client's: neither can be lost. */
function mergedQuery(configured: string, sent: string): string {
  if (sent === '') return configured;
  return configured === '' ? `?${sent}` : `${configured}&${sent}`;
}

function replyFor(
  outcome: Outcome | { readonly outcome: 'no_room' },
  resourceMetadata: string,
  held: readonly string[],
): HttpReply | undefined {
  switch (outcome.outcome) {
    case 'insufficient_scope':
      // SEP-2350: everything the operation needs, and what is held already, in one challenge.
      return insufficientScope({ resourceMetadata, scope: [...new Set([...held, ...outcome.scope])] });
    case 'too_large':
      return problem(413, 'payload_too_large', `A message may have ${maxMessageBytes} bytes.`);
    case 'no_room':
      return problem(503, 'busy', 'Too many large messages are on their way: send this one again in a moment.');
    case 'unreachable':
      return problem(502, 'target_unreachable', 'The MCP server behind this gateway does not answer.');
    case 'redirected':
      return problem(502, 'target_redirects', 'The MCP server behind this gateway answers at another address.');
    case 'unfit_answer':
      return problem(502, 'target_unreadable', 'The MCP server behind this gateway answered what cannot be passed on.');
    case 'refused_by_target':
      return problem(502, 'target_refused', 'The MCP server behind this gateway did not accept the gateway.');
    default:
      return undefined;
  }
}

export function problem(status: number, error: string, description: string): HttpReply {
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(status === 503 && { 'retry-after': '2' }),
    },
    body: JSON.stringify({ error, error_description: description }),
  };
}

/** RFC 9110 §15.5.6: the answer names the methods that there are. */
export function wrongMethod(allow: string): HttpReply {
  const reply = problem(405, 'method_not_allowed', `Use ${allow} here.`);
  return { ...reply, headers: { ...reply.headers, allow } };
}

/** Bearer tokens are no cookies: a page that holds one may read the answer. Which pages may ask was judged before. */
function corsHeaders(req: IncomingMessage): Readonly<Record<string, string>> {
  const { origin } = req.headers;
  if (origin === undefined) return {};
  return {
    'access-control-allow-origin': origin,
    vary: 'Origin',
    'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After',
  };
}

/** RS: `OPTIONS` is never 401. The header names asked for are allowed, because `Mcp-Param-*` has no closed list. */
function preflight(req: IncomingMessage): HttpReply {
  const asked = req.headers['access-control-request-headers'];
  const plain = typeof asked === 'string' && asked.length <= 1024 && /^[A-Za-z0-9,\s-]*$/.test(asked);
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
      'access-control-allow-headers': plain
        ? asked
        : 'authorization, content-type, mcp-protocol-version, mcp-session-id',
      'access-control-max-age': '7200',
    },
    body: '',
  };
}
