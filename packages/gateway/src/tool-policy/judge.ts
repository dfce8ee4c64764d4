/** Whether a token may do what an MCP message asks for, and what is answered where it may not (RS-10; security.md rule 9). */
import type { IncomingMessage } from 'node:http';
import type { AccessToken, HttpReply } from '@mcp-gatehouse/auth';
import { insufficientScope } from '@mcp-gatehouse/auth/guard';
import type { ToolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import { type Message, type MessageFault, readMessage } from './message.ts';

export interface JudgeOptions {
  /** Without it every message that can be read in one way is allowed: it is read for its name alone. */
  readonly policy?: ToolPolicy | undefined;
  readonly token: AccessToken;
  readonly resourceMetadata: string;
}

/** For the log: `tool` is bounded and printable. */
interface Judged {
  readonly tool?: string;
  readonly method?: string;
}

export type Verdict =
  | (Judged & { readonly verdict: 'allowed'; readonly message: Message })
  | (Judged & {
      readonly verdict: 'denied' | 'refused';
      readonly reply: HttpReply;
      /** Private. */
      readonly reason: string;
    });

/**
 * Methods of MCP 2024-11-05 to 2026-07-28 that a client sends and that run no tool. Whatever is not here, tasks among it
 * (a task may be any tool's, and its result is the tool's), needs every scope: the next revision may run tools by it.
 */
const harmless = new Set([
  'completion/complete',
  'initialize',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
  'ping',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'server/discover',
  'subscriptions/listen',
  'tools/list', // its answer is filtered
]);

export function judge(body: Buffer, req: IncomingMessage, options: JudgeOptions): Verdict {
  const message = readMessage(body, req.headers);
  if ('status' in message) return { verdict: 'refused', reply: refusal(message), reason: message.reason };
  const { method, name } = message;
  // By the method and not by the id: a target may run a tool for a notification, too.
  const tool = method === 'tools/call' ? name : undefined;
  const judged: Judged = {
    ...(method !== undefined && { method: shown(method) }),
    ...(tool !== undefined && { tool: shown(tool) }),
  };
  const denial = denialOf(message, tool, options);
  if (!denial) return { ...judged, verdict: 'allowed', message };
  const { error, scope } = denial;
  const what = tool === undefined ? shown(method ?? '') : `the tool ${shown(tool)}`;
  const words =
    scope.length > 0 ? `${what} needs a token with the scope ${scope.join(' ')}.` : `${what}: ${error.message}`;
  const { resourceMetadata } = options;
  const data = {
    error: error.code,
    error_description: error.message,
    ...(scope.length > 0 && { scope: scope.join(' '), resource_metadata: resourceMetadata }),
  };
  return {
    ...judged,
    verdict: 'denied',
    reason: error.reason,
    reply: {
      status: 403,
      // No scope would help, so there is no challenge either: a client must not send the person to ask for one.
      headers: scope.length > 0 ? insufficientScope({ resourceMetadata, scope }).headers : plain,
      // In the SDKs a person reads the body of a 403, and programs a JSON-RPC error in it.
      body: errorText(message.id, { code: forbidden, message: words, data }),
    },
  };
}

function denialOf({ method }: Message, tool: string | undefined, { policy, token }: JudgeOptions) {
  if (!policy) return undefined;
  if (tool !== undefined) return policy.denial(token, tool);
  return method === undefined || harmless.has(method) ? undefined : policy.denialOfAny(token);
}

/** Of the codes that are an implementation's own (MCP 2026-07-28: -32000 to -32019). */
const forbidden = -32003;
const plain = { 'content-type': 'application/json', 'cache-control': 'no-store' } as const;

function refusal({ status, code, message, id }: MessageFault): HttpReply {
  return { status, headers: plain, body: errorText(id, { code, message }) };
}

/** A JSON-RPC error; without an id where none could be read, as Streamable HTTP has it. */
export function errorText(
  id: string | undefined,
  error: { readonly code: number; readonly message: string; readonly data?: unknown },
): string {
  return `{"jsonrpc":"2.0",${id === undefined ? '' : `"id":${id},`}"error":${JSON.stringify(error)}}`;
}

/** A name that a client chose, for the log and for words: bounded and printable. */
export function shown(name: string): string {
  return name.slice(0, 100).replace(/[^\x21-\x7e]/g, '?');
}
