/**
 * Processes that serve one user each (SEC-17). A stdio server is written for one client that starts it: it keeps what that
 * client can do, its log level and its subscriptions for the whole process, and does not say which request a question of
 * its own is about. So each session of the older revisions has a process to itself, as on a laptop, and all requests of a
 * user by MCP 2026-07-28, which say everything themselves, share another. The official SDK ties a process to one of the
 * two by its first message.
 */
import { type BackOff, backOff } from './back-off.ts';
import {
  answers,
  type Backend,
  endStreams,
  isRefusal,
  type ProcessOptions,
  type Refusal,
  sessionFacts,
  sessionRevisions,
  within,
} from './backend.ts';
import type { Exit } from './child.ts';
import { type Connection, type ConnectionOptions, connect } from './connection.ts';
import { childEnvironment, type ProcessOwner } from './environment.ts';
import { type EndReason, personOf } from './events.ts';
import { rateGate } from './lines.ts';
import { askForTools } from './param-headers.ts';
import { askClient, newSession, requestsOf, type Session, takeBack, tell } from './session.ts';
import { speaksStateless, statelessMessage } from './stateless.ts';
import { changed, membersIn, type ServerMessage, stringIn } from './wire.ts';

interface User {
  readonly sessions: Set<Session>;
  stateless?: Promise<Refusal | Connection>;
  readonly backOff: BackOff;
  /** Whether one more process may be started now: to begin and end sessions without a pause costs us more than them (SEC-10). */
  readonly mayStart: () => boolean;
  /** Places taken, also by processes that are about to start or to end. */
  places: number;
}

/** Of one user's processes: a client that connects anew now and then, several at once, is far below. */
const starts = { burst: 20, perSecond: 1 };
/** Seconds that a process must have been idle before it makes place for another user's. */
const idleForRoomSeconds = 60;
/** Seconds for which it is remembered that the command does not speak MCP 2026-07-28; it may be replaced by one that does. */
const verdictSeconds = 600;
/** A process that ran as long was no failed start. */
const soundSeconds = 60;

