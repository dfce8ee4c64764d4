/** HTTPS servers on loopback ports with a certificate of their own making, each told what to answer. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Self-signed, for these names, by the `openssl` that every Linux has. */
export function certificate(...names: readonly string[]): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-certificate-'));
  try {
    const key = join(folder, 'key.pem');
    const cert = join(folder, 'cert.pem');
    const names_ = names.map((name) => (/^[0-9.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'].concat([
        '-subj',
        '/CN=gatehouse test',
        '-addext',
        `subjectAltName=${names_}`,
        '-keyout',
        key,
        '-out',
        cert,
      ]),
      { stdio: 'pipe' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface Origin {
  readonly port: number;
  /** Every request so far: path, `Host` and the server name of TLS. */
  readonly requests: Array<{ path: string; host: string | undefined; servername: unknown; headers: object }>;
  answer: Answer;
  /** How many sockets were ever accepted. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/** `tls` left out: plain http. */
export async function startOrigin(tls: Certificate | undefined, address = '127.0.0.1'): Promise<Origin> {
  const handle: Answer = (request, response) => {
    const { servername } = request.socket as { servername?: unknown };
    origin.requests.push({
      path: request.url ?? '',
      host: request.headers.host,
      servername,
      headers: request.headers,
    });
    origin.answer(request, response);
  };
  const server: Server = tls ? createServer(tls, handle) : createHttpServer(handle);
  let accepted = 0;
  server.on('connection', () => {
    accepted += 1;
  });
  server.listen(0, address);
  await once(server, 'listening');
  const origin: Origin = {
    port: (server.address() as AddressInfo).port,
    requests: [],
    answer: (_, response) => response.writeHead(404).end(),
    connections: () => accepted,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return origin;
}

export function json(body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}
