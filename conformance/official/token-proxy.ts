/**
 * Adds an access token to every request and changes nothing else: the official suite has no option for a token. Host and
 * Origin go through as they came, or the DNS-rebinding scenario would test this proxy instead of the gateway.
 */
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TokenProxy {
  /** `http://localhost:PORT`. */
  readonly origin: string;
  close(): Promise<void>;
}

/** `target` is an origin on this computer. */
export async function startTokenProxy(target: string, accessToken: string): Promise<TokenProxy> {
  const { port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const headers: string[] = [];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
      const name = incoming.rawHeaders[i] as string;
      if (name.toLowerCase() !== 'authorization') headers.push(name, incoming.rawHeaders[i + 1] as string);
    }
    headers.push('Authorization', `Bearer ${accessToken}`);
    const forwarded = httpRequest(
      {
        host: '127.0.0.1',
        port,
        ...(incoming.method !== undefined && { method: incoming.method }),
        path: incoming.url,
        headers,
        setHost: false,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.on('error', () => outgoing.destroy());
        answer.pipe(outgoing);
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
