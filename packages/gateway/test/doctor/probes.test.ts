/** How the doctor asks: it leaves a stream that nobody speaks on, and comes as known clients come. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { personas } from '../../src/doctor/personas/table.ts';
import { documentClients } from '../../src/doctor/probe/authorize.ts';
import { at, doctor } from './broken/broken.ts';
import { type GoodServer, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeEach(async () => {
  server = await startGoodServer();
});
afterEach(() => server.close());

it('of a stream that says nothing takes the head, and does not wait for more', async () => {
  server.open = true;
  let left = 0;
  const { facts } = await doctor(server, {
    change: at('stream', () => (res) => {
      res.on('close', () => {
        left += 1;
      });
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders();
    }),
    // Waiting would outlast the test.
    options: { requestSeconds: 600, timeoutSeconds: 600 },
  });
  expect(facts.endpoint?.get.answer).toMatchObject({ status: 200, end: 'stream', bytes: 0 });
  expect(facts.unfinished).toEqual([]);
  expect(left).toBe(1);
});

it('reads what is no stream to its end', async () => {
  const { facts } = await doctor(server);
  expect(facts.endpoint?.get.answer).toMatchObject({ status: 401, end: 'whole', json: { error: 'unauthorized' } });
});

it('ends the sessions that a server without a sign-in gave to whoever asked', async () => {
  server.open = true;
  const { facts } = await doctor(server);
  const given = server.asked.filter(({ route }) => route === 'initialize');
  const ended = server.asked.filter(
    ({ route, headers }) => route === 'end' && headers['mcp-session-id'] === 'session-1',
  );
  expect(given.length).toBeGreaterThan(4);
  expect(ended).toHaveLength(given.length);
  expect(facts.unfinished).toEqual([]);
});

const pinned = new URL('../../../auth/src/authorization-server/clients/pinned-documents/', import.meta.url);
const published = readdirSync(pinned).map(
  (file) =>
    (
      JSON.parse(readFileSync(new URL(file, pinned), 'utf8')) as {
        readonly document: { readonly client_id: string; readonly redirect_uris: readonly string[] };
      }
    ).document,
);

it('comes as every client whose document is known, to an address that the document has but for the port', () => {
  expect(documentClients.map(({ clientId }) => clientId).sort()).toEqual(
    published.map(({ client_id: id }) => id).sort(),
  );
  const portless = (uri: string) => uri.replace(/^(http:\/\/(?:127\.0\.0\.1|localhost)):\d+\//, '$1/');
  for (const { clientId, redirectUri } of documentClients) {
    const uris = published.find(({ client_id: id }) => id === clientId)?.redirect_uris.map(portless);
    expect(uris).toContain(portless(redirectUri));
  }
});

it('has a verdict from each of them', () => {
  const judged = personas.flatMap(({ identity: { document } }) =>
    document?.probe ? [[document.probe, document.url]] : [],
  );
  expect(judged.sort()).toEqual(documentClients.map(({ client, clientId }) => [client, clientId]).sort());
});
