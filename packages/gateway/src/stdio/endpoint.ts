/** Streamable HTTP in front of a stdio server (MCP 2025-03-26 to 2026-07-28, Transports): which request goes to which process, and the refusals. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CallerIdentity, readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { errorText } from '../tool-policy/judge.ts';
import { readMessage } from '../tool-policy/message.ts';
import { messageRoom } from '../tool-policy/message-room.ts';
import { type Answer, type AnswerOptions, answerTo, eventStream, sendJson } from './answer.ts';
import { type Backend, isRefusal, type Refusal, sessionRevisions, statelessRevision } from './backend.ts';
import type { Connection } from './connection.ts';
import { paramFault } from './param-headers.ts';
import { revisionFault } from './revision.ts';
import { answerOfClient, notificationOfClient, openStream, refuse, requestsOf, type Session } from './session.ts';
import { changed, membersIn, membersOf, stringIn } from './wire.ts';

export interface EndpointOptions {
  readonly backend: Backend;
  /** Proves that the gateway wrote the identity headers. */
  readonly secret: string;
  readonly maxMessageBytes: number;
  readonly keepAliveSeconds: number;
  readonly now: () => number;
}

/** A message that was read, and who sent it. */
interface Posted {
  readonly caller: CallerIdentity;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly members: ReadonlyMap<string, string>;
  readonly params: ReadonlyMap<string, string>;
  readonly method?: string;
  /** JSON text. */
  readonly id?: string;
}

/** JSON-RPC and MCP. */
const [invalidRequest, internal, sessionMissing, sessionUnknown] = [-32600, -32603, -32000, -32001];
const sessionHeader = 'mcp-session-id';

