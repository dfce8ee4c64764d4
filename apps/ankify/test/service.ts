/** A started Ankify with a clock in the test's hand, and real MCP clients of both protocol eras that call it. */
import { randomBytes } from 'node:crypto';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import type { Records } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { type CallToolResult, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type ServerRecords, serverKinds } from '../src/rooms.ts';
import { type Ankify, startAnkify } from '../src/server.ts';
import type { LogEvent } from '../src/tools/tool-context.ts';

export const secret = 'a-secret-of-the-gateway';
export const publicUrl = 'https://gate.example/ankify';
export const bothScopes = ['generate_deck', 'list_decks'];
export const eras = ['modern', 'legacy'] as const;
export type Era = (typeof eras)[number];

export interface Service {
  readonly ankify: Ankify;
  readonly records: Records<ServerRecords>;
  readonly clock: { seconds: number };
  readonly events: LogEvent[];
  /** The headers the gateway would write for this user. */
  headers(user: string, scope?: readonly string[]): Record<string, string>;
  client(user: string, options?: { era?: Era; scope?: readonly string[] }): Promise<ToolClient>;
  /** Follows a download link the way the gateway would. */
  download(link: string, method?: string): Promise<Response>;
  close(): Promise<void>;
}

export interface ToolClient {
  readonly mcp: Client;
  call(tool: string, input: Record<string, unknown>): Promise<Answer>;
}

export interface Answer {
  readonly isError: boolean;
  /** All text parts. */
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of it.
  readonly data: any;
  readonly content: CallToolResult['content'];
}

export async function startService(
  given: { records?: Records<ServerRecords>; linkKey?: Uint8Array } = {},
): Promise<Service> {
  const clock = { seconds: 1_795_000_000 };
  const now = () => clock.seconds;
  const records = given.records ?? memoryRecords<ServerRecords>({ kinds: serverKinds, now });
  const events: LogEvent[] = [];
  const ankify = await startAnkify({
    records,
    publicUrl,
    secret,
    linkKey: given.linkKey ?? randomBytes(32),
    now,
    log: (event) => events.push(event),
  });
  const clients: Client[] = [];
  const headers: Service['headers'] = (user, scope = bothScopes) =>
    Object.fromEntries(
      writeIdentityHeaders(
        { subject: user, clientId: 'test-client', scope } as Parameters<typeof writeIdentityHeaders>[0],
        secret,
      ),
    );
  return {
    ankify,
    records,
    clock,
    events,
    headers,
    async client(user, { era = 'modern', scope } = {}) {
      const mcp = new Client(
        { name: 'test', version: '1' },
        { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
      );
      const requestInit = { headers: headers(user, scope) };
      await mcp.connect(new StreamableHTTPClientTransport(new URL(`${ankify.url}/mcp`), { requestInit }));
      clients.push(mcp);
      return { mcp, call: (tool, input) => call(mcp, tool, input) };
    },
    download(link, method = 'GET') {
      if (!link.startsWith(`${publicUrl}/`)) throw new Error(`not a link of ours: ${link}`);
      return fetch(ankify.url + link.slice(publicUrl.length), { method });
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await ankify.close();
      await records.close();
    },
  };
}

async function call(mcp: Client, name: string, input: Record<string, unknown>): Promise<Answer> {
  const result = (await mcp.callTool({ name, arguments: input })) as CallToolResult;
  const text = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  return { isError: result.isError === true, text, data: result.structuredContent, content: result.content };
}

export const animals = {
  name: 'Sprachen::Deutsch',
  note_type: 'reversed',
  front_language: 'de',
  back_language: 'English',
  cards: [
    { front: 'Hund', back: 'dog', tags: ['pet', 'top 10'] },
    { front: 'Katze', back: 'cat', extra: 'die Katze' },
    { front: 'Maus', back: 'mouse' },
  ],
};
