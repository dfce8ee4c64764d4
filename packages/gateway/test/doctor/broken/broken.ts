/** What a broken server is: one change of the good one, and what the doctor must find at it, no more and no less. */

import type { ServerOptions } from 'node:https';
import { diagnose } from '../../../src/doctor/diagnose.ts';
import { type ExamineOptions, examine } from '../../../src/doctor/examine.ts';
import type { Diagnosis } from '../../../src/doctor/finding.ts';
import { readTypedUrl } from '../../../src/doctor/typed-url.ts';
import type { Change, GoodServer, Reply, Route } from './good-server.ts';
import { mcpPath } from './good-server.ts';

export interface Broken {
  /** What is wrong with it. */
  readonly is: string;
  readonly change?: Change;
  /** Before anything is asked. */
  readonly prepare?: (server: GoodServer) => void;
  /** As it is typed. */
  readonly typed?: (server: GoodServer) => string;
  /** The token of the operator. */
  readonly token?: (server: GoodServer) => string;
  readonly options?: Partial<ExamineOptions>;
  /** With these certificates, at https. */
  readonly tls?: ServerOptions;
  /** Every finding, but that the test’s own computer is not on the internet. */
  readonly finds: readonly string[];
  /** It is not even on this computer. */
  readonly elsewhere?: true;
}

export async function doctor(server: GoodServer, broken: Omit<Broken, 'is' | 'finds'> = {}): Promise<Diagnosis> {
  broken.prepare?.(server);
  if (broken.change) server.change = broken.change;
  const typed = readTypedUrl(broken.typed?.(server) ?? server.origin + mcpPath);
  if (typeof typed === 'string') throw new Error(typed);
  const facts = await examine({
    typed,
    token: broken.token?.(server),
    register: true,
    timeoutSeconds: 60,
    streamSeconds: 0,
    // The clock of the server: time passes when it says so.
    now: () => server.clock.ms,
    ...broken.options,
  });
  return diagnose(facts);
}

/** The same address for every name. */
export const namesHere: NonNullable<ExamineOptions['resolve']> = async () => [{ address: '127.0.0.1', family: 4 }];

/** Known by a public name. */
export function publicly(server: GoodServer): void {
  server.origin = `http://mcp.example.test:${server.port}`;
}

export function at(routes: Route | readonly Route[], change: Change): Change {
  return (reply, asked, server) => ([routes].flat().includes(asked.route) ? change(reply, asked, server) : undefined);
}

/** Members of a JSON answer, set or (undefined) taken away. */
export function members(changes: Readonly<Record<string, unknown>>): Change {
  return (reply) => (reply.status < 300 ? { ...reply, body: { ...(reply.body as object), ...changes } } : undefined);
}

export function headers(changes: Readonly<Record<string, string | undefined>>): Change {
  return (reply) => ({
    ...reply,
    headers: Object.fromEntries(
      Object.entries({ ...reply.headers, ...changes }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    ),
  });
}

export const answers =
  (status: number, body: unknown = '', more: Reply['headers'] = {}): Change =>
  () => ({
    status,
    headers: { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json', ...more },
    body,
  });

export const missing = (...routes: readonly Route[]): Change => at(routes, answers(404));

export const metadataRoutes = ['server-oauth', 'server-openid'] as const;
export const resourceRoutes = ['resource-path', 'resource-root'] as const;
/** Every message to the MCP endpoint. */
export const messages = ['initialize', 'discover', 'initialized', 'tools'] as const;
