/** What the HTTP side of a stdio target asks of its processes, whoever shares them. */
import type { CallerIdentity } from '@mcp-gatehouse/auth/identity-headers';
import type { ChildOptions } from './child.ts';
import type { Connection, InFlight } from './connection.ts';
import type { StdioLog } from './events.ts';
import type { Session } from './session.ts';
import { type ServerMessage, stringIn } from './wire.ts';

export interface ProcessOptions extends Pick<ChildOptions, 'target' | 'command' | 'args' | 'cwd' | 'maxMessageBytes'> {
  readonly env: Readonly<Record<string, string>>;
  /** `none`: a process is not told whose it is. `environment` unless given, and where it serves one user alone. */
  readonly identity?: 'environment' | 'none';
  readonly maxProcesses: number;
  readonly idleSeconds: number;
  readonly startSeconds: number;
  readonly log: StdioLog;
  readonly now: () => number;
}

/** Why there is no process for a request. */
export type Refusal =
  | { readonly refused: 'unavailable'; readonly message: string; readonly retrySeconds: number }
  /** The server does not speak the revision of the client. */
  | { readonly refused: 'revision'; readonly supported: readonly string[] };

/** What a client may send its server where others share the process. */
export type Filtered =
  | { readonly members: ReadonlyMap<string, string> }
  | { readonly result: string }
  | { readonly error: { readonly code: number; readonly message: string } };

export interface Initialize {
  readonly members: ReadonlyMap<string, string>;
  readonly params: ReadonlyMap<string, string>;
}

export interface Backend {
  readonly sessions: ReadonlyMap<string, Session>;
  /**
   * A session with the answer to `initialize`, whose id is still the process's; without a session, an error of the
   * process. `left` tells whether anybody still waits.
   */
  begin(
    caller: CallerIdentity,
    initialize: Initialize,
    left: () => boolean,
  ): Promise<Refusal | { readonly session?: Session; readonly message: ServerMessage }>;
  /** For requests of MCP 2026-07-28. */
  stateless(caller: CallerIdentity): Promise<Refusal | Connection>;
  /** That which runs already. */
  running(caller: CallerIdentity): Connection | undefined;
  /** The process of a session, started again where it may be. */
  connectionOf(session: Session): Promise<Refusal | Connection>;
  filter(session: Session, method: string, members: ReadonlyMap<string, string>): Filtered;
  /** Whether a client's notification may reach the process. */
  passes(method: string): boolean;
  end(session: Session): Promise<void>;
  /** Lets go of what nobody used for long. */
  sweep(): void;
  /** Resolves once something could be started and answers; rejects with words. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

export function isRefusal(value: object): value is Refusal {
  return 'refused' in value;
}

export const statelessRevision = '2026-07-28';
/** Newest first. */
export const sessionRevisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

const ourself = '{"name":"gatehouse","version":"1"}';

/** The envelope of our own requests (MCP 2026-07-28, `_meta`). */
export const statelessParams = `{"_meta":{"io.modelcontextprotocol/protocolVersion":"${statelessRevision}","io.modelcontextprotocol/clientInfo":${ourself},"io.modelcontextprotocol/clientCapabilities":{}}}`;

export function initializeParams(capabilities: string): string {
  return `{"protocolVersion":"${sessionRevisions[0]}","capabilities":${capabilities},"clientInfo":${ourself}}`;
}

/** Rejects with words when it takes longer. */
export async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s of its start`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects with words unless the command starts and answers, with an error or not; the process ends either way. */
export async function answers(connection: Connection, seconds: number): Promise<void> {
  try {
    await within(seconds, connection.ask('initialize', initializeParams('{}')));
  } catch (error) {
    throw new Error(`The command of the stdio target does not answer: ${(error as Error).message}.`, { cause: error });
  } finally {
    await connection.end('closed');
  }
}

/** Whether a message that names no request can be about one alone, and which. Listening is no work. */
export function onlyWork(connection: Connection): InFlight | undefined {
  const [first, ...others] = [...connection.inFlight.values()].filter((one) => one.method !== 'subscriptions/listen');
  return others.length === 0 && first && first.leftAt === undefined && !first.answer.over ? first : undefined;
}

export function sessionFacts(
  caller: CallerIdentity,
  { params }: Initialize,
  capabilities: ReadonlyMap<string, string>,
): Pick<Session, 'subject' | 'clientId' | 'capabilities'> & { readonly requested: string | undefined } {
  return {
    subject: caller.subject,
    clientId: caller.clientId,
    capabilities: new Set(capabilities.keys()),
    requested: stringIn(params.get('protocolVersion')),
  };
}

/** Ends what a client still holds of a session that is over. */
export function endStreams(session: Session): void {
  for (const stream of session.streams.splice(0)) if (stream.open) stream.end();
}
