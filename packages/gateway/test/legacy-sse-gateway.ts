/** A server of HTTP+SSE made with the SDK that clients of its day were made with, and resources in front of such targets. */

import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isReply, type KeyringSecret, keyring, requestTarget, sendReply } from '@mcp-gatehouse/auth';
import { firstOf } from '@mcp-gatehouse/auth/foreign-tokens/first-of';
import { guard } from '@mcp-gatehouse/auth/guard';
import { writeIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { dangerouslyStaticToken } from '@mcp-gatehouse/auth/static-token';
import { type ToolRules, toolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import * as z from 'zod';
import { problem } from '../src/problem.ts';
import { forward, type Outcome } from '../src/proxy/forward.ts';
import { legacySse, readableStream, unknownEndpoint } from '../src/proxy/legacy-sse.ts';
import { openTarget } from '../src/proxy/target.ts';
import { admit } from '../src/tool-policy/admit.ts';
import { answerFilter } from '../src/tool-policy/answer-filter.ts';
import { messageRoom } from '../src/tool-policy/message-room.ts';

export interface LegacyServer {
  /** Where its stream is opened. */
  readonly url: string;
  /** Resolves once no stream is open. */
  untilDeserted(): Promise<void>;
  /** Of every message that was posted: where to, and who it was said to be from. */
  readonly posted: Array<{ readonly url: string; readonly subject: string | undefined; readonly method: string }>;
  close(): Promise<void>;
}

export async function startLegacyServer(): Promise<LegacyServer> {
  const sessions = new Map<string, SSEServerTransport>();
  const posted: LegacyServer['posted'] = [];
  const left = new EventEmitter();
  const serve = async (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? '/', 'http://target');
    if (req.method === 'GET' && url.pathname === '/sse') {
      const transport = new SSEServerTransport('/message?kind=mcp', res);
      sessions.set(transport.sessionId, transport);
      res.once('close', () => {
        sessions.delete(transport.sessionId);
        left.emit('left');
      });
      await toolServer().connect(transport);
      return;
    }
    const transport = sessions.get(url.searchParams.get('sessionId') ?? '');
    if (req.method !== 'POST' || url.pathname !== '/message' || !transport) return void res.writeHead(404).end();
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const message = JSON.parse(Buffer.concat(chunks).toString()) as { method?: string };
    const subject = req.headers['x-gatehouse-subject'];
    posted.push({ url: req.url ?? '', subject: subject?.toString(), method: message.method ?? 'response' });
    await transport.handlePostMessage(req, res, message);
  };
  const server = createServer((req, res) => void serve(req, res));
  return {
    ...(await listening(server, '/sse')),
    posted,
    async untilDeserted() {
      while (sessions.size > 0) await once(left, 'left');
    },
  };
}

function toolServer(): McpServer {
  const server = new McpServer({ name: 'legacy', version: '1' });
  const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] });
  server.registerTool('search', { inputSchema: { q: z.string() } }, ({ q }) => text(`found ${q}`));
  server.registerTool('store', {}, () => text('stored'));
  server.registerTool('repeat', { inputSchema: { times: z.number() } }, ({ times }) => text('ä'.repeat(times)));
  server.registerTool('count', {}, async ({ _meta, sendNotification }) => {
    for (const progress of [1, 2, 3]) {
      const params = { progressToken: _meta?.progressToken ?? 0, progress, total: 3 };
      await sendNotification({ method: 'notifications/progress', params });
      // Answered, so heard: the SDKs forget who waits for progress as soon as the result is there.
      await server.server.ping();
    }
    return text('counted');
  });
  server.registerTool('ask', {}, async () => {
    const { action, content } = await server.server.elicitInput({
      message: 'Your name?',
      requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
    });
    return text(`${action}: ${content?.name}`);
  });
  return server;
}

export const publicPath = '/files/sse';
export const secrets: readonly KeyringSecret[] = [{ id: 'k1', secret: 'the-first-secret-of-the-operator-0123456789' }];

