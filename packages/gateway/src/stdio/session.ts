/**
 * A session of MCP 2024-11-05 to 2025-11-25 (Streamable HTTP, Session Management): one client's streams, and what the
 * server asks that client, under ids of ours.
 */
import { randomBytes } from 'node:crypto';
import { errorText } from '../tool-policy/judge.ts';
import type { EventStream } from './answer.ts';
import { type Connection, type InFlight, internalError } from './connection.ts';
import { changed, membersIn, type ServerMessage, withMeta } from './wire.ts';

export interface Session {
  readonly id: string;
  readonly subject: string;
  readonly clientId: string;
  /** Negotiated; undefined until `initialize` was answered. */
  version?: string;
  /** Names of what the client can do. */
  readonly capabilities: ReadonlySet<string>;
  readonly connection: () => Connection | undefined;
  /** Its GET streams, the newest last. */
  readonly streams: EventStream[];
  /** For the next GET stream. */
  readonly waiting: Array<{ readonly text: string; readonly processId?: string }>;
  waitingLength: number;
  /** What the server asked the client, by the id that the client sees. */
  readonly asked: Map<string, { readonly processId: string; readonly token?: string }>;
  lastAsked: number;
  /** Seconds. */
  usedAt: number;
}

/** What waits for a stream: a client that never opens one must not fill the memory. */
const maxWaiting = { messages: 100, length: 1024 * 1024 };
/** Questions of the server that the client has not answered. */
const maxAsked = 100;
const maxStreams = 4;

export function newSession(
  facts: Pick<Session, 'subject' | 'clientId' | 'capabilities' | 'connection'>,
  now: number,
): Session {
  return {
    ...facts,
    // MCP: unguessable, and visible ASCII.
    id: randomBytes(24).toString('base64url'),
    streams: [],
    waiting: [],
    waitingLength: 0,
    asked: new Map(),
    lastAsked: 0,
    usedAt: now,
  };
}

/** A GET stream of the client. It may have several; messages go to the newest, once (MCP, Multiple Connections). */
export function openStream(session: Session, stream: EventStream): void {
  session.streams.push(stream);
  if (session.streams.length > maxStreams) session.streams.shift()?.end();
  for (const { text } of session.waiting.splice(0)) stream.send(text);
  session.waitingLength = 0;
}

/** Requests of this session that somebody waits for. */
export function requestsOf(session: Session, connection: Connection): readonly InFlight[] {
  return [...connection.inFlight.values()].filter(
    (one) => one.session === session && one.leftAt === undefined && !one.answer.over,
  );
}

/**
 * To the client. stdio does not say which request a message is about: where one alone is in flight it is that one
 * (`related`), else the session's own stream (MCP, Sending Messages).
 */
export function tell(session: Session, text: string, related: boolean, processId?: string): void {
  const connection = session.connection();
  const [first, ...others] = connection && related ? requestsOf(session, connection) : [];
  const open = session.streams.filter((one) => one.open).at(-1);
  // An `initialize` is answered as JSON, because its session begins with the answer.
  const request = first && first.method !== 'initialize' && (others.length === 0 || !open) ? first.answer.stream : open;
  if (request) {
    request.send(text);
    return;
  }
  session.waiting.push({ text, ...(processId !== undefined && { processId }) });
  session.waitingLength += text.length;
  while (session.waiting.length > maxWaiting.messages || session.waitingLength > maxWaiting.length) {
    const oldest = session.waiting.shift();
    if (!oldest) break;
    session.waitingLength -= oldest.text.length;
    if (oldest.processId === undefined) continue;
    // It would be waited for.
    refuse(connection, oldest.processId, 'The client does not listen.');
    for (const [id, asked] of session.asked) if (asked.processId === oldest.processId) session.asked.delete(id);
  }
}

/** The server asks the client: sampling, elicitation, roots. */
export function askClient(session: Session, message: ServerMessage): void {
  const processId = message.id as string;
  if (session.asked.size >= maxAsked) {
    refuse(session.connection(), processId, 'The client has not answered earlier requests.');
    return;
  }
  const id = JSON.stringify(`s${++session.lastAsked}`);
  const params = membersIn(message.members.get('params'));
  const token = membersIn(params.get('_meta')).get('progressToken');
  session.asked.set(id, { processId, ...(token !== undefined && { token }) });
  const text = changed(message.members, {
    id,
    ...(token !== undefined && { params: withMeta(params, { progressToken: id }) }),
  });
  tell(session, text, true, processId);
}

/** The server takes a request back. */
export function takeBack(session: Session, message: ServerMessage): void {
  const params = membersIn(message.members.get('params'));
  for (const [id, { processId }] of session.asked) {
    if (processId !== params.get('requestId')) continue;
    session.asked.delete(id);
    tell(session, changed(message.members, { params: changed(params, { requestId: id }) }), true);
    return;
  }
}

/** What the client answers; undefined: nothing that was asked, or that is still open. */
export function answerOfClient(session: Session, members: ReadonlyMap<string, string>): string | undefined {
  const id = members.get('id') ?? '';
  const asked = session.asked.get(id);
  session.asked.delete(id);
  return asked && changed(members, { id: asked.processId });
}

/** A notification of the client for the process; undefined: it is about nothing that is there. */
export function notificationOfClient(session: Session, method: string, members: ReadonlyMap<string, string>) {
  const params = membersIn(members.get('params'));
  if (method !== 'notifications/progress') return changed(members, {});
  const token = session.asked.get(params.get('progressToken') ?? '')?.token;
  return token && changed(members, { params: changed(params, { progressToken: token }) });
}

/** An error for a request of the server that reaches nobody. */
export function refuse(
  connection: Connection | undefined,
  processId: string,
  message: string,
  code: number = internalError,
): void {
  connection?.send(errorText(processId, { code, message }));
}