export function perUser(options: ProcessOptions): Backend {
  const { target, maxProcesses, idleSeconds, startSeconds, log, now } = options;
  // Nobody may hold them all, unless there are too few to share.
  const processesPerUser = Math.min(5, maxProcesses, Math.floor(maxProcesses / 2) + 1);
  const users = new Map<string, User>();
  const sessions = new Map<string, Session>();
  /** With whom each is. */
  const connections = new Map<Connection, { readonly user: User; readonly session?: Session }>();
  /** Those of MCP 2026-07-28 that are what they were asked for: that others end by themselves is no failure. */
  const sound = new WeakSet<Connection>();
  let places = 0;
  let closed = false;
  let probing: Connection | undefined;
  let sessionsOnlyUntil = 0;
  let spokenOnce = false;

  function userOf({ subject }: ProcessOwner): User {
    const user = users.get(subject) ?? {
      sessions: new Set<Session>(),
      backOff: backOff(now),
      mayStart: rateGate(starts, now),
      places: 0,
    };
    users.set(subject, user);
    return user;
  }

  function unavailable(caller: ProcessOwner, reason: string, message: string, retrySeconds = 5): Refusal {
    log({ event: 'stdio.refused', target, person: personOf(caller.subject), reason });
    return { refused: 'unavailable', message, retrySeconds: Math.max(1, Math.ceil(retrySeconds)) };
  }

  /** Takes a place for a process to be started; who gets none is told why. */
  async function takePlace(caller: ProcessOwner, user: User): Promise<Refusal | undefined> {
    if (closed) return unavailable(caller, 'closing', 'The gateway is stopping.');
    const wait = user.backOff.wait();
    if (wait > 0) {
      return unavailable(caller, 'back_off', 'The MCP server failed when it was last started; wait a moment.', wait);
    }
    for (let tries = 0; user.places >= processesPerUser || places >= maxProcesses; tries++) {
      const own = user.places >= processesPerUser;
      const oldest = tries < 3 ? oldestIdle(own ? user : undefined) : undefined;
      if (!oldest) {
        return own
          ? unavailable(caller, 'processes_of_user', 'You have as many MCP servers running here as one may; end one.')
          : unavailable(caller, 'processes', 'As many MCP servers run here as may; try again in a moment.');
      }
      await end(oldest, 'room');
      if (closed) return unavailable(caller, 'closing', 'The gateway is stopping.');
    }
    if (!user.mayStart()) return unavailable(caller, 'starts', 'Too many starts of the MCP server; wait a moment.', 2);
    user.places += 1;
    places += 1;
    return undefined;
  }

  /** What is about to end anyway; of a user who needs the place themselves, whatever is not at work; of anybody, what nobody has used for a while. */
  function oldestIdle(of: User | undefined): Connection | undefined {
    for (const [connection, { user }] of connections) {
      if (connection.ending && (!of || user === of)) return connection;
    }
    const idle = [...connections].filter(([connection, { user, session }]) => {
      if (connection.ending || isBusy(connection)) return false;
      if (of) return user === of;
      const listens = session?.streams.some((one) => one.open) ?? false;
      return !listens && now() - connection.usedAt >= idleForRoomSeconds;
    });
    return idle.sort(([a], [b]) => a.usedAt - b.usedAt)[0]?.[0];
  }

  /** A place was taken for it before. */
  function start(
    caller: ProcessOwner,
    user: User,
    session: Session | undefined,
    onMessage: ConnectionOptions['onMessage'],
  ): Connection {
    const startedAt = now();
    const connection = connect({
      ...options,
      person: personOf(caller.subject),
      environment: childEnvironment(options.env, options.identity === 'none' ? undefined : caller),
      shared: session === undefined,
      onMessage,
      onEnded(exit) {
        user.places -= 1;
        places -= 1;
        connections.delete(connection);
        if (session || sound.has(connection)) noteEnd(user, exit, now() - startedAt);
        if (session) forget(user, session);
      },
    });
    connections.set(connection, { user, ...(session && { session }) });
    if (closed) void connection.end('closed');
    return connection;
  }

  function noteEnd(user: User, { reason }: Exit, seconds: number): void {
    if (reason === 'unstartable' || reason === 'too_slow' || reason === 'crashed') {
      if (seconds >= soundSeconds) user.backOff.succeeded();
      user.backOff.failed();
    }
  }

  function forget(user: User, session: Session): void {
    user.sessions.delete(session);
    sessions.delete(session.id);
    endStreams(session);
  }

  /** Its session is over at once: nothing more is sent to a process that is about to end. */
  function end(connection: Connection, reason: EndReason): Promise<void> {
    const { user, session } = connections.get(connection) ?? {};
    if (user && session) forget(user, session);
    return connection.end(reason);
  }

  async function startStateless(caller: ProcessOwner, user: User): Promise<Refusal | Connection> {
    const sessionsOnly: Refusal = { refused: 'revision', supported: sessionRevisions };
    if (now() < sessionsOnlyUntil) return sessionsOnly;
    const refused = await takePlace(caller, user);
    if (refused) return refused;
    const connection: Connection = start(caller, user, undefined, (message) => statelessMessage(connection, message));
    // A server of the older revisions may answer with an error, not at all, or end (MCP 2026-07-28, stdio, Backward Compatibility).
    const speaks = await speaksStateless(connection, startSeconds).catch(() => false);
    if (speaks) {
      sound.add(connection);
      spokenOnce = true;
      // One that ends over it is started again by whoever needs it; one that says nothing repeats nothing.
      await askForTools(connection, startSeconds).catch(() => {});
      return connection;
    }
    if (connection.exit?.reason === 'unstartable') {
      return unavailable(caller, 'unstartable', 'The MCP server could not be started.', 30);
    }
    await connection.end('unfit');
    if (spokenOnce) return unavailable(caller, 'start', 'The MCP server did not start.', 5);
    sessionsOnlyUntil = now() + verdictSeconds;
    return sessionsOnly;
  }

  const backend: Backend = {
    sessions,
    async begin(caller, initialize, left) {
      const user = userOf(caller);
      const refused = await takePlace(caller, user);
      if (refused) return refused;
      let connection: Connection | undefined;
      const capabilities = membersIn(initialize.params.get('capabilities'));
      const session: Session = newSession(
        { ...sessionFacts(caller, initialize, capabilities), connection: () => connection },
        now(),
      );
      const process = start(caller, user, session, (message, of) => {
        if (of === undefined || of === session) sessionMessage(session, message);
      });
      connection = process;
      try {
        const message = await within(startSeconds, process.ask('initialize', initialize.members.get('params') ?? '{}'));
        const result = message.members.get('result');
        if (result === undefined) {
          await process.end('session_ended');
          return { message };
        }
        if (left()) {
          await process.end('session_ended');
          return { refused: 'unavailable', message: 'The client left.', retrySeconds: 1 };
        }
        session.version = stringIn(membersIn(result).get('protocolVersion')) ?? sessionRevisions[0];
        session.usedAt = now();
        user.sessions.add(session);
        sessions.set(session.id, session);
        return { session, message };
      } catch (error) {
        if (!process.exit) await process.end('too_slow');
        else if (process.exit.reason === 'exited') user.backOff.failed();
        return unavailable(
          caller,
          'start',
          `The MCP server did not start: ${(error as Error).message}.`,
          user.backOff.wait() || 2,
        );
      }
    },
    async stateless(caller) {
      const user = userOf(caller);
      const before = user.stateless;
      const known = before && (await before);
      if (known && !isRefusal(known) && !known.ending) return known;
      // Unless whoever came first while we waited has started it.
      if (!user.stateless || user.stateless === before) user.stateless = startStateless(caller, user);
      return user.stateless;
    },
    running(caller) {
      for (const [connection, { user, session }] of connections) {
        if (!session && user === users.get(caller.subject) && !connection.ending) return connection;
      }
      return undefined;
    },
    async connectionOf(session) {
      const connection = session.connection();
      return connection && !connection.ending
        ? connection
        : { refused: 'unavailable', message: 'The MCP server has ended.', retrySeconds: 1 };
    },
    filter: (_, __, members) => ({ members }),
    passes: () => true,
    async end(session) {
      const connection = session.connection();
      if (connection) await end(connection, 'session_ended');
    },
    sweep() {
      for (const [connection, { session }] of connections) {
        const listens = session?.streams.some((one) => one.open) ?? false;
        const usedAt = Math.max(connection.usedAt, session?.usedAt ?? 0);
        if (!isBusy(connection) && !listens && now() - usedAt >= idleSeconds) void end(connection, 'idle');
      }
      for (const [subject, user] of users) if (user.places === 0 && user.backOff.clear) users.delete(subject);
    },
    async probe() {
      if (places > 0) return;
      places += 1;
      probing = connect({
        ...options,
        environment: childEnvironment(options.env),
        shared: true,
        onMessage: () => {},
        onEnded() {
          places -= 1;
          probing = undefined;
        },
      });
      await answers(probing, startSeconds);
    },
    async close() {
      closed = true;
      await Promise.all([probing?.end('closed'), ...[...connections.keys()].map((one) => end(one, 'closed'))]);
    },
  };

  function isBusy(connection: Connection): boolean {
    const session = connections.get(connection)?.session;
    return session ? !sessions.has(session.id) || requestsOf(session, connection).length > 0 : connection.busy;
  }

  return backend;
}

/** What a process says to the one client it has. */
function sessionMessage(session: Session, message: ServerMessage): void {
  const { kind, method } = message;
  if (kind === 'request') {
    // Whether its client is there: we are.
    if (method === 'ping')
      return void session
        .connection()
        ?.send(changed(message.members, { method: undefined, params: undefined, result: '{}' }));
    askClient(session, message);
    return;
  }
  if (method === 'notifications/cancelled') {
    takeBack(session, message);
    return;
  }
  const ofSession = /\/(list_changed|updated)$/.test(method ?? '');
  tell(session, changed(message.members, {}), !ofSession);
}
