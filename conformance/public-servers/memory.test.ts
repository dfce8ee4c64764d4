/** `@modelcontextprotocol/server-memory`, which speaks stdio alone: one command, and what one client stores another finds. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { connectSdk, type Inspector, startInspector } from './clients.ts';
import { type Protected, protect, serverFile } from './protect.ts';

let folder: string;
let memory: string;
let server: Protected;
let inspector: Inspector | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'memory-'));
  memory = join(folder, 'memory.jsonl');
  const command = [process.execPath, serverFile('@modelcontextprotocol/server-memory')];
  // Nothing of our environment reaches it, so its one setting stands in the command.
  server = await protect(['--', 'env', `MEMORY_FILE_PATH=${memory}`, ...command]);
});
afterAll(async () => {
  await inspector?.remove();
  expect(await server?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

it('remembers what it was told, and another client of the person finds it', { timeout: 60_000 }, async () => {
  onTestFailed(() => console.error(server.output()));
  const { client } = await connectSdk(server, 'http');
  const ada = { name: 'Ada', entityType: 'person', observations: ['wrote the first program'] };
  const created = await client.callTool({ name: 'create_entities', arguments: { entities: [ada] } });
  expect(created.structuredContent).toEqual({ entities: [ada] });
  const relation = { from: 'Ada', to: 'Babbage', relationType: 'worked with' };
  await client.callTool({ name: 'create_relations', arguments: { relations: [relation] } });
  await client.close();
  expect(readFileSync(memory, 'utf8')).toContain('wrote the first program');

  inspector = await startInspector(server, 'http');
  const found = await inspector.ask('--method', 'tools/call', '--tool-name', 'search_nodes', '--tool-arg', 'query=Ada');
  expect(found.structuredContent).toEqual({ entities: [ada], relations: [relation] });
});
