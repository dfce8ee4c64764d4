/**
 * One process for everybody (`processes: 'shared'`). We are its only client; users are kept apart by ids. What that can
 * separate: answers and progress, which name their request; updates of resources, which name a subscription. What it
 * cannot: log messages, log levels, tasks and questions to a client (sampling, elicitation) name no client, so they are
 * not offered, even while a single client is at work: the answer it waits for may have been another's a moment ago. And
 * what the server itself remembers it remembers of all, because it never learns who asks. News that name nobody (`list_changed`) go to all.
 * It speaks to us one kind of revision: `initialize` is tried first, because clients of MCP 2026-07-28 can go back to it.
 */
import { backOff } from './back-off.ts';
import {
  type Backend,
  endStreams,
  type Filtered,
  initializeParams,
  isRefusal,
  type ProcessOptions,
  type Refusal,
  sessionFacts,
  sessionRevisions,
  statelessRevision,
  within,
} from './backend.ts';
import { type Connection, connect } from './connection.ts';
import { childEnvironment } from './environment.ts';
import { personOf } from './events.ts';
import { askForTools } from './param-headers.ts';
import { newSession, refuse, requestsOf, type Session, tell } from './session.ts';
import { speaksStateless, statelessMessage } from './stateless.ts';
import { changed, membersIn, type ServerMessage, stringIn } from './wire.ts';

interface Running {
  readonly connection: Connection;
  /** The answer to `initialize`; undefined of a process of MCP 2026-07-28. */
  readonly initialized?: ServerMessage;
}

