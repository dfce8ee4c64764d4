/** Owns a TCP proxy that breaks connections where a network does: before a request, after it, or with the answer lost. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * What becomes of a piece of a request. `cut-before`: the server never sees it. `cut-after`: the server gets it, and its
 * answer is cut off. `swallow`: the server gets it, and the connection falls silent for `swallowMs`, then ends.
 */
export type Fault = 'pass' | 'delay' | 'cut-before' | 'cut-after' | 'swallow';

export interface FaultProxy {
  readonly port: number;
  /** Asked for every piece of a request; `pass` unless set. */
  decide: () => Fault;
  /** Where it leads; a server that comes back on another port is found again. */
  target: number;
  delayMs: number;
  swallowMs: number;
  /** How often each fault was made. */
  readonly made: Readonly<Record<Fault, number>>;
  /** Cuts every connection, and refuses new ones until `restore`. */
  sever(): void;
  restore(): void;
  close(): Promise<void>;
}

export async function startFaultProxy(target: number): Promise<FaultProxy> {
  const made: Record<Fault, number> = { pass: 0, delay: 0, 'cut-before': 0, 'cut-after': 0, swallow: 0 };
  const sockets = new Set<Socket>();
  let severed = false;

  const server = createServer({ noDelay: true }, (client) => {
    if (severed) return client.destroy();
    const behind = connect({ host: '127.0.0.1', port: proxy.target, noDelay: true });
    let silent = false;
    let cutAnswer = false;
    const end = () => {
      client.destroy();
      behind.destroy();
    };
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    let earlier: Promise<void> = Promise.resolve();
    client.on('data', (chunk) => {
      const fault = silent || cutAnswer ? 'pass' : proxy.decide();
      made[fault] += 1;
      if (fault === 'cut-before') return end();
      if (fault === 'cut-after') cutAnswer = true;
      if (fault === 'swallow') {
        silent = true;
        setTimeout(end, proxy.swallowMs).unref();
      }
      // In order, the delayed before what came behind them.
      earlier = earlier.then(async () => {
        if (fault === 'delay') await new Promise((resolve) => setTimeout(resolve, proxy.delayMs));
        if (!behind.destroyed) behind.write(chunk);
      });
      return undefined;
    });
    behind.on('data', (chunk) => {
      if (cutAnswer) end();
      else if (!silent && !client.destroyed) client.write(chunk);
    });
    return undefined;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: FaultProxy = {
    port: (server.address() as AddressInfo).port,
    decide: () => 'pass',
    target,
    delayMs: 200,
    swallowMs: 6000,
    made,
    sever() {
      severed = true;
      cutAll();
    },
    restore() {
      severed = false;
    },
    async close() {
      cutAll();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
