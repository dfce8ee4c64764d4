/** The MCP server behind the instances: answers what passes a guard, and can be told to hold answers back. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Target {
  readonly url: string;
  /** Answers wait from now on. */
  hold(): void;
  /** How many wait. */
  waiting(): number;
  /** Lets those that wait go, and the ones to come. */
  release(): void;
  close(): Promise<void>;
}

export async function startTarget(): Promise<Target> {
  let holding = false;
  const waiting: Array<() => void> = [];
  const server = createServer((req, res) => {
    req.resume();
    const answer = () => res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    if (holding) waiting.push(answer);
    else answer();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const release = () => {
    holding = false;
    for (const answer of waiting.splice(0)) answer();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    hold() {
      holding = true;
    },
    waiting: () => waiting.length,
    release,
    async close() {
      release();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
