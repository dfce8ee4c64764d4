/** `POST /mcp`: who calls (the gateway's identity headers), what they sent (bounded, UTF-8, JSON), then the MCP server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { type AuthInfo, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { type CallerOptions, callerOf } from './http/caller.ts';
import { readJson, type Unreadable } from './http/json-body.ts';
import { registerPrompts } from './prompts/prompts.ts';
import { registerDeckResources } from './resources/decks.ts';
import { registerConvertTable, registerCreateDeck } from './tools/create-deck.ts';
import { registerEditDeck } from './tools/edit-deck.ts';
import { registerDeleteDeck, registerExportDeck } from './tools/export-deck.ts';
import { registerGenerateDeck } from './tools/generate-deck.ts';
import { registerGetJob } from './tools/get-job.ts';
import { registerGetDeck, registerListDecks } from './tools/read-decks.ts';
import type { ToolContext } from './tools/tool-context.ts';

/** Twice a full deck: its JSON may come with every non-ASCII letter escaped. */
export const maxBodyBytes = 768 * 1024;
/** A full deck with every tag it may have, and some air. */
const maxInputElements = 10_000;
/** Arguments are five deep; the rest is for the metadata of protocol extensions. */
const maxDepth = 32;

/** Without jobs this process does no long work: it neither records speech nor writes cards. */
export type McpEndpointOptions = CallerOptions & Omit<ToolContext, 'owner' | 'scopes'>;

export interface McpEndpoint {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

export function createMcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const { secret: _, hostnames: __, ...context } = options;
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const owner = authInfo?.extra?.subject;
      if (typeof owner !== 'string') throw new Error('the MCP handler was reached without an identity');
      return createServer({ ...context, owner, scopes: authInfo?.scopes ?? [] });
    },
    // Reporting only; what it reports was answered as a 4xx, unless the error names a fault.
    { onerror: (error) => options.log({ event: 'mcp.refused', error: error.message.slice(0, 300) }) },
  );
  const serve = toNodeHandler(handler);
  return {
    async handle(request, response) {
      const caller = callerOf(request, options);
      if ('status' in caller) {
        const error = caller.status === 401 ? 'unauthorized' : 'forbidden';
        return reply(response, caller.status, { error, error_description: caller.description });
      }
      const body = await readJson(request, { maxBytes: maxBodyBytes, maxDepth });
      if ('fault' in body) return reply(response, body.fault === 'too_large' ? 413 : 400, rpcError(body));
      const auth: AuthInfo = {
        token: '', // it stays at the gateway
        clientId: caller.clientId,
        scopes: caller.scope.slice(),
        extra: { subject: caller.subject },
      };
      // The body is read, the route known; a Host header that is no host name would only break the SDK's URL.
      const headers = { ...request.headers, host: 'localhost' };
      const read = { method: 'POST', url: '/mcp', headers, auth, [Symbol.asyncIterator]: () => nothing() };
      await serve(read, response, body.value);
    },
    close: () => handler.close(),
  };
}

async function* nothing(): AsyncGenerator<never> {}

/** The order in which a client shows them. */
function createServer(context: ToolContext): McpServer {
  const server = new McpServer(
    { name: 'ankify', title: 'Ankify', version: '0.1.0' },
    { instructions, maxToolInputElements: maxInputElements },
  );
  registerGenerateDeck(server, context);
  registerCreateDeck(server, context);
  registerConvertTable(server, context);
  registerEditDeck(server, context);
  registerListDecks(server, context);
  registerGetDeck(server, context);
  registerExportDeck(server, context);
  registerGetJob(server, context);
  registerDeleteDeck(server, context);
  registerPrompts(server);
  registerDeckResources(server, context);
  return server;
}

const instructions =
  'Ankify makes Anki flashcard decks. Write the cards yourself with create_deck, or have them written by generate_deck. ' +
  'Ankify packs them into an .apkg file with speech, keeps the deck for the user, who can have it changed at any time ' +
  'with edit_deck, and returns a download link: give it to the user. Long work answers with a job_id: call get_job with ' +
  'it until it is done.';

/** JSON-RPC 2.0 §5.1; an oversized body has the code that the SDK gives it. Without an id: the body cannot be trusted. */
function rpcError({ fault, message }: Unreadable) {
  const code = { too_large: -32_000, not_utf8: -32_700, not_json: -32_700, too_deep: -32_600 }[fault];
  const told = code === -32_700 ? `Parse error: ${message}` : message;
  return { jsonrpc: '2.0', id: null, error: { code, message: told } };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(status === 413 && { connection: 'close' }),
  });
  response.end(JSON.stringify(body));
}
