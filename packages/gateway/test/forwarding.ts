/** The proxy by itself, in front of a target that a test has opened: no guard and no configuration between. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type Exchange, forward, type Outcome } from '../src/proxy/forward.ts';
import type { Target } from '../src/proxy/target.ts';

export interface Forwarding {
  readonly port: number;
  /** In the order in which they were over. */
  readonly outcomes: Outcome[];
  /** Resolves once so many have come. */
  untilCome(count: number): Promise<void>;
  /** Resolves once so many are over. */
  untilOver(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Whatever is asked for goes to the target's own path; where nothing was written, the outcome is the answer, as 502. */
export async function startForwarding(
  target: Target,
  changes: Partial<Pick<Exchange, 'keepAliveSeconds' | 'rewrite' | 'inPlace' | 'identity' | 'body'>> = {},
): Promise<Forwarding> {
  const outcomes: Outcome[] = [];
  let come = 0;
  let told = () => {};
  const until = async (reached: () => boolean) => {
    while (!reached()) {
      await new Promise<void>((resolve) => {
        told = resolve;
      });
    }
  };
  const server = createServer((req, res) => {
    const exchange: Exchange = {
      req,
      res,
      target,
      path: target.url.pathname,
      publicOrigin: 'http://localhost',
      requestId: 'request-1',
      maxBodyBytes: 1024 * 1024,
      extraHeaders: {},
      ...changes,
    };
    void forward(exchange).then((outcome) => {
      outcomes.push(outcome);
      if (!res.headersSent && !res.destroyed) res.writeHead(502).end(outcome.outcome);
      told();
    });
    come += 1;
    told();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    outcomes,
    untilCome: (count) => until(() => come >= count),
    untilOver: (count) => until(() => outcomes.length >= count),
    async close() {
      server.close();
      server.closeAllConnections();
      await target.close();
    },
  };
}