export function stdioEndpoint(options: EndpointOptions): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const { backend, secret, maxMessageBytes, keepAliveSeconds, now } = options;
  // As in front of tool rules: messages are read whole, and a few hundred of the largest would end the process (SEC-10).
  const room = messageRoom({ total: 32 * maxMessageBytes, perPerson: 4 * maxMessageBytes });

  const fail = (res: ServerResponse, status: number, code: number, message: string, id?: string, data?: unknown) => {
    if (res.headersSent || res.destroyed) return;
    sendJson(res, status, errorText(id, { code, message, ...(data !== undefined && { data }) }));
  };
  const unavailable = (res: ServerResponse, refusal: Refusal, posted: Pick<Posted, 'id' | 'method'>) => {
    if (res.headersSent || res.destroyed) return;
    const { id } = posted;
    if (refusal.refused === 'revision') {
      // Clients go back to `initialize` on it (MCP 2026-07-28, Backward Compatibility).
      if (posted.method === 'server/discover') return fail(res, 404, -32601, 'Method not found', id);
      const data = { supported: refusal.supported };
      return fail(res, 400, -32022, 'The MCP server does not speak this protocol revision.', id, data);
    }
    res.setHeader('retry-after', String(refusal.retrySeconds));
    fail(res, 503, internal, refusal.message, id);
  };
  const onFull = (connection: Connection): AnswerOptions['onFull'] => connection.onFull;
  const answering = (res: ServerResponse, connection: Connection): Answer =>
    answerTo(res, { onFull: onFull(connection), keepAliveSeconds });

  /** Undefined: it was answered already. A session of somebody else's is none (SEC-17). */
  function sessionOf({ caller, req, res, id }: Pick<Posted, 'caller' | 'req' | 'res' | 'id'>): Session | undefined {
    const named = req.headers[sessionHeader];
    if (named === undefined) {
      fail(res, 400, sessionMissing, 'Bad Request: send initialize first, then its Mcp-Session-Id header.', id);
      return undefined;
    }
    const session = backend.sessions.get(String(named));
    if (!session || session.subject !== caller.subject || session.clientId !== caller.clientId) {
      fail(res, 404, sessionUnknown, 'Session not found', id);
      return undefined;
    }
    const version = req.headers['mcp-protocol-version'];
    if (version !== undefined && version !== session.version && !sessionRevisions.some((one) => one === version)) {
      fail(res, 400, sessionMissing, `Bad Request: this session speaks ${session.version}.`, id);
      return undefined;
    }
    session.usedAt = now();
    return session;
  }

  async function initialize(posted: Posted, id: string): Promise<void> {
    const { caller, res, members, params } = posted;
    const begun = await backend.begin(caller, { members, params }, () => res.destroyed);
    if (isRefusal(begun)) return unavailable(res, begun, posted);
    if (res.destroyed) return begun.session && backend.end(begun.session);
    const headers = begun.session && { [sessionHeader]: begun.session.id };
    sendJson(res, 200, changed(begun.message.members, { id }), headers);
  }

  async function request(posted: Posted, id: string, session: Session | undefined, connection: Connection) {
    const { res, method = '' } = posted;
    const filtered = session ? backend.filter(session, method, posted.members) : { members: posted.members };
    if ('error' in filtered) return fail(res, 200, filtered.error.code, filtered.error.message, id);
    if ('result' in filtered) return sendJson(res, 200, `{"jsonrpc":"2.0","id":${id},"result":${filtered.result}}`);
    if (session && requestsOf(session, connection).some((one) => one.id === id)) {
      return fail(res, 400, invalidRequest, 'Another request with this id is in flight.', id);
    }
    const repeated =
      !session && method === 'tools/call' && paramFault(connection.repeated, posted.req.headers, posted.params);
    if (repeated) return fail(res, 400, -32020, `Bad Request: the request headers and body disagree: ${repeated}`, id);
    const answer = answering(res, connection);
    const stateless = session === undefined;
    const taken = connection.request({
      members: filtered.members,
      method,
      id,
      answer,
      user: posted.caller.subject,
      stateless,
      ...(session && { session }),
    });
    if (!taken) {
      const message = 'The MCP server is too far behind with its work; try again in a moment.';
      return unavailable(res, { refused: 'unavailable', message, retrySeconds: 2 }, posted);
    }
    res.once('close', () => {
      if (session) session.usedAt = now();
      const open = [...connection.inFlight.values()].find((one) => one.answer === answer);
      if (!open) return;
      // MCP 2026-07-28: leaving is cancelling. Before, it is not; but nobody can come back for the answer.
      if (stateless) connection.leave(open.number, { reason: 'the client left' });
      else connection.leave(open.number);
    });
  }

  function notification(posted: Posted, session: Session, connection: Connection): void {
    const { method = '', members, params } = posted;
    if (method === 'notifications/cancelled') {
      const open = requestsOf(session, connection).find((one) => one.id === params.get('requestId'));
      if (!open) return; // answered meanwhile
      connection.leave(open.number, { reason: stringIn(params.get('reason'))?.slice(0, 1000) });
      open.answer.abandon();
      return;
    }
    const text = notificationOfClient(session, method, members);
    if (text !== undefined && backend.passes(method)) connection.send(text);
  }

  async function inSession(posted: Posted): Promise<void> {
    const { res, id, method, members } = posted;
    const session = sessionOf(posted);
    if (!session) return;
    const connection = await backend.connectionOf(session);
    if (isRefusal(connection)) return unavailable(res, connection, posted);
    if (method !== undefined && id !== undefined) return request(posted, id, session, connection);
    if (method === undefined) {
      const text = answerOfClient(session, members);
      if (text !== undefined && !connection.send(text)) {
        refuse(connection, membersOf(text).get('id') as string, 'The answer of the client was lost.');
      }
    } else notification(posted, session, connection);
    accepted(res);
  }

  async function stateless(posted: Posted): Promise<void> {
    const { caller, req, res, id, method, members, params } = posted;
    const fault = revisionFault(req.headers, method, params, id !== undefined);
    if (fault) return fail(res, 400, fault.code, fault.message, id, fault.data);
    if (id === undefined || method === undefined) {
      // A client cancels by leaving; other notifications concern whatever runs.
      if (method !== 'notifications/cancelled') backend.running(caller)?.send(changed(members, {}));
      return accepted(res);
    }
    const connection = await backend.stateless(caller);
    if (isRefusal(connection)) return unavailable(res, connection, posted);
    if (!res.destroyed) await request(posted, id, undefined, connection);
  }

  async function post(
    req: IncomingMessage,
    res: ServerResponse,
    caller: CallerIdentity,
    take: (bytes: number) => boolean,
  ): Promise<void> {
    const body = await wholeBody(req, maxMessageBytes, take);
    if (body === 'cut') return;
    if (body === 'no_room') {
      const message = 'Too many large messages are on their way: send this one again in a moment.';
      return unavailable(res, { refused: 'unavailable', message, retrySeconds: 2 }, {});
    }
    if (body === 'too_large') return fail(res, 413, invalidRequest, `A message may have ${maxMessageBytes} bytes.`);
    if (!accepts(req, 'application/json') || !accepts(req, 'text/event-stream')) {
      return fail(res, 406, invalidRequest, 'Not Acceptable: accept application/json and text/event-stream.');
    }
    const read = readMessage(body, req.headers);
    if ('status' in read) return fail(res, read.status, read.code, read.message, read.id);
    const members = membersOf(read.text);
    const params = membersIn(members.get('params'));
    const { method, id } = read;
    const posted: Posted = {
      caller,
      req,
      res,
      members,
      params,
      ...(method !== undefined && { method }),
      ...(id !== undefined && { id }),
    };
    const claim = membersIn(params.get('_meta')).has('io.modelcontextprotocol/protocolVersion');
    const header = String(req.headers['mcp-protocol-version'] ?? '');
    if (claim || (header >= statelessRevision && /^\d{4}-\d\d-\d\d$/.test(header))) return stateless(posted);
    if (method === 'initialize' && id !== undefined) return initialize(posted, id);
    return inSession(posted);
  }

  async function get(req: IncomingMessage, res: ServerResponse, caller: CallerIdentity): Promise<void> {
    if (!accepts(req, 'text/event-stream')) {
      return fail(res, 406, invalidRequest, 'Not Acceptable: accept text/event-stream.');
    }
    const session = sessionOf({ caller, req, res });
    if (!session) return;
    const stream = eventStream(res, { onFull: (full) => session.connection()?.onFull(full), keepAliveSeconds });
    // Out with the head: a client waits for it before it trusts the stream.
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    res.write(Buffer.alloc(0));
    openStream(session, stream);
    res.once('close', () => {
      session.usedAt = now();
      const at = session.streams.indexOf(stream);
      if (at >= 0) session.streams.splice(at, 1);
    });
  }

  return async (req, res) => {
    res.on('error', () => {});
    const caller = readIdentityHeaders(req.headers, secret);
    if (!caller) return fail(res, 403, invalidRequest, 'Only the gateway may ask here.');
    switch (req.method) {
      case 'POST': {
        let taken = 0;
        const take = (bytes: number) => {
          if (!room.take(caller.subject, bytes)) return false;
          taken += bytes;
          return true;
        };
        // Until it is with the process: one that starts may take its time.
        return post(req, res, caller, take).finally(() => room.give(caller.subject, taken));
      }
      case 'GET':
      case 'DELETE': {
        const version = req.headers['mcp-protocol-version'];
        if (version === statelessRevision && req.headers[sessionHeader] === undefined) break;
        if (req.method === 'GET') return get(req, res, caller);
        const session = sessionOf({ caller, req, res });
        if (!session) return;
        await backend.end(session);
        res.writeHead(204, { 'cache-control': 'no-store' });
        res.end();
        return;
      }
    }
    res.setHeader('allow', 'POST, GET, DELETE');
    fail(res, 405, invalidRequest, 'Method not allowed: use POST.');
  };
}

function accepted(res: ServerResponse): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(202, { 'content-length': '0', 'cache-control': 'no-store' });
  res.end();
}

/** RFC 9110 §12.5.1: whoever says nothing takes anything. */
function accepts(req: IncomingMessage, type: string): boolean {
  const { accept } = req.headers;
  if (accept === undefined) return true;
  const [family] = type.split('/');
  return accept.split(',').some((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (parameters.some((one) => /^q=0(\.0*)?$/.test(one))) return false;
    return name === type || name === '*/*' || name === `${family}/*`;
  });
}

/** `take`: whether there is room for so many bytes more. */
async function wholeBody(
  req: IncomingMessage,
  maxBytes: number,
  take: (bytes: number) => boolean,
): Promise<Buffer | 'too_large' | 'no_room' | 'cut'> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Left open, so that the refusal still reaches whoever is sending.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) return 'too_large';
      if (!take(chunk.length)) return 'no_room';
      chunks.push(chunk);
    }
  } catch {
    return 'cut';
  }
  return Buffer.concat(chunks, length);
}
