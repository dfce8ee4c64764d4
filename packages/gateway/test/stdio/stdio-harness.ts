/** A stdio target of a real command, asked over its socket as the gateway asks it, for a user and a client that a test names. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { Agent, type RequestInit, fetch as undiciFetch } from 'undici';
import { afterEach } from 'vitest';
import type { StdioEvent } from '../../src/stdio/events.ts';
import { type StdioTarget, type StdioTargetOptions, startStdioTarget } from '../../src/stdio/target.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
export const scripted = here('scripted-server.ts');
export const bothEras = here('both-eras-server.ts');
export const everything = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'));

const opened: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** Closed with the test, and before what was opened earlier. */
export function atEnd(close: () => Promise<unknown>): void {
  opened.push(close);
}

export interface Running extends StdioTarget {
  readonly events: readonly StdioEvent[];
  /** Of that name, as they came. */
  logged<E extends StdioEvent['event']>(name: E): ReadonlyArray<Extract<StdioEvent, { event: E }>>;
  /** `fetch` of a client that acts for a user. */
  as(user: string, client?: string): typeof fetch;
}

export async function startTarget(
  script: string | readonly string[],
  changes: Partial<StdioTargetOptions> = {},
): Promise<Running> {
  const events: StdioEvent[] = [];
  const target = await startStdioTarget({
    target: 'test',
    command: process.execPath,
    args: [script].flat(),
    env: {},
    processes: 'perUser',
    maxProcesses: 10,
    idleSeconds: 600,
    startSeconds: 20,
    maxMessageBytes: 1024 * 1024,
    log: (event) => events.push(event),
    ...changes,
  });
  opened.push(() => target.close());
  const agent = new Agent({ connect: { socketPath: target.socketPath } });
  opened.push(() => agent.destroy());
  return {
    ...target,
    events,
    logged: <E extends StdioEvent['event']>(name: E) =>
      events.filter((one): one is Extract<StdioEvent, { event: E }> => one.event === name),
    as(user, client = 'client') {
      const identity = { issuer: 'https://idp.example', subject: `idp ${user}` };
      const token = { subject: user, clientId: client, scope: [], identity } as unknown as Parameters<
        typeof writeIdentityHeaders
      >[0];
      const ours = writeIdentityHeaders(token, target.secret);
      return (async (input: string | URL, init: RequestInit = {}) => {
        const headers = new Headers(init.headers as Record<string, string>);
        for (const [name, value] of ours) headers.set(name, value);
        return undiciFetch(input, { ...init, headers: Object.fromEntries(headers), dispatcher: agent });
      }) as unknown as typeof fetch;
    },
  };
}

/** Whether a process is there; a zombie is none. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const state = existsSync('/proc/self/stat') && /^.*\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    return state !== 'Z';
  } catch {
    return false;
  }
}

/** Waits until it is so; the test's own time limit is the limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

export interface Session {
  readonly id: string;
  /** A JSON-RPC request, raw. */
  post(message: object, init?: { headers?: Record<string, string>; signal?: AbortSignal }): Promise<Response>;
  /** The value that a tool of the scripted server answers, or its JSON-RPC error. */
  call<T = unknown>(name: string, args?: object, id?: number | string): Promise<T>;
}

export const url = 'http://stdio.localhost/mcp';
export const posted = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

export function initializeOf(version = '2025-11-25', capabilities: object = {}): object {
  const clientInfo = { name: 'raw', version: '1' };
  return {
    jsonrpc: '2.0',
    id: 'init',
    method: 'initialize',
    params: { protocolVersion: version, capabilities, clientInfo },
  };
}

/** A session by plain requests. */
export async function begin(send: typeof fetch, capabilities: object = {}): Promise<Session> {
  const initialize = JSON.stringify(initializeOf(undefined, capabilities));
  const begun = await send(url, { method: 'POST', headers: posted, body: initialize });
  const id = begun.headers.get('mcp-session-id');
  if (begun.status !== 200 || id === null) throw new Error(`${begun.status} ${await begun.text()}`);
  await begun.text();
  const session: Session = {
    id,
    post: (message, { headers = {}, signal } = {}) =>
      send(url, {
        method: 'POST',
        headers: { ...posted, 'mcp-session-id': id, ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
        ...(signal && { signal }),
      }),
    async call(name, args = {}, requestId = 1) {
      const answer = await session.post({ id: requestId, method: 'tools/call', params: { name, arguments: args } });
      const messages = await messagesOf(answer);
      const last = messages.at(-1) as { result?: { content: Array<{ text: string }> }; error?: unknown };
      if (!last.result) throw Object.assign(new Error(JSON.stringify(last)), { status: answer.status, messages });
      return JSON.parse(last.result.content[0]?.text ?? 'null');
    },
  };
  await (await session.post({ method: 'notifications/initialized' })).text();
  return session;
}

/** Every message of an answer, JSON or events. */
export async function messagesOf(answer: Response): Promise<Array<Record<string, unknown>>> {
  const text = await answer.text();
  if (answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data as string));
  }
  return text === '' ? [] : [JSON.parse(text)];
}