/** Of one user; the oldest that nobody uses makes place. And of everybody. */
const [sessionsPerUser, mostSessions] = [20, 10_000];
const subscriptionsPerSession = 500;
/** Characters. They are kept for as long as their session. */
const maxUri = 2048;
const soundSeconds = 60;
export function shared(options: ProcessOptions): Backend {
  const { target, idleSeconds, startSeconds, log, now } = options;
  const sessions = new Map<string, Session>();
  const subscriptions = new WeakMap<Session, Set<string>>();
  const restarts = backOff(now);
  let current: Promise<Refusal | Running> | undefined;
  let process: Connection | undefined;
  let closed = false;

  async function running(): Promise<Refusal | Running> {
    const before = current;
    const known = before && (await before);
    if (known && !isRefusal(known) && !known.connection.ending) return known;
    if (!current || current === before) current = start();
    return current;
  }

  async function start(): Promise<Refusal | Running> {
    // Never two of them, however slowly the last one ends.
    await process?.end('idle');
    const wait = restarts.wait();
    const unavailable = (message: string, seconds: number): Refusal => {
      return { refused: 'unavailable', message, retrySeconds: Math.max(1, Math.ceil(seconds)) };
    };
    if (closed) return unavailable('The gateway is stopping.', 5);
    if (wait > 0) return unavailable('The MCP server failed when it was last started; wait a moment.', wait);
    const startedAt = now();
    const connection: Connection = connect({
      ...options,
      environment: childEnvironment(options.env),
      shared: true,
      onMessage: (message) => {
        if (initialized) fromProcess(connection, message);
        else if (stateless) statelessMessage(connection, message);
        else if (message.kind === 'request') answerPing(connection, message);
      },
      onEnded({ reason }) {
        process = undefined;
        if (!['unstartable', 'too_slow', 'crashed', 'exited', 'unfit'].includes(reason)) return;
        if (now() - startedAt >= soundSeconds) restarts.succeeded();
        restarts.failed();
      },
    });
    let initialized: ServerMessage | undefined;
    let stateless = false;
    process = connection;
    try {
      const answer = await within(startSeconds, connection.ask('initialize', initializeParams('{}')));
      if (answer.members.has('result')) {
        initialized = answer;
        connection.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
        for (const uri of new Set([...sessions.values()].flatMap((one) => [...(subscriptions.get(one) ?? [])]))) {
          void connection.ask('resources/subscribe', JSON.stringify({ uri })).catch(() => {}); // it ended: the next start tries again
        }
        return { connection, initialized };
      }
      stateless = await speaksStateless(connection, startSeconds);
      if (stateless) {
        await askForTools(connection, startSeconds);
        return { connection };
      }
      await connection.end('unfit');
      return unavailable('The MCP server speaks no revision that is known here.', 30);
    } catch (error) {
      if (!connection.exit) await connection.end('too_slow');
      return unavailable(`The MCP server did not start: ${(error as Error).message}.`, restarts.wait() || 2);
    }
  }

  /** Only whose it is beyond doubt gets it. */
  function fromProcess(connection: Connection, message: ServerMessage): void {
    const { kind, method = '' } = message;
    if (kind === 'request') {
      if (method === 'ping') answerPing(connection, message);
      else
        refuse(connection, message.id as string, 'No client can be asked: it cannot be told which is meant.', -32601);
      return;
    }
    const text = changed(message.members, {});
    if (method === 'notifications/resources/updated') {
      const uri = stringIn(membersIn(message.members.get('params')).get('uri'));
      for (const session of uri === undefined ? [] : nearest(uri)) tell(session, text, false);
    } else if (method.endsWith('/list_changed')) for (const session of sessions.values()) tell(session, text, false);
  }

  /**
   * MCP: what was updated may be a part of what was subscribed to. Of several the longest is meant, and its subscribers
   * alone are told: whoever subscribes to the root of everything must not learn the names of what others watch.
   */
  function nearest(uri: string): readonly Session[] {
    const isPart = (whole: string) =>
      uri === whole ||
      (uri.startsWith(whole) && /^[/?#]/.test(uri.slice(whole.length - (whole.endsWith('/') ? 1 : 0))));
    const found = [...sessions.values()].map((session) => {
      const lengths = [...(subscriptions.get(session) ?? [])].filter(isPart).map((one) => one.length);
      return { session, length: Math.max(0, ...lengths) };
    });
    const longest = Math.max(0, ...found.map(({ length }) => length));
    return longest === 0 ? [] : found.filter(({ length }) => length === longest).map(({ session }) => session);
  }

  function filter(session: Session, method: string, members: ReadonlyMap<string, string>): Filtered {
    if (method === 'logging/setLevel' || method.startsWith('tasks/')) {
      return { error: { code: -32601, message: 'Not available: this server is shared by several users.' } };
    }
    const params = membersIn(members.get('params'));
    const uri = stringIn(params.get('uri'));
    const own = subscriptions.get(session) ?? new Set<string>();
    if (method === 'resources/subscribe' && uri !== undefined) {
      if (uri === '' || uri.length > maxUri) {
        return { error: { code: -32602, message: `What is subscribed to has 1 to ${maxUri} characters here.` } };
      }
      if (own.size >= subscriptionsPerSession) {
        return {
          error: { code: -32602, message: `A session may have ${subscriptionsPerSession} subscriptions here.` },
        };
      }
      subscriptions.set(session, own.add(uri));
    }
    if (method === 'resources/unsubscribe' && uri !== undefined) {
      own.delete(uri);
      if (wanted(uri)) return { result: '{}' };
    }
    // Who does not offer tasks takes a request for what it is (MCP 2025-11-25, Tasks).
    return params.has('task')
      ? { members: new Map(members).set('params', changed(params, { task: undefined })) }
      : { members };
  }

  function wanted(uri: string): boolean {
    return [...sessions.values()].some((one) => subscriptions.get(one)?.has(uri));
  }

  function drop(session: Session): void {
    sessions.delete(session.id);
    endStreams(session);
    if (!process) return;
    for (const { number } of requestsOf(session, process)) process.leave(number, { reason: 'the session ended' });
    for (const { processId } of session.asked.values()) refuse(process, processId, 'The client left.');
    session.asked.clear();
    for (const uri of subscriptions.get(session) ?? []) {
      if (!wanted(uri)) void process.ask('resources/unsubscribe', JSON.stringify({ uri })).catch(() => {}); // its end unsubscribes as well
    }
  }

  /** False: no place, and none to be made. */
  function makePlace(subject: string): boolean {
    const idle = (one: Session) => !process || requestsOf(one, process).length === 0;
    const own = [...sessions.values()].filter((one) => one.subject === subject);
    const candidates =
      own.length >= sessionsPerUser ? own : sessions.size >= mostSessions ? [...sessions.values()] : [];
    const oldest = candidates.filter(idle).sort((a, b) => a.usedAt - b.usedAt)[0];
    if (oldest) drop(oldest);
    return oldest !== undefined || candidates.length === 0;
  }

  return {
    sessions,
    async begin(caller, initialize) {
      const started = await running();
      if (isRefusal(started)) return started;
      if (!started.initialized) return { refused: 'revision', supported: [statelessRevision] };
      if (!makePlace(caller.subject)) {
        log({ event: 'stdio.refused', target, person: personOf(caller.subject), reason: 'sessions' });
        return { refused: 'unavailable', message: 'As many sessions as may be are open here.', retrySeconds: 5 };
      }
      const { requested, ...facts } = sessionFacts(
        caller,
        initialize,
        membersIn(initialize.params.get('capabilities')),
      );
      const session = newSession({ ...facts, connection: () => process }, now());
      const result = membersIn(started.initialized.members.get('result'));
      const spoken = stringIn(result.get('protocolVersion')) ?? sessionRevisions[0];
      // Later ones only add to it, and a client passes over what it does not know.
      const older = sessionRevisions.some((one) => one === requested) && (requested as string) < spoken;
      session.version = older ? (requested as string) : spoken;
      sessions.set(session.id, session);
      const answer = changed(result, {
        protocolVersion: JSON.stringify(session.version),
        capabilities: changed(membersIn(result.get('capabilities')), { logging: undefined, tasks: undefined }),
      });
      return {
        session,
        message: {
          kind: 'response',
          members: new Map([
            ['jsonrpc', '"2.0"'],
            ['result', answer],
          ]),
        },
      };
    },
    async stateless() {
      const started = await running();
      if (isRefusal(started)) return started;
      return started.initialized ? { refused: 'revision', supported: sessionRevisions } : started.connection;
    },
    // What is no answer and no request is about the process, which is not one client's.
    running: () => undefined,
    async connectionOf() {
      const started = await running();
      return isRefusal(started) ? started : started.connection;
    },
    filter,
    // Of roots and readiness there are as many as clients; progress was given the token of the process.
    passes: (method) => method === 'notifications/progress',
    async end(session) {
      drop(session);
    },
    sweep() {
      const listens = (one: Session) => one.streams.some((stream) => stream.open);
      for (const session of [...sessions.values()]) {
        const busy = listens(session) || (process && requestsOf(session, process).length > 0);
        if (!busy && now() - session.usedAt >= idleSeconds) drop(session);
      }
      const busy = !process || process.busy || [...sessions.values()].some(listens);
      if (!busy && process && now() - process.usedAt >= idleSeconds) void process.end('idle');
    },
    async probe() {
      const started = await running();
      if (isRefusal(started)) throw new Error('message' in started ? started.message : 'no revision in common');
    },
    async close() {
      closed = true;
      await process?.end('closed');
      for (const session of [...sessions.values()]) drop(session);
    },
  };
}

function answerPing(connection: Connection, { method, id, members }: ServerMessage): void {
  if (method !== 'ping') {
    refuse(connection, id as string, 'Not before the start is over.');
    return;
  }
  connection.send(changed(members, { method: undefined, params: undefined, result: '{}' }));
}
