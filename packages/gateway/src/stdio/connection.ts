/**
 * JSON-RPC with one process: requests of any number of clients under ids of ours, and every answer and progress report
 * back to the request it belongs to (MCP, stdio transport; SEC-17).
 */
import type { ServerResponse } from 'node:http';
import { errorText } from '../tool-policy/judge.ts';
import type { Answer } from './answer.ts';
import { type Child, type ChildOptions, type Exit, startChild } from './child.ts';
import type { EndReason } from './events.ts';
import type { LongLine } from './lines.ts';
import { learn, type RepeatedArguments } from './param-headers.ts';
import { changed, membersIn, readServerLine, type ServerMessage, withMeta } from './wire.ts';

/** What a client sent, its keys with the text of their values. */
export interface ClientRequest {
  readonly members: ReadonlyMap<string, string>;
  readonly method: string;
  /** JSON text. */
  readonly id: string;
  readonly answer: Answer;
  /** The subject of the user who asks. */
  readonly user: string;
  /** Whose it is, where requests of several clients meet; undefined of a stateless one (MCP 2026-07-28). */
  readonly session?: object;
  /** MCP 2026-07-28: errors have an HTTP status, and leaving is cancelling. */
  readonly stateless: boolean;
}

export interface InFlight extends Omit<ClientRequest, 'members'> {
  readonly number: number;
  /** JSON text of the client's own progress token. */
  readonly token?: string;
  /** The client cancelled it or left; the process may still be at it. Seconds. */
  leftAt?: number;
}

export interface ConnectionOptions extends Omit<ChildOptions, 'onLine' | 'onLong' | 'onEnded'> {
  /**
   * What belongs to no request in flight. `session`: to one that is answered already, whose task goes on (MCP 2025-11-25).
   */
  readonly onMessage: (message: ServerMessage, session?: object) => void;
  readonly onEnded: (exit: Exit) => void;
  /** Several clients read from it, and the slowest is cut when too much waits. With one alone, the process waits for it. */
  readonly shared: boolean;
}

export interface Connection {
  readonly inFlight: ReadonlyMap<number, InFlight>;
  /** Undefined while the process runs. */
  readonly exit: Exit | undefined;
  /** It ended, or is about to. */
  readonly ending: boolean;
  /** Somebody waits for an answer. */
  readonly busy: boolean;
  /** Arguments of its tools that headers repeat, as far as they were heard of. */
  readonly repeated: RepeatedArguments;
  /** Seconds: of the last message in either direction. */
  readonly usedAt: number;
  /** Passes a request on. False: the process is too far behind to take more, and nothing was sent. */
  request(request: ClientRequest): boolean;
  /** A request of our own. Resolves with the answer; rejects with words when the process ends. */
  ask(method: string, params: string): Promise<ServerMessage>;
  /** A message that waits for no answer. False as above. */
  send(text: string): boolean;
  /** A client does not wait for this request any longer, and may want it stopped. */
  leave(number: number, cancelled?: { readonly reason: string | undefined }): void;
  onFull(res: ServerResponse): void;
  end(reason: EndReason): Promise<void>;
}

/** Of one process. More in flight are a client's mistake; each holds memory in the process as well. */
const maxInFlight = 1000;
/** Of one user, where several share the process: what they left still counts, or leaving would fill it (SEC-10). */
const maxInFlightOfUser = 200;
/** Progress of tasks is told after their request was answered; the oldest are forgotten. */
const maxTaskTokens = 200;
/** Seconds for which a cancelled request may still make the process ask or say something. */
const lingerSeconds = 60;
/** Names a subscription in what is sent to it, by the id of its request (MCP 2026-07-28). */
export const subscriptionIdKey = 'io.modelcontextprotocol/subscriptionId';
/** JSON-RPC's. */
export const internalError = -32603;

