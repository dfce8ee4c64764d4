/** The MCP endpoint of the peers on the SDK v1: stateless, with one tool, behind whatever the peer mounted before it. */
import { createRequire } from 'node:module';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

/** The little of Express that the peers use; it comes with the SDK, without types. */
export interface Application {
  use(...handlers: readonly unknown[]): void;
  post(path: string, ...handlers: readonly unknown[]): void;
  all(path: string, ...handlers: readonly unknown[]): void;
  listen(port: number, host: string, listening: () => void): void;
}

interface Express {
  (): Application;
  json(): unknown;
}

export const express = createRequire(import.meta.resolve('@modelcontextprotocol/sdk/server/auth/router.js'))(
  'express',
) as Express;

type Handled = Parameters<StreamableHTTPServerTransport['handleRequest']>;

export function mountMcp(app: Application): void {
  app.post('/mcp', express.json(), async (req: Handled[0] & { readonly body: unknown }, res: Handled[1]) => {
    const server = new McpServer({ name: 'peer', version: '1.0.0' });
    server.registerTool('hello', { description: 'Says hello' }, async () => ({
      content: [{ type: 'text', text: 'hello' }],
    }));
    const transport = new StreamableHTTPServerTransport({});
    await server.connect(transport as Transport);
    await transport.handleRequest(req, res, req.body);
  });
  app.all('/mcp', (_: unknown, res: Handled[1]) => res.writeHead(405, { allow: 'POST' }).end());
}
