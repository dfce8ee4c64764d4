/** The page at `/`: what stands in front of what, for a person with a browser; nothing of it can be turned against them. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { connectLines, shortName } from '../src/connect.ts';
import { type FrontPageFacts, frontPage } from '../src/front-page.ts';
import { startGateway } from './harness.ts';

async function shown(facts: FrontPageFacts): Promise<Response & { html: string }> {
  const server = createServer(frontPage(facts)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}/`);
  const html = await response.text();
  server.close();
  return Object.assign(response, { html });
}

const ankify = {
  name: 'Ankify',
  id: 'ankify',
  path: '/ankify/mcp',
  url: 'https://mcp.example/ankify/mcp',
  transport: 'http',
} as const;

describe('the page', () => {
  it('lists each server with its address and a line for each client', async () => {
    const notes = {
      name: 'Notes',
      id: 'notes',
      path: '/notes/mcp',
      url: 'https://mcp.example/notes/mcp',
      transport: 'http',
    } as const;
    const { status, html } = await shown({ connections: '/connections', servers: [ankify, notes] });
    expect(status).toBe(200);
    expect(html).toContain('2 MCP servers');
    for (const { name, url, path } of [ankify, notes]) {
      expect(html).toContain(`<h2>${name}</h2>`);
      expect(html).toContain(`<code>${url}</code>`);
      expect(html).toContain(`claude mcp add --transport http ${shortName(path)} ${url}`);
    }
  });

  it('shows a demo user only where there is one', async () => {
    expect((await shown({ connections: '/connections', servers: [ankify] })).html).not.toMatch(/demo|password/i);
    const local = await shown({
      connections: '/connections',
      servers: [ankify],
      demo: { username: 'demo', password: 'Pass-1<b>' },
    });
    expect(local.html).toContain('<strong>demo</strong>');
    expect(local.html).toContain('Pass-1&#60;b&#62;');
  });

  it.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onload='x",
    '</title><script>',
    '&lt;b&gt;',
  ])('the name %s is text', async (name) => {
    const { html } = await shown({ connections: '/connections', servers: [{ ...ankify, name }] });
    expect(html).not.toContain(name);
    expect(html).not.toContain('<script');
    expect(html).not.toContain('<img');
    expect(html).toContain(`<h2>${name.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)}</h2>`);
  });

  it('has no script, may not be framed, sniffed or kept', async () => {
    const { headers, html } = await shown({ connections: '/connections', servers: [ankify] });
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(html).not.toMatch(/<script|<form|\son[a-z]+=|javascript:|https?:\/\/(?!mcp\.example)/i);
  });

  it('stands at / of a gateway, for GET and HEAD', async () => {
    const gateway = await startGateway([{ path: '/ankify/mcp', name: 'Ankify <1>', target: 'http://127.0.0.1:1/mcp' }]);
    try {
      const response = await fetch(gateway.url('/?utm=1'));
      expect(response.status).toBe(200);
      const html = await response.text();
      expect(html).toContain('Ankify &#60;1&#62;');
      expect(html).toContain(`${gateway.issuer}/ankify/mcp`);
      expect(html).not.toMatch(/demo user/i);
      const head = await fetch(gateway.url('/'), { method: 'HEAD' });
      expect(head.status).toBe(200);
      expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(html)));
      expect((await fetch(gateway.url('/'), { method: 'POST' })).status).toBe(405);
      expect((await fetch(gateway.url('/index.html'))).status).toBe(404);
    } finally {
      await gateway.close();
    }
  });
});

describe('lines for clients', () => {
  it.each([
    ['/mcp', 'mcp'],
    ['/ankify/mcp', 'ankify'],
    ['/a/b/mcp', 'b'],
    ['/v1.2~x', 'v1-2-x'],
    ['/mcp/mcp', 'mcp'],
  ])('%s is called %s', (path, name) => expect(shortName(path)).toBe(name));

  it('what is JSON parses, and a shell sees one word', () => {
    const lines = connectLines('ankify', 'https://mcp.example/ankify/mcp');
    const text = (client: string) => lines.find((line) => line.client === client)?.text ?? '';
    expect(JSON.parse(text('Cursor'))).toEqual({
      mcpServers: { ankify: { url: 'https://mcp.example/ankify/mcp' } },
    });
    const json = /^code --add-mcp '([^']*)'$/.exec(text('VS Code'))?.[1] ?? '';
    expect(JSON.parse(json)).toEqual({ name: 'ankify', type: 'http', url: 'https://mcp.example/ankify/mcp' });
    expect(text('mcp-remote')).toBe('npx mcp-remote https://mcp.example/ankify/mcp');
  });
});
