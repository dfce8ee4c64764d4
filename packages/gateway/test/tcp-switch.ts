/** A TCP proxy between a gateway and what it stands on, which a test can make cut connections or swallow answers. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** `swallow`: what is asked arrives, what is answered is lost, and nobody says so. */
export type SwitchMode = 'through' | 'cut' | 'swallow';

export interface TcpSwitch {
  readonly port: number;
  turn(mode: SwitchMode): void;
  close(): Promise<void>;
}

export async function tcpSwitch(targetPort: number): Promise<TcpSwitch> {
  let mode: SwitchMode = 'through';
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    if (mode === 'cut') return void client.destroy();
    const behind = connect(targetPort, '127.0.0.1');
    keep(behind);
    client.on('data', (chunk) => behind.write(chunk));
    behind.on('data', (chunk) => mode === 'swallow' || client.write(chunk));
    client.once('close', () => behind.destroy());
    behind.once('close', () => mode === 'swallow' || client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    turn(next) {
      // Whoever lost an answer cannot go on with that connection.
      if (next !== 'swallow' && mode !== 'through') cutAll();
      if (next === 'cut') cutAll();
      mode = next;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      cutAll();
      await closed;
    },
  };
}
