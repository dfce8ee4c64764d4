/** A collector for a test: takes OTLP over HTTP as JSON, and gives back plain spans and figures. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Attributes = Readonly<Record<string, unknown>>;

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** 2: server, 3: client. */
  readonly kind: number;
  /** 2: error. */
  readonly status: number | undefined;
  readonly attributes: Attributes;
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>;
  readonly durationMs: number;
}

export interface ReceivedPoint {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly attributes: Attributes;
}

export interface Receiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** The last of each export. */
  readonly points: ReceivedPoint[];
  /** Of the process that sends. */
  readonly resource: Record<string, unknown>;
  /** Every body, as it came. */
  readonly bodies: string[];
  /** Resolves once the spans fulfil it. */
  until(fulfilled: () => boolean): Promise<void>;
  close(): Promise<void>;
}

type Json = Record<string, never>;

function attributesOf(list: ReadonlyArray<{ key: string; value: Record<string, unknown> }> = []): Attributes {
  return Object.fromEntries(
    list.map(({ key, value }) => [key, 'intValue' in value ? Number(value.intValue) : Object.values(value)[0]]),
  );
}

export async function startReceiver(): Promise<Receiver> {
  const spans: ReceivedSpan[] = [];
  const points: ReceivedPoint[] = [];
  const bodies: string[] = [];
  const resource: Record<string, unknown> = {};
  const waiting = new Set<() => void>();

  // biome-ignore lint/suspicious/noExplicitAny: JSON of somebody else's, read where the tests look at it
  function take(path: string | undefined, body: any): void {
    for (const group of body.resourceSpans ?? body.resourceMetrics ?? []) {
      Object.assign(resource, attributesOf(group.resource?.attributes));
      for (const scope of group.scopeSpans ?? []) {
        for (const span of scope.spans) {
          spans.push({
            name: span.name,
            traceId: span.traceId,
            spanId: span.spanId,
            parentSpanId: span.parentSpanId || undefined,
            kind: span.kind,
            status: span.status?.code,
            attributes: attributesOf(span.attributes),
            links: span.links ?? [],
            durationMs: Number((BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1000n) / 1000,
          });
        }
      }
      for (const scope of group.scopeMetrics ?? []) {
        for (const { name, unit, sum, gauge, histogram } of scope.metrics) {
          for (const point of (sum ?? gauge ?? histogram).dataPoints as Json[]) {
            const { count, asInt, asDouble, attributes } = point as Record<string, unknown>;
            points.push({
              name,
              unit,
              value: Number(count ?? asInt ?? asDouble),
              attributes: attributesOf(attributes as never),
            });
          }
        }
      }
    }
    if (path === undefined) throw new Error('no path');
    for (const look of waiting) look();
  }

  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      bodies.push(text);
      take(req.url, JSON.parse(text));
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    points,
    resource,
    bodies,
    until: (fulfilled) =>
      new Promise((resolve) => {
        const look = () => {
          if (!fulfilled()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
