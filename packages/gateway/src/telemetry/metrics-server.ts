/**
 * `GET /metrics` on a port of its own, for Prometheus. Nobody is asked who they are: figures tell no secret and name no
 * person, but how much a server is used is nobody else's business. So it listens on the loopback interface unless told
 * otherwise, and whoever tells it otherwise lets only the monitoring reach that port.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuditTrail } from '@mcp-gatehouse/auth/audit';
import { prometheusContentType, prometheusText } from '@mcp-gatehouse/auth/audit';
import { isLoopbackHost } from '../loopback.ts';
import type { ProcessFigures } from './process-figures.ts';
import type { Registry } from './registry.ts';

export interface MetricsServerOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** 127.0.0.1 unless told. */
  readonly host?: string | undefined;
  readonly counters: AuditTrail['counters'];
  readonly registry: Pick<Registry, 'text'>;
  readonly process: ProcessFigures;
}

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects where the port cannot be listened on, with the error of `listen`. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { port, host = '127.0.0.1', counters, registry, process: figures } = options;
  const loopbackOnly = isLoopbackHost(host);
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 8 * 1024 },
    (req, res) => {
      // A page somebody looks at could otherwise read this through their browser (DNS rebinding).
      if (loopbackOnly && !isLoopbackHost(hostName(req))) return answer(req, res, 403, 'Ask for localhost.\n');
      if (req.url?.split('?')[0] !== '/metrics') return answer(req, res, 404, 'There is only /metrics.\n');
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        res.setHeader('allow', 'GET, HEAD');
        return answer(req, res, 405, 'Use GET.\n');
      }
      const text = prometheusText(counters()) + registry.text() + figures.text();
      return answer(req, res, 200, text, prometheusContentType);
    },
  );
  server.maxConnections = 50;
  server.maxHeadersCount = 50;
  server.on('clientError', (_, socket) => socket.destroy());
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      figures.close();
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function hostName({ headers }: IncomingMessage): string {
  const { host = '' } = headers;
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
}

function answer(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  // What a request carries is not read; a connection on which it stands is of no more use.
  const hasBody = Number(req.headers['content-length'] ?? 0) > 0 || req.headers['transfer-encoding'] !== undefined;
  res.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(hasBody && { connection: 'close' }),
  });
  res.end(req.method === 'HEAD' ? undefined : text);
}
