/** Owns a load balancer of the tests' own: each request to the next instance, and never one request to two. */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Balancer {
  readonly origin: string;
  /** Puts the instance in; in the place of what it was before, if it was. */
  add(name: number, port: number): void;
  /** No further requests; those under way go on. */
  remove(name: number): void;
  /** To which instance each request went, the oldest first; forgets them. */
  taken(): readonly string[];
  /** Requests that wait for an answer of the instance. */
  underway(name: number): number;
  close(): Promise<void>;
}

/** Says which instance answered. */
export const instanceHeader = 'x-test-instance';
/** On an answer of the balancer itself: the instance may have done what it was asked, or was never asked. */
export const balancerHeader = 'x-test-balancer';

interface Member {
  readonly name: number;
  readonly port: number;
  readonly agent: Agent;
  readonly answers: Set<ServerResponse>;
}

export async function startBalancer(): Promise<Balancer> {
  const members: Member[] = [];
  const trips: string[] = [];
  let turn = 0;

  function handle(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('error', () => {});
    // The whole request first: a client that is cut off in the middle has asked nobody.
    req.on('end', () => forward(req, res, Buffer.concat(chunks), [...members].length));
  }

  function forward(req: IncomingMessage, res: ServerResponse, body: Buffer, tries: number): void {
    const member = members[turn++ % Math.max(1, members.length)];
    if (!member || tries === 0) {
      res.writeHead(503, { [balancerHeader]: 'not asked', 'retry-after': '1' }).end();
      return;
    }
    const { port, agent, name } = member;
    const { host, ...headers } = req.headers;
    const asked = send({
      host: '127.0.0.1',
      port,
      agent,
      method: req.method ?? 'GET',
      path: req.url ?? '/',
      headers: { ...headers, host },
    });
    member.answers.add(res);
    res.once('close', () => {
      member.answers.delete(res);
      asked.destroy();
    });
    asked.on('response', (answer) => {
      trips.push(`${name} ${req.method} ${(req.url ?? '/').split('?', 1)[0]}`);
      res.writeHead(answer.statusCode ?? 502, { ...answer.headers, [instanceHeader]: String(name) });
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      member.answers.delete(res);
      if (res.headersSent) res.destroy();
      // Only who was not even connected can be sure that nothing was done.
      else if (error.code === 'ECONNREFUSED') forward(req, res, body, tries - 1);
      else res.writeHead(502, { [balancerHeader]: 'asked', [instanceHeader]: String(name) }).end();
    });
    asked.end(body);
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, handle).listen(0, '127.0.0.1');
  server.on('clientError', (_, socket) => socket.destroy());
  await once(server, 'listening');

  function remove(name: number): void {
    const at = members.findIndex((one) => one.name === name);
    if (at >= 0) members.splice(at, 1);
  }

  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    add(name, port) {
      remove(name);
      members.push({ name, port, agent: new Agent({ keepAlive: true, maxSockets: 64 }), answers: new Set() });
      members.sort((a, b) => a.name - b.name);
    },
    remove,
    taken: () => trips.splice(0),
    underway: (name) => members.find((one) => one.name === name)?.answers.size ?? 0,
    async close() {
      for (const { agent } of members) agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
