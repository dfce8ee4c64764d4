/** What an import costs: the guard pulls in no endpoint and no database, and nothing here pulls in the MCP SDK. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const packageFolder = fileURLToPath(new URL('../..', import.meta.url));

/** Every module that an import loads, in a process of its own: files below the package by their path, others as URLs. */
async function loadedBy(specifier: string): Promise<readonly string[]> {
  const script = `
    import { registerHooks } from 'node:module';
    const urls = new Set();
    registerHooks({ resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      urls.add(resolved.url);
      return resolved;
    } });
    await import(${JSON.stringify(specifier)});
    console.log(JSON.stringify([...urls]));`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: packageFolder });
  const here = new URL('../../', import.meta.url).href;
  const urls = JSON.parse(stdout) as string[];
  return urls.map((url) => (url.startsWith(here) ? url.slice(here.length) : url)).sort();
}

describe('importing', () => {
  it('the guard loads oauth/ and resource-server/, and nothing else', async () => {
    const loaded = await loadedBy('@mcp-gatehouse/auth/guard');
    expect(loaded).toContain('src/resource-server/guard.ts');
    const other = loaded.filter((url) => !/^src\/(oauth|resource-server)\/[a-z0-9-]+\.ts$/.test(url));
    expect(other).toEqual([]);
    // Listed, so that whoever adds one has to say so here.
    expect(loaded.filter((url) => url.startsWith('src/'))).toEqual([
      'src/oauth/claims.ts',
      'src/oauth/error.ts',
      'src/oauth/http.ts',
      'src/oauth/metadata.ts',
      'src/oauth/resource.ts',
      'src/resource-server/challenge.ts',
      'src/resource-server/grant-states.ts',
      'src/resource-server/guard.ts',
      'src/resource-server/verifier.ts',
    ]);
  });

  it('the identity headers load themselves', async () => {
    expect(await loadedBy('@mcp-gatehouse/auth/identity-headers')).toEqual([
      'node:crypto',
      'src/resource-server/identity-headers.ts',
    ]);
  });

  it('the reader of identity assertions loads oauth/ and resource-server/, and nothing that has to be installed', async () => {
    const loaded = await loadedBy('./src/resource-server/identity-assertion.ts');
    expect(loaded).toContain('src/resource-server/verifier.ts');
    expect(loaded.filter((url) => !/^(node:|src\/(oauth|resource-server)\/)/.test(url))).toEqual([]);
    expect(loaded.filter((url) => url.includes('guard') || url.includes('challenge'))).toEqual([
      'src/resource-server/challenge.ts',
    ]);
  });

  it('the whole library loads neither the MCP SDK nor a database nor a framework', async () => {
    const loaded = await loadedBy('@mcp-gatehouse/auth');
    expect(loaded).toContain('src/gatehouse.ts');
    expect(
      loaded.filter((url) =>
        /modelcontextprotocol|sqlite|\/(pg|ioredis|redis|hono|express|koa|zod|undici)\//.test(url),
      ),
    ).toEqual([]);
    const packages = new Set(loaded.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []));
    for (const name of packages) expect(['oauth4webapi', 'jose', '@mcp-gatehouse/records']).toContain(name);
    const records = loaded.filter((url) => url.includes('/packages/records/'));
    expect(records.map((url) => url.slice(url.lastIndexOf('/') + 1))).toEqual(['records.ts']);
  });
});
