/** TLS to a target as the configuration says it: who is believed, by which name, and with which certificate of ours (RFC 9325 §3, RFC 9525). */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Certificate, certificate } from '../../auth/test/net/servers.ts';
import { assemble } from '../src/assemble.ts';
import { gatewayConfig, type ResourceInput, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tls-'));
/** Of the target by its address, of the target by another name, and of the gateway itself. */
const [named, elsewhere, ours] = [certificate('127.0.0.1'), certificate('notes.internal'), certificate('gatehouse')];

function pem(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}
const files = {
  named: pem('named.pem', named.cert),
  elsewhere: pem('elsewhere.pem', elsewhere.cert),
  cert: pem('ours.pem', ours.cert),
  key: pem('ours.key', ours.key),
};

/** Says who it was asked as, and by whom; `client`: asks for a certificate that this one has signed. */
async function startSecure(own: Certificate, client?: Certificate) {
  const server = createServer(
    { ...own, ...(client && { ca: client.cert, requestCert: true, rejectUnauthorized: true }) },
    (req, res) => {
      const socket = req.socket as TLSSocket;
      const peer = socket.getPeerCertificate().subject?.CN;
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ serverName: socket.servername, peer, host: req.headers.host }));
    },
  );
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as { port: number }).port}/mcp`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

type Tls = NonNullable<Extract<ResourceInput['target'], { url: string }>['tls']>;

let servers: ReadonlyArray<Awaited<ReturnType<typeof startSecure>>>;
let gateway: TestGateway;
const people = new Map<string, SignedIn>();

beforeAll(async () => {
  servers = await Promise.all([startSecure(named), startSecure(elsewhere), startSecure(named, ours)]);
  const [byAddress = '', byName = '', asking = ''] = servers.map(({ url }) => url);
  const resources: ReadonlyArray<readonly [path: string, url: string, tls?: Tls]> = [
    ['/trusted', byAddress, { ca: files.named }],
    ['/unknown', byAddress],
    ['/wrong', byAddress, { ca: files.elsewhere }],
    ['/anybody', byAddress, { dangerouslyAcceptAnyCertificate: true }],
    ['/misnamed', byName, { ca: files.elsewhere }],
    ['/named', byName, { ca: files.elsewhere, serverName: 'notes.internal' }],
    ['/shown', asking, { ca: files.named, cert: files.cert, key: files.key }],
    ['/unshown', asking, { ca: files.named }],
    ['/plain', byAddress.replace('https:', 'http:')],
  ];
  gateway = await startGateway(
    resources.map(([path, url, tls]): ResourceInput => ({ path, target: { url, ...(tls && { tls }) } })),
  );
  for (const [path] of resources) people.set(path, await signIn({ issuer: gateway.issuer, path }));
});
afterAll(async () => {
  await gateway?.close();
  for (const server of servers ?? []) server.close();
  rmSync(folder, { recursive: true });
});

async function asked(path: string) {
  const answer = await fetch(gateway.url(path), { method: 'POST', headers: people.get(path)?.authorization ?? {} });
  const body = (await answer.json()) as Record<string, unknown>;
  const logged = gateway.events.filter((one) => one.event === 'http.request' && one.path === path).at(-1);
  return { status: answer.status, body, logged };
}

it.each([
  ['/trusted', 'with the authority that signed it', {}],
  ['/anybody', 'with any certificate, for who says so in a word that is hard to miss', {}],
  ['/named', 'by the name its certificate is for', { serverName: 'notes.internal' }],
  ['/shown', 'with the certificate it asks for', { peer: 'gatehouse test' }],
])('%s: a target is reached %s', async (path, _, said) => {
  const { status, body } = await asked(path);
  expect([status, body]).toEqual([
    200,
    expect.objectContaining({ ...said, host: expect.stringMatching(/^127\.0\.0\.1:/) }),
  ]);
});

it.each([
  ['/unknown', 'whose certificate nobody known has signed', /give it as tls\.ca/],
  ['/wrong', 'whose certificate another authority has signed', /tls\.ca/],
  ['/misnamed', 'whose certificate is for another name', /give that name as tls\.serverName/],
  // TLS 1.3 asks after the handshake: what is seen of the refusal is a connection that closes.
  ['/unshown', 'that asks for a certificate where there is none', /give tls\.cert and tls\.key/],
  ['/plain', 'that is asked without TLS', /./],
])('%s: a target is not reached %s: the log has the cure, the client hears nothing of it', async (path, _, cure) => {
  const { status, body, logged } = await asked(path);
  expect([status, body.error]).toEqual([502, 'target_unreachable']);
  expect(logged).toMatchObject({ outcome: 'unreachable', cause: expect.stringMatching(cure) });
  expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|certificate|tls/i);
});

it.each<[string, Tls, RegExp]>([
  ['a file that is not there', { ca: join(folder, 'none.pem') }, /^resources\[0\]\.target\.tls\.ca: ENOENT/],
  ['a file that is none', { ca: files.key }, /^resources\[0\]\.target\.tls\.ca: is no certificate in PEM$/],
  ['a certificate without its key', { cert: files.cert }, /^resources\[0\]\.target\.tls\.cert: needs its key/],
  ['a key of another', { cert: files.named, key: files.key }, /^resources\[0\]\.target\.tls\.key: is not the key of/],
  ['a name that is none', { serverName: 'a b' }, /^resources\[0\]\.target\.tls\.serverName: is no host name$/],
])('%s stops the start', async (_, tls, words) => {
  const config = gatewayConfig(8080, [{ path: '/mcp', target: { url: 'https://localhost:1/mcp', tls } }]);
  await expect(assemble(config, { log: () => {} })).rejects.toMatchObject({
    name: 'ConfigError',
    faults: [expect.stringMatching(words)],
  });
});
