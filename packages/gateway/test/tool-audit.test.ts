/** A tool that was denied is an audit event: who, as which client, which tool, and why. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAudit } from '@mcp-gatehouse/auth/audit';
import { afterAll, expect, it } from 'vitest';
import { openRecords } from '../src/open-records.ts';
import { signIn, startGateway } from './harness.ts';
import { startTarget } from './target.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tool-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('is kept with the person, the client and the tool', async () => {
  const target = await startTarget();
  const records = { type: 'sqlite' as const, file: join(folder, 'gatehouse.sqlite') };
  const tools = { audit: { role: 'auditor' }, search: {} };
  const gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp`, tools }], { records });
  const person = await signIn({ issuer: gateway.issuer });
  const call = (message: object) =>
    fetch(gateway.url('/mcp'), {
      method: 'POST',
      headers: { authorization: `Bearer ${person.accessToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    });
  expect((await call({ method: 'tools/call', params: { name: 'audit' } })).status).toBe(403);
  expect((await call({ method: 'tools/call', params: { name: 'search' } })).status).toBe(200);
  await gateway.close();
  await target.close();

  const opened = await openRecords(records);
  const { events } = await readAudit(opened, { since: 0, until: Number.POSITIVE_INFINITY, limit: 10 });
  await opened.close();
  const issued = events.find(({ event }) => event === 'token.issued');
  expect(events.filter(({ event }) => event === 'tool.denied')).toMatchObject([
    {
      outcome: 'refused',
      person: issued?.person,
      client: issued?.client,
      grant: issued?.grant,
      details: { tool: 'audit', reason: 'token.role', resource: `${gateway.issuer}/mcp` },
    },
  ]);
});