/** Two people, and two clients of the first. */
const callers = {
  ada: { subject: 'ada', clientId: 'claude', scope: ['read', 'write'] },
  adaElsewhere: { subject: 'ada', clientId: 'cursor', scope: ['read', 'write'] },
  bob: { subject: 'bob', clientId: 'claude', scope: ['read'] },
} as const;
export type Caller = keyof typeof callers;
export const tokenOf = (caller: Caller) => `token-of-${caller}-0123456789`;

export interface LegacyGateway {
  readonly port: number;
  readonly url: string;
  /** What became of each request, in order. */
  readonly outcomes: Outcome[];
  close(): Promise<void>;
}

export interface LegacyGatewayOptions {
  /** Where the target's stream is opened. */
  readonly target: string;
  readonly secrets?: readonly KeyringSecret[];
  readonly tools?: ToolRules;
  /** Of the resource; `publicPath` unless given. */
  readonly path?: string;
}

/** The real guard, proxy and tool policy, and of the rest of a gateway nothing; its issuer is one for all instances. */
export async function startLegacyGateway(options: LegacyGatewayOptions): Promise<LegacyGateway> {
  const { path = publicPath } = options;
  const issuer = 'http://localhost:1';
  const resource = { uri: `${issuer}${path}`, scopes: { read: 'read', write: 'write' } };
  const verifiers = Object.entries(callers).map(([name, { clientId, ...holds }]) => {
    const token = tokenOf(name as Caller);
    const verify = dangerouslyStaticToken({ token, issuer, resource: resource.uri, now: () => 0, ...holds });
    return async (presented: string) => ({ ...(await verify(presented)), clientId });
  });
  const judge = guard({ resource, verify: firstOf(...verifiers) });
  const target = openTarget({ url: options.target });
  const seal = keyring(issuer, options.secrets ?? secrets);
  const sse = legacySse({ publicPath: path, target: target.url, seal });
  const policy = options.tools && toolPolicy({ tools: options.tools, scopes: ['read', 'write'] });
  const room = messageRoom({ total: 1e8, perPerson: 1e8 });
  const maxBytes = 8 * 1024 * 1024;
  const outcomes: Outcome[] = [];

  const serve = async (req: IncomingMessage, res: ServerResponse) => {
    const token = await judge(req.headers);
    if (isReply(token)) return sendReply(req, res, token);
    const { path: asked, query } = requestTarget(req);
    const half = req.method === 'POST' && asked === sse.messagePath ? 'messages' : 'stream';
    const at = half === 'messages' ? sse.targetPathOf(query, token) : target.url.pathname;
    if (at === undefined) return sendReply(req, res, problem(404, 'unknown_endpoint', unknownEndpoint));
    const resourceMetadata = `${issuer}/.well-known/oauth-protected-resource${path}`;
    const admitted = policy && (await admit(req, { policy, token, resourceMetadata, maxBytes, room }));
    if (admitted?.refused) return sendReply(req, res, 'reply' in admitted.refused ? admitted.refused.reply : fault);
    const { rewrite: filter, inPlace, ...exchange } = admitted?.exchange ?? {};
    // A list is answered on the stream; what a target writes in answer to the message itself need not be one.
    const unlisted = policy && filter && answerFilter({ policy, token, maxBytes, expected: 'replay' });
    const rewrite = half === 'stream' ? sse.rewriteFor(token, filter) : unlisted;
    const outcome = await forward({
      ...{
        req,
        res,
        target,
        path: at,
        identity: writeIdentityHeaders(token),
        publicOrigin: issuer,
        requestId: 'r',
        maxBodyBytes: maxBytes,
      },
      extraHeaders: {},
      ...exchange,
      ...(rewrite && { rewrite }),
      inPlace: { ...inPlace, ...(half === 'stream' && readableStream) },
    });
    admitted?.done();
    outcomes.push(outcome);
    if (!res.headersSent && !res.destroyed) sendReply(req, res, fault);
  };
  const server = createServer((req, res) => void serve(req, res));
  const { url, close } = await listening(server, path);
  return {
    port: Number(new URL(url).port),
    url,
    outcomes,
    async close() {
      await close();
      await target.close();
    },
  };
}

const fault = problem(502, 'target_unreadable', 'The target answered what cannot be passed on.');

async function listening(server: Server, path: string): Promise<{ url: string; close: () => Promise<void> }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}${path}`,
    async close() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}
