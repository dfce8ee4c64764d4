/** The doctor at our own gateway, both as the commands that people run: it finds nothing, and every client works. */
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { type Protected, protect, serverFile } from '../public-servers/protect.ts';
import { clientsThat, doctor, found } from './peer.ts';

let server: Protected;
beforeAll(async () => {
  server = await protect(['--', process.execPath, serverFile('@modelcontextprotocol/server-everything'), 'stdio']);
});
afterAll(async () => {
  await server?.stop();
});

it('has no fault and no warning, and clients on this computer all connect', async () => {
  onTestFailed(() => console.error(server.output()));
  const report = await doctor(server.url);
  expect(report.findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(report.code).toBe(0);
  expect(report.unfinished).toEqual([]);
  expect(found(report)).toEqual(['address.not-public', 'server.no-documents']);
  // Those two live in a cloud, from where nobody reaches this computer: nothing else is said of them.
  const away = report.clients.filter(({ outcome }) => outcome !== 'works');
  expect(away.map(({ client, outcome }) => [client, outcome])).toEqual([
    ['claude', 'unknown'],
    ['chatgpt', 'unknown'],
  ]);
  for (const { reasons } of away) expect(reasons).toEqual([expect.stringContaining('does not reach')]);
  expect(clientsThat(report, 'works')).toHaveLength(report.clients.length - 2);
});

it('with --fix says what to change, and knows at whose', async () => {
  const { findings } = await doctor(server.url, '--fix');
  const documents = findings.find(({ id }) => id === 'server.no-documents');
  expect(documents?.hints).toEqual(['Gatehouse: In the configuration:', 'metadataDocuments: {}']);
});

it('judges the clients that are asked for', async () => {
  const report = await doctor(server.url, '--client', 'cursor,claude-code');
  expect(report.clients.map(({ client, outcome }) => [client, outcome])).toEqual([
    ['claude-code', 'works'],
    ['cursor', 'works'],
  ]);
});
