/**
 * The MCP server that the official suite's `server` scenarios are written for: they call tools, prompts and resources by
 * name. It checks neither Host, Origin nor tokens, so that whatever a scenario finds guarded was guarded by the gateway.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  completable,
  createMcpHandler,
  fromJsonSchema,
  type McpHttpHandler,
  McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { registerInputTools, stateCodec } from './fixture-input.ts';

export interface FixtureServer {
  /** The MCP endpoint. */
  readonly url: string;
  close(): Promise<void>;
}

export async function startFixtureServer(): Promise<FixtureServer> {
  const handler: McpHttpHandler = createMcpHandler(() => fixture(handler), { legacy: 'stateless' });
  const serve = toNodeHandler(handler);
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const body = () => request[Symbol.asyncIterator]();
    void serve({ method, url, headers, [Symbol.asyncIterator]: body }, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      await handler.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function fixture(handler: McpHttpHandler): McpServer {
  const server = new McpServer(
    { name: 'gatehouse-conformance-fixture', version: '1.0.0' },
    {
      capabilities: {
        logging: {},
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
      },
      requestState: { verify: stateCodec.verify },
    },
  );
  registerContentTools(server);
  registerSchemaTools(server);
  registerNotifyingTools(server, handler);
  registerInputTools(server);
  registerPrompts(server);
  registerResources(server);
  return server;
}

/** One red pixel. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
/** Four samples of silence: RIFF, `fmt ` (PCM, mono, 8 kHz, 8 bits), `data`. */
const wav = Buffer.concat([
  Buffer.from('RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0', 'latin1'),
  Buffer.from([0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0]),
  Buffer.from('data\x04\0\0\0', 'latin1'),
  Buffer.alloc(4, 0x80),
]).toString('base64');

const text = (words: string) => ({ type: 'text' as const, text: words });
const image = { type: 'image' as const, data: png, mimeType: 'image/png' };
const embedded = (uri: string, mimeType: string, words: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType, text: words },
});

function registerContentTools(server: McpServer): void {
  server.registerTool('test_simple_text', { description: 'Answers with one line of text.' }, () => ({
    content: [text('This is a simple text response for testing.')],
  }));
  server.registerTool('test_image_content', { description: 'Answers with a picture.' }, () => ({ content: [image] }));
  server.registerTool('test_audio_content', { description: 'Answers with a sound.' }, () => ({
    content: [{ type: 'audio', data: wav, mimeType: 'audio/wav' }],
  }));
  server.registerTool('test_embedded_resource', { description: 'Answers with a resource inside.' }, () => ({
    content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  }));
  server.registerTool('test_multiple_content_types', { description: 'Answers with three kinds of content.' }, () => ({
    content: [
      text('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  }));
  server.registerTool('test_error_handling', { description: 'Always fails.' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
}

function registerSchemaTools(server: McpServer): void {
  server.registerTool(
    'json_schema_2020_12_tool',
    {
      description: 'Has an input schema with the vocabulary of JSON Schema 2020-12.',
      inputSchema: fromJsonSchema({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        $defs: {
          address: {
            $anchor: 'addressDef',
            type: 'object',
            properties: { street: { type: 'string' }, city: { type: 'string' } },
          },
        },
        properties: {
          name: { type: 'string' },
          address: { $ref: '#/$defs/address' },
          contactMethod: { type: 'string', enum: ['phone', 'email'] },
          phone: { type: 'string' },
          email: { type: 'string' },
        },
        allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
        if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
        // biome-ignore lint/suspicious/noThenProperty: it is a JSON Schema keyword
        then: { required: ['phone'] },
        else: { required: ['email'] },
        additionalProperties: false,
      }),
    },
    () => ({ content: [text('ok')] }),
  );
  server.registerTool(
    'test_header_parameter',
    {
      description: 'Has a parameter that is repeated in a request header (SEP-2243).',
      inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }),
    },
    ({ region }) => ({ content: [text(`region ${region}`)] }),
  );
}

function registerNotifyingTools(server: McpServer, handler: McpHttpHandler): void {
  const pauseMs = 50;
  server.registerTool('test_tool_with_logging', { description: 'Logs three lines while it works.' }, async (ctx) => {
    await ctx.mcpReq.log('info', 'Tool execution started');
    await sleep(pauseMs);
    await ctx.mcpReq.log('info', 'Tool processing data');
    await sleep(pauseMs);
    await ctx.mcpReq.log('info', 'Tool execution completed');
    return { content: [text('Logged three lines.')] };
  });
  server.registerTool('test_logging_tool', { description: 'Logs one line.' }, async (ctx) => {
    await ctx.mcpReq.log('info', 'one line');
    return { content: [text('Logged one line.')] };
  });
  server.registerTool('test_tool_with_progress', { description: 'Tells how far it is.' }, async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progress > 0) await sleep(pauseMs);
      if (progressToken !== undefined) {
        await ctx.mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken, progress, total: 100 },
        });
      }
    }
    return { content: [text('Done.')] };
  });
  server.registerTool('test_trigger_tool_change', { description: 'Says that the tools changed.' }, () => {
    handler.notify.toolsChanged();
    return { content: [text('Said so.')] };
  });
  server.registerTool('test_trigger_prompt_change', { description: 'Says that the prompts changed.' }, () => {
    handler.notify.promptsChanged();
    return { content: [text('Said so.')] };
  });
}

function registerPrompts(server: McpServer): void {
  const user = <C>(content: C) => ({ role: 'user' as const, content });
  server.registerPrompt('test_simple_prompt', { description: 'One message.' }, () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }));
  const argument = () =>
    completable(z.string(), (typed) => ['test', 'testing'].filter((word) => word.startsWith(typed)));
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'One message with two arguments in it.',
      argsSchema: z.object({ arg1: argument(), arg2: argument() }),
    },
    ({ arg1, arg2 }) => ({ messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'A resource and a question about it.', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        user(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'A picture and a question about it.' }, () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }));
}

function registerResources(server: McpServer): void {
  const plain = { description: 'A text.', mimeType: 'text/plain' };
  server.registerResource('static-text', 'test://static-text', plain, ({ href }) => ({
    contents: [{ uri: href, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
  }));
  const picture = { description: 'A picture.', mimeType: 'image/png' };
  server.registerResource('static-binary', 'test://static-binary', picture, ({ href }) => ({
    contents: [{ uri: href, mimeType: 'image/png', blob: png }],
  }));
  server.registerResource('watched', 'test://watched-resource', plain, ({ href }) => ({
    contents: [{ uri: href, mimeType: 'text/plain', text: 'Watched.' }],
  }));
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'What belongs to an id.', mimeType: 'application/json' },
    ({ href }, { id }) => ({
      contents: [
        {
          uri: href,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
  // Revisions to 2025-11-25: a stateless server remembers nobody's subscription, and accepts it all the same.
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
}
