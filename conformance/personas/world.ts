/** What the personas meet: the library behind `node:http`, a guarded MCP server, SQLite, and a user pool to sign in at. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { startLocalCognito } from 'local-cognito';
import {
  type AuthRecords,
  authKinds,
  cognito,
  type Gatehouse,
  type GatehouseOptions,
  gatehouse,
  isReply,
  type LogEvent,
  nodeHandler,
  protectedResourceMetadataUrl,
  sendReply,
} from '../../packages/auth/src/gatehouse.ts';
import { challenge } from '../../packages/auth/src/resource-server/challenge.ts';
import { toolPolicy } from '../../packages/auth/src/resource-server/tool-needs.ts';
import { sqliteRecords } from '../../packages/records/src/sqlite.ts';
import type { PersonOptions } from '../harness/person.ts';

export interface WorldOptions {
  /** Empty for an issuer at the root, or a path such as `/tenant1`. */
  readonly issuerPath?: string;
  /** Of the MCP endpoint; empty for a resource that is the bare origin. */
  readonly resourcePath?: string;
  readonly options?: Partial<GatehouseOptions>;
}

export interface World {
  readonly origin: string;
  readonly issuer: string;
  /** As the person types it, and the resource. */
  readonly mcp: string;
  /** Origins of the pages a person walks through. */
  readonly pages: readonly string[];
  readonly person: PersonOptions;
  readonly events: readonly LogEvent[];
  /** Names of the tools that were run. */
  readonly called: string[];
  /** The user pool goes away, in the middle of everything. */
  closePool(): Promise<void>;
  close(): Promise<void>;
}

const person = { username: 'ada', password: 'Correct-Horse-1' };
const scopes = { read: 'read your notes', write: 'change your notes' };

export async function startWorld({
  issuerPath = '',
  resourcePath = '/mcp',
  options,
}: WorldOptions = {}): Promise<World> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const app = { clientId: 'gatehouse', clientSecret: 'a0secret0of0the0app0client' };
  const pool = await startLocalCognito({
    config: {
      users: [{ ...person, email: 'ada@example.com' }],
      clients: [
        { ...app, callbackUrls: [`${origin}/callback`, `${origin}${issuerPath}/callback`], allowedScopes: ['openid'] },
      ],
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-personas-'));
  const records = sqliteRecords<AuthRecords>({ kinds: authKinds, file: join(folder, 'records.db') });
  const events: LogEvent[] = [];
  const auth = gatehouse({
    issuer: origin + issuerPath,
    resources: [{ uri: origin + resourcePath, name: 'Notes', scopes, defaultScope: ['read'] }],
    identityProvider: cognito({ ...app, userPoolId: pool.poolId, domain: pool.origin, issuerOrigin: pool.origin }),
    records,
    secrets: [{ id: 'k1', secret: 'an operator secret of thirty-two bytes or more' }],
    log: (event) => events.push(event),
    ...options,
  });
  const notes = startNotes();
  const endpoint = guardedEndpoint(auth, origin + resourcePath, notes.serve);
  const serveAuth = nodeHandler(auth);
  server.on('request', async (req: IncomingMessage, res: ServerResponse) => {
    if (await serveAuth(req, res)) return;
    if (req.url === (resourcePath || '/')) return endpoint(req, res);
    res.writeHead(404).end();
  });
  let poolClosed: Promise<void> | undefined;
  const world: World = {
    origin,
    issuer: origin + issuerPath,
    mcp: origin + resourcePath,
    pages: [origin, pool.origin],
    person,
    events,
    called: notes.called,
    closePool: () => (poolClosed ??= pool.close()),
    async close() {
      server.closeAllConnections();
      server.close();
      await Promise.all([once(server, 'close'), world.closePool(), notes.close()]);
      await records.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

type Serve = (req: IncomingMessage, body: Buffer, res: ServerResponse) => void;

/** What whoever mounts the library writes: preflight, guard, the scopes of a tool, the MCP server. */
function guardedEndpoint(auth: Gatehouse, resource: string, serve: Serve) {
  const guard = auth.guard(resource);
  const policy = toolPolicy({
    tools: { read_notes: { scope: 'read' }, write_notes: { scope: 'write' } },
    scopes: Object.keys(scopes),
  });
  const cors = {
    'access-control-allow-origin': '*',
    'access-control-allow-headers': 'authorization, content-type, mcp-protocol-version',
    'access-control-expose-headers': 'www-authenticate',
  };
  return async (req: IncomingMessage, res: ServerResponse) => {
    for (const [name, value] of Object.entries(cors)) res.setHeader(name, value);
    if (req.method === 'OPTIONS') return res.writeHead(204).end();
    const token = await guard(req.headers);
    if (isReply(token)) return sendReply(req, res, token);
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method, params } = body.length > 0 ? (JSON.parse(body.toString('utf8')) as ToolCall) : {};
    const denied = method === 'tools/call' ? policy.denial(token, params?.name ?? '') : undefined;
    if (!denied) return serve(req, body, res);
    const facts = { resourceMetadata: protectedResourceMetadataUrl(resource), scope: denied.scope };
    return sendReply(req, res, challenge(facts, denied.error));
  };
}

interface ToolCall {
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

/** An MCP server with two tools, for old and new clients. */
function startNotes() {
  const called: string[] = [];
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'notes', version: '1' });
      for (const name of ['read_notes', 'write_notes']) {
        server.registerTool(name, { description: `Does ${name}.` }, () => {
          called.push(name);
          return { content: [{ type: 'text', text: 'done' }] };
        });
      }
      return server;
    },
    { legacy: 'stateless' },
  );
  const serveNode = toNodeHandler(handler);
  const serve: Serve = ({ method = 'GET', url = '/', headers }, body, res) => {
    async function* read() {
      yield body;
    }
    void serveNode({ method, url, headers, [Symbol.asyncIterator]: read }, res);
  };
  return { called, serve, close: () => handler.close() };
}
