/** A server of the official SDK on stdio, for MCP 2026-07-28 and, unless told `--modern-only`, the revisions before it. */
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod/v4';

const stopped: string[] = [];

serveStdio(
  () => {
    const server = new McpServer({ name: 'both', version: '1' }, { capabilities: { tools: { listChanged: true } } });
    const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] });
    server.registerTool('about', { inputSchema: z.object({}) }, () =>
      text({ pid: process.pid, subject: process.env.GATEHOUSE_SUBJECT, stopped }),
    );
    server.registerTool('wait', { inputSchema: z.object({ name: z.string() }) }, async ({ name }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      if (progressToken !== undefined) {
        await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 0 } });
      }
      await new Promise<void>((resolve) => {
        const timer = setInterval(() => {}, 1000);
        ctx.mcpReq.signal.addEventListener('abort', () => {
          clearInterval(timer);
          stopped.push(name);
          resolve();
        });
      });
      return text('stopped');
    });
    server.registerTool('count', { inputSchema: z.object({ to: z.number() }) }, async ({ to }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (let progress = 1; progress <= to && progressToken !== undefined; progress++) {
        await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to } });
      }
      return text(to);
    });
    server.registerTool('greet', { inputSchema: z.object({}) }, async (_, ctx) => {
      const given = acceptedContent<{ name: string }>(ctx.mcpReq.inputResponses, 'who');
      if (given) return text(`hello ${given.name}`);
      return inputRequired({
        inputRequests: {
          who: inputRequired.elicit({
            message: 'Who are you?',
            requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
          }),
        },
      });
    });
    server.registerTool(
      'route',
      {
        inputSchema: z.object({
          region: z.string().meta({ 'x-mcp-header': 'Region' }),
          shard: z.optional(z.int().meta({ 'x-mcp-header': 'Shard' })),
        }),
      },
      ({ region, shard }) => text([region, shard]),
    );
    server.registerTool('grow', { inputSchema: z.object({ name: z.string() }) }, ({ name }) => {
      server.registerTool(name, { inputSchema: z.object({}) }, () => text(name));
      return text('grown');
    });
    return server;
  },
  { legacy: process.argv.includes('--modern-only') ? 'reject' : 'serve' },
);