export function connect(options: ConnectionOptions): Connection {
  const { now, maxMessageBytes } = options;
  const inFlight = new Map<number, InFlight>();
  const asked = new Map<number, { resolve: (answer: ServerMessage) => void; reject: (error: Error) => void }>();
  const taskTokens = new Map<number, { readonly token: string; readonly session: object }>();
  /** Answers that their readers take more slowly than they come. */
  const behind = new Set<ServerResponse>();
  let last = 0;
  let usedAt = now();
  let over: Exit | undefined;
  let ending = false;

  const child: Child = startChild({ ...options, onLine, onLong, onEnded });

  function onLine(line: Buffer): void {
    usedAt = now();
    if (options.shared && behind.size > 0) cutSlowest();
    const message = readServerLine(line);
    if (message === undefined) return;
    if (typeof message === 'string') {
      child.unreadable(message, line.length, line.subarray(0, 400).toString('utf8'));
      return;
    }
    if (message.kind === 'response') {
      onResponse(message);
      return;
    }
    if (message.kind === 'notification' && message.method === 'notifications/progress' && onProgress(message)) return;
    options.onMessage(message);
  }

  /** One who does not read must neither stop the others nor fill the memory: who holds most is cut. */
  function cutSlowest(): void {
    let total = 0;
    for (const { writableLength } of behind) total += writableLength;
    if (total <= 4 * maxMessageBytes) return;
    const [slowest] = [...behind].sort((a, b) => b.writableLength - a.writableLength);
    slowest?.destroy();
  }

  function onResponse(message: ServerMessage): void {
    const number = Number(message.id);
    const own = asked.get(number);
    if (own) {
      asked.delete(number);
      own.resolve(message);
      return;
    }
    const request = inFlight.get(number);
    inFlight.delete(number);
    // Answers to what was cancelled are expected (MCP, cancellation), and nobody waits for them.
    if (!request || request.answer.over) return;
    if (request.stateless && request.method === 'tools/list') learn(connection.repeated, message);
    const text = changed(message.members, { id: request.id, ...resultOf(request, message) });
    request.answer.finish(text, request.stateless ? statusOf(message) : 200);
  }

  /** False where it is nobody's progress that we know. */
  function onProgress(message: ServerMessage): boolean {
    const params = membersIn(message.members.get('params'));
    const number = Number(params.get('progressToken'));
    const request = inFlight.get(number);
    const late = request ? undefined : taskTokens.get(number);
    const token = request ? request.token : late?.token;
    if (token === undefined) return request !== undefined || /^\d+$/.test(params.get('progressToken') ?? '');
    const members = new Map(message.members).set('params', changed(params, { progressToken: token }));
    if (request) request.answer.stream.send(changed(members, {}));
    else if (late) options.onMessage({ ...message, members }, late.session);
    return true;
  }

  /** Whoever waits for what was too long must not wait forever. */
  function onLong({ head, tail, bytes }: LongLine): void {
    usedAt = now();
    child.unreadable('too_long', bytes, head);
    // Of servers in the usual languages the id of an answer is its first key, or its last.
    if (/^\s*\{[^{}[\]]{0,100}"method"\s*:/.test(head)) return;
    const id =
      /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)\s*,/.exec(head)?.[1] ??
      /,\s*"id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/.exec(tail)?.[1];
    const numbers = id === undefined ? [...inFlight.keys()] : [Number(id)];
    const error = { code: internalError, message: `The answer has more than ${maxMessageBytes} bytes.` };
    for (const number of numbers) fail(number, error);
    const own = id === undefined ? undefined : asked.get(Number(id));
    own?.reject(new Error(error.message));
  }

  function fail(number: number, error: { readonly code: number; readonly message: string }): void {
    const request = inFlight.get(number);
    inFlight.delete(number);
    request?.answer.finish(errorText(request.id, error));
  }

  function onEnded(exit: Exit): void {
    over = exit;
    const message = `The process of the MCP server ${exit.words}. Send the request again.`;
    for (const number of [...inFlight.keys()]) fail(number, { code: internalError, message });
    for (const { reject } of asked.values()) reject(new Error(`the process ${exit.words}`));
    asked.clear();
    options.onEnded(exit);
  }

  const connection: Connection = {
    inFlight,
    repeated: new Map(),
    get exit() {
      return over;
    },
    get ending() {
      return ending || over !== undefined;
    },
    get busy() {
      return [...inFlight.values()].some((one) => one.leftAt === undefined);
    },
    get usedAt() {
      return usedAt;
    },
    request(request) {
      const { members, method, id, answer, user, session, stateless } = request;
      if (inFlight.size >= maxInFlight) return false;
      if (options.shared && inFlight.size >= maxInFlightOfUser) {
        const own = [...inFlight.values()].filter((one) => one.user === user);
        if (own.length >= maxInFlightOfUser) return false;
      }
      const number = ++last;
      const params = membersIn(members.get('params'));
      const token = membersIn(params.get('_meta')).get('progressToken');
      const text = changed(members, {
        id: String(number),
        ...(token !== undefined && { params: withMeta(params, { progressToken: String(number) }) }),
      });
      if (!child.write(text)) return false;
      usedAt = now();
      const entry: InFlight = {
        number,
        method,
        id,
        answer,
        user,
        stateless,
        ...(session && { session }),
        ...(token !== undefined && { token }),
      };
      inFlight.set(number, entry);
      if (token !== undefined && session && params.has('task')) {
        taskTokens.set(number, { token, session });
        for (const oldest of taskTokens.keys()) {
          if (taskTokens.size <= maxTaskTokens) break;
          taskTokens.delete(oldest);
        }
      }
      // It ended while this was on its way.
      if (over) fail(number, { code: internalError, message: `The process of the MCP server ${over.words}.` });
      return true;
    },
    ask(method, params) {
      if (over) return Promise.reject(new Error(`the process ${over.words}`));
      const number = ++last;
      return new Promise((resolve, reject) => {
        asked.set(number, { resolve, reject });
        const text = `{"jsonrpc":"2.0","id":${number},"method":${JSON.stringify(method)},"params":${params}}`;
        if (child.write(text)) return;
        asked.delete(number);
        reject(new Error('the process does not read what it is sent'));
      });
    },
    send(text) {
      usedAt = now();
      return child.write(text);
    },
    leave(number, cancelled) {
      const request = inFlight.get(number);
      if (!request || request.leftAt !== undefined) return;
      request.leftAt = now();
      setTimeout(() => inFlight.delete(number), lingerSeconds * 1000).unref();
      if (!cancelled) return;
      const { reason } = cancelled;
      const params = { requestId: number, ...(reason !== undefined && { reason }) };
      child.write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }));
    },
    onFull(res) {
      if (behind.has(res)) return;
      behind.add(res);
      if (!options.shared) child.pause();
      const done = () => {
        res.off('drain', done);
        res.off('close', done);
        behind.delete(res);
        if (!options.shared) child.resume();
      };
      res.once('drain', done);
      res.once('close', done);
    },
    end(reason) {
      ending = true;
      return child.end(reason);
    },
  };
  return connection;
}

/** The last word on a subscription names it by its id (MCP 2026-07-28, subscriptions/listen). */
function resultOf({ method, id }: InFlight, { members }: ServerMessage) {
  const result = membersIn(members.get('result'));
  const named = membersIn(result.get('_meta')).has(subscriptionIdKey);
  return method === 'subscriptions/listen' && named && { result: withMeta(result, { [subscriptionIdKey]: id }) };
}

/** MCP 2026-07-28, Streamable HTTP: which errors are HTTP's, too. */
function statusOf(message: ServerMessage): number {
  switch (membersIn(message.members.get('error')).get('code')) {
    case '-32601':
      return 404;
    case '-32020':
    case '-32021':
    case '-32022':
      return 400;
    default:
      return 200;
  }
}
