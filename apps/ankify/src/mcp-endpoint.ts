/** `POST /mcp`: who calls (the gateway's identity headers), what they sent (bounded, UTF-8, JSON), then the MCP server. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { type AuthInfo, createMcpHandler, McpServer, validateHostHeader } from '@modelcontextprotocol/server';
import type { Shelf } from './decks/shelf.ts';
import { registerConvertTable, registerCreateDeck } from './tools/create-deck.ts';
import { registerDeleteDeck, registerExportDeck } from './tools/export-deck.ts';
import { registerGetDeck, registerListDecks } from './tools/read-decks.ts';
import type { ToolContext } from './tools/tool-context.ts';

/** Twice a full deck: its JSON may come with every non-ASCII letter escaped. */
export const maxBodyBytes = 768 * 1024;
/** A full deck with every tag it may have, and some air. */
const maxInputElements = 10_000;
/** Arguments are five deep; the rest is for the metadata of protocol extensions. */
const maxDepth = 32;
/** The subject names records; beyond this it is none of the gateway's. */
const maxSubjectBytes = 512;

export interface McpEndpointOptions {
  readonly shelf: Shelf;
  readonly link: ToolContext['link'];
  readonly log: ToolContext['log'];
  /** Of the gateway; absent: the process is reachable from this machine only. */
  readonly secret?: string;
  /** Names this process may be called by when there is no secret. */
  readonly hostnames: readonly string[];
}

export interface McpEndpoint {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

export function createMcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const owner = authInfo?.extra?.subject;
      if (typeof owner !== 'string') throw new Error('the MCP handler was reached without an identity');
      return createServer({ owner, shelf: options.shelf, link: options.link, log: options.log });
    },
    // Reporting only; what it reports was answered as a 4xx, unless the error names a fault.
    { onerror: (error) => options.log({ event: 'mcp.refused', error: error.message.slice(0, 300) }) },
  );
  const serve = toNodeHandler(handler);
  return {
    async handle(request, response) {
      const refused = refuseStranger(request, options);
      if (refused) return reply(response, refused.status, refused.body);
      const identity = readIdentityHeaders(request.headers, options.secret);
      if (!identity || Buffer.byteLength(identity.subject) > maxSubjectBytes) {
        return reply(response, 401, {
          error: 'unauthorized',
          error_description:
            'The request has no identity. Ankify is reached through its gateway, which signs users in.',
        });
      }
      const body = await readJson(request);
      if ('status' in body) return reply(response, body.status, rpcError(body));
      const auth: AuthInfo = {
        token: '', // it stays at the gateway
        clientId: identity.clientId,
        scopes: identity.scope.slice(),
        extra: { subject: identity.subject },
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
  registerCreateDeck(server, context);
  registerConvertTable(server, context);
  registerListDecks(server, context);
  registerGetDeck(server, context);
  registerExportDeck(server, context);
  registerDeleteDeck(server, context);
  return server;
}

const instructions =
  'Ankify makes Anki flashcard decks. You write the cards; Ankify packs them into an .apkg file with speech, keeps ' +
  'the deck for the user and returns a download link. Give the link to the user.';

/**
 * With a secret, only who knows it passes. Without, the name the process was called by must be a local one: a web page
 * whose name was rebound to 127.0.0.1 (DNS rebinding) could otherwise write identity headers of its own.
 */
function refuseStranger({ headers }: IncomingMessage, { secret, hostnames }: McpEndpointOptions) {
  if (secret !== undefined) {
    const given = headers['x-gatehouse-secret'];
    if (typeof given === 'string' && sameSecret(given, secret)) return undefined;
    return { status: 403, body: forbidden('The request did not come through the gateway.') };
  }
  if (validateHostHeader(headers.host, [...hostnames]).ok) return undefined;
  return { status: 403, body: forbidden('This server does not go by the name in the Host header.') };
}

function forbidden(description: string) {
  return { error: 'forbidden', error_description: description };
}

function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

interface Unreadable {
  readonly status: 400 | 413;
  readonly code: number;
  readonly message: string;
}

/** JSON-RPC 2.0 §5.1; an oversized body has the code that the SDK gives it. */
const parseError = -32_700;
const invalidRequest = -32_600;
const tooLarge = -32_000;

/** Strict where the SDK is lenient: broken UTF-8 would be stored as U+FFFD, and a card's text be lost in silence. */
async function readJson(request: IncomingMessage): Promise<{ readonly value: unknown } | Unreadable> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read on for a while: a connection closed on a sender is an error there, not an answer.
    if (length > 16 * maxBodyBytes) break;
    if (length <= maxBodyBytes) chunks.push(chunk);
  }
  if (length > maxBodyBytes)
    return { status: 413, code: tooLarge, message: `The body is larger than ${maxBodyBytes} bytes` };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return { status: 400, code: parseError, message: 'Parse error: the body is not UTF-8' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { status: 400, code: parseError, message: 'Parse error: the body is not JSON' };
  }
  // The SDK walks the message by recursion; a nest deep enough to overflow the stack would come back as our fault.
  if (isDeeper(value, maxDepth)) {
    return { status: 400, code: invalidRequest, message: `The body is nested more than ${maxDepth} deep` };
  }
  return { value };
}

function isDeeper(value: unknown, depth: number): boolean {
  let level = [value];
  for (let at = 0; at <= depth; at++) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}

/** Without an id: it was not looked for in a body that cannot be trusted. */
function rpcError({ code, message }: Unreadable) {
  return { jsonrpc: '2.0', id: null, error: { code, message } };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(status === 413 && { connection: 'close' }),
  });
  response.end(JSON.stringify(body));
}
