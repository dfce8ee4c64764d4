/** A server on this machine that answers JSON requests as a test says, and keeps what it was sent. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface JsonCall {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** From 1. */
  readonly attempt: number;
}

export interface JsonAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** As it is, in the place of `body`. */
  readonly text?: string;
  /** The connection breaks after so many bytes. */
  readonly cutAfter?: number;
  readonly silent?: boolean;
}

export interface JsonService {
  readonly url: string;
  readonly calls: JsonCall[];
  close(): Promise<void>;
}

export async function startJsonService(answer: (call: JsonCall) => JsonAnswer): Promise<JsonService> {
  const calls: JsonCall[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const body = JSON.parse(Buffer.concat(chunks).toString());
      const call = { path: `${request.method} ${request.url}`, headers, body, attempt: calls.length + 1 };
      calls.push(call);
      const given = answer(call);
      if (given.silent) return;
      const text = given.text ?? JSON.stringify(given.body);
      const length = String(Buffer.byteLength(text));
      response.writeHead(given.status ?? 200, {
        'content-type': 'application/json',
        'content-length': length,
        ...given.headers,
      });
      if (given.cutAfter === undefined) response.end(text);
      else response.write(text.slice(0, given.cutAfter), () => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
