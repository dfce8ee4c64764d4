/** `@modelcontextprotocol/server-everything` in each of its forms, protected by one command and used by real clients through the whole flow. */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { answers, connectSdk, type Inspector, startInspector, type Transport, words } from './clients.ts';
import {
  type EverythingServer,
  operatorsSecret,
  type Protected,
  protect,
  serverFile,
  startEverything,
} from './protect.ts';

interface Form {
  readonly name: string;
  /** Of its own process, where it has one beside the gateway's. */
  readonly process?: 'streamableHttp' | 'sse';
  readonly transport: Transport;
  /** What stands behind `gatehouse serve --local --port N`. */
  command(url: string): readonly string[];
}

const forms: readonly Form[] = [
  {
    name: 'Streamable HTTP',
    process: 'streamableHttp',
    transport: 'http',
    command: (url) => ['--target', url],
  },
  {
    name: 'HTTP+SSE of 2024-11-05',
    process: 'sse',
    transport: 'sse',
    command: (url) => ['--path', '/sse', '--target', url, '--transport', 'sse'],
  },
  {
    name: 'stdio',
    transport: 'http',
    command: () => ['--', process.execPath, serverFile('@modelcontextprotocol/server-everything'), 'stdio'],
  },
];

describe.each(forms)('over $name', ({ process: form, transport, command }) => {
  let everything: EverythingServer | undefined;
  let server: Protected;
  let inspector: Inspector | undefined;

  beforeAll(async () => {
    everything = form && (await startEverything(form));
    server = await protect(command(everything?.url ?? ''));
  });
  afterAll(async () => {
    await inspector?.remove();
    expect(await server?.stop()).toBe(0);
    await everything?.stop();
  });
  const explain = () => onTestFailed(() => console.error(`${server.output()}\n${everything?.output()}`));

  it('nobody gets in without a token', async () => {
    const refused = await fetch(server.url, transport === 'sse' ? {} : { method: 'POST', body: '{}' });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('resource_metadata=');
  });

  it('the SDK v2 client uses it in every way', { timeout: 60_000 }, async () => {
    explain();
    const { client, asked } = await connectSdk(server, transport);
    expect(client.getServerVersion()).toMatchObject({ name: 'mcp-servers/everything' });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum', 'get-tiny-image']));

    expect(words(await client.callTool({ name: 'echo', arguments: { message: 'Grüße, 世界' } }))).toBe(
      'Echo: Grüße, 世界',
    );
    expect(words(await client.callTool({ name: 'get-sum', arguments: { a: 2.5, b: 40 } }))).toBe(
      'The sum of 2.5 and 40 is 42.5.',
    );
    const weather = await client.callTool({ name: 'get-structured-content', arguments: { location: 'Chicago' } });
    expect(weather.structuredContent).toEqual({ temperature: 36, conditions: 'Light rain / drizzle', humidity: 82 });

    const heard: unknown[] = [];
    const long = await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 0.8, steps: 4 } },
      { onprogress: ({ progress, total }) => heard.push([progress, total]) },
    );
    expect(words(long)).toBe('Long running operation completed. Duration: 0.8 seconds, Steps: 4.');
    // While it runs: what comes together with the answer the SDK may no longer listen to.
    expect(heard.length).toBeGreaterThan(0);
    expect(heard).toEqual([1, 2, 3, 4].slice(0, heard.length).map((progress) => [progress, 4]));

    const { content } = await client.callTool({ name: 'get-tiny-image' });
    const image = (content as Array<{ type: string; data?: string }>).find(({ type }) => type === 'image');
    expect(
      Buffer.from(image?.data ?? '', 'base64')
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');

    const resource = await client.readResource({ uri: 'demo://resource/dynamic/text/7' });
    expect(resource.contents[0]).toMatchObject({ mimeType: 'text/plain', text: expect.stringContaining('Resource 7') });
    const prompt = await client.getPrompt({ name: 'simple-prompt' });
    expect(prompt.messages).toHaveLength(1);

    expect(words(await client.callTool({ name: 'trigger-elicitation-request' }))).toContain(answers.elicitation.name);
    const sampled = await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'What is it?' } });
    expect(words(sampled)).toContain(answers.sampling);
    expect(asked).toEqual([expect.stringContaining('provide inputs'), expect.stringContaining('What is it?')]);

    const refused = await client.callTool({ name: 'get-sum', arguments: { a: 'no number' } });
    expect(refused.isError).toBe(true);
    // Whatever it was told of its surroundings, nothing of ours is in it.
    expect(words(await client.callTool({ name: 'get-env' }))).not.toContain(operatorsSecret);
    await client.close();
  });

  it('two clients at once each hear what is theirs', { timeout: 60_000 }, async () => {
    explain();
    const clients = await Promise.all([connectSdk(server, transport), connectSdk(server, transport)]);
    const heard = await Promise.all(
      clients.map(async ({ client }, index) => {
        const said = Array.from({ length: 20 }, (_, turn) => `client ${index}, turn ${turn}`);
        const echoed = await Promise.all(
          said.map((message) => client.callTool({ name: 'echo', arguments: { message } })),
        );
        return echoed.map((one) => words(one));
      }),
    );
    for (const [index, echoed] of heard.entries()) {
      expect(echoed).toEqual(Array.from({ length: 20 }, (_, turn) => `Echo: client ${index}, turn ${turn}`));
    }
    await Promise.all(clients.map(({ client }) => client.close()));
  });

  it('the Inspector uses it', { timeout: 60_000 }, async () => {
    explain();
    inspector = await startInspector(server, transport);
    const { tools } = (await inspector.ask('--method', 'tools/list')) as { tools: Array<{ name: string }> };
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum']));
    const call = (name: string, ...args: string[]) =>
      (inspector as Inspector).ask('--method', 'tools/call', '--tool-name', name, ...args);
    expect(words(await call('get-sum', '--tool-arg', 'a=2', 'b=3'))).toBe('The sum of 2 and 3 is 5.');
    const read = await inspector.ask('--method', 'resources/read', '--uri', 'demo://resource/dynamic/text/2');
    expect(read.contents).toMatchObject([{ mimeType: 'text/plain' }]);
  });
});
