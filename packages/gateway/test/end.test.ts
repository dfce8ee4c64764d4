/** The end of a gateway, and the absence of what it stands on: nothing in flight is lost, no token is thrown away (REL-02, REL-04). */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assemble } from '../src/assemble.ts';
import { freePort, gatewayConfig, type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { begin, message, open, speak } from './raw-http.ts';
import { bodyOf, startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeEach(async () => {
  target = await startTarget();
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp` }]);
  person = await signIn(gateway);
});
afterEach(async () => {
  await gateway.close();
  await target.close();
});

async function inFlight(method: string) {
  const arrived = target.arrival();
  const { req, answer } = begin(gateway.port, { method, path: '/mcp', headers: person.authorization });
  req.end(method === 'POST' ? '{}' : undefined);
  const { res } = await arrived;
  return { req, answer, res };
}

async function refused(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const [error] = await once(socket, 'error').catch((thrown: unknown) => [thrown]);
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
}

describe('close', () => {
  it('lets a request in flight finish, takes no new one, and may be called again', async () => {
    const { answer, res } = await inFlight('POST');
    const closing = gateway.running.close();
    await refused(gateway.port);
    const again = gateway.running.close();
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end('{"kept":true}');
    const response = await answer;
    expect(response.statusCode).toBe(200);
    expect(String(await bodyOf(response))).toBe('{"kept":true}');
    await Promise.all([closing, again]);
    await gateway.running.close();
    await refused(gateway.port);
    await target.untilDeserted();
  });

  it('lets an answer that is under way come to its end', async () => {
    const { answer, res } = await inFlight('POST');
    res.writeHead(200).write('first ');
    const response = await answer;
    const closing = gateway.running.close();
    await refused(gateway.port);
    res.end('and last');
    expect(String(await bodyOf(response))).toBe('first and last');
    await closing;
  });

  it('ends connections on which nothing happens', async () => {
    const idle = await open(gateway.port);
    idle.write(message('GET /healthz', [['Connection', 'keep-alive']]));
    await once(idle, 'data');
    const gone = once(idle, 'close');
    await gateway.running.close();
    await gone;
  });

  it('of a gateway that is idle is quick, again and again', async () => {
    await gateway.running.close();
    await gateway.running.close();
    expect(await speak(gateway.port, message('GET /')).catch((error: Error) => error.message)).toContain(
      'ECONNREFUSED',
    );
  });

  it('an answer given while the gateway ends also ends its connection', async () => {
    const agent = new Agent({ keepAlive: true });
    const arrived = target.arrival();
    const req = request({ agent, port: gateway.port, path: '/mcp', method: 'POST', headers: person.authorization });
    req.end('{}');
    const { res } = await arrived;
    const closing = gateway.running.close();
    res.end('{}');
    const [answer] = await once(req, 'response');
    answer.resume();
    await once(answer, 'end');
    expect(answer.headers.connection).toBe('close');
    agent.destroy();
    await closing;
  });

  it('an event stream is ended when the gateway ends, and not cut when the grace is over', async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { path: '/mcp', headers: person.authorization });
    req.end();
    const { res } = await arrived;
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    const events = await answer;
    const received = bodyOf(events);
    received.catch(() => {});
    await gateway.running.close();
    // Ended, not cut: what the client has is whole, and it knows.
    expect(String(await received)).toBe('data: 1\n\n');
    expect(events.complete).toBe(true);
  });

  it('a second close() is over when the gateway is closed, not before', async () => {
    const arrived = target.arrival();
    const { req, answer } = begin(gateway.port, { path: '/mcp', method: 'POST', headers: person.authorization });
    req.end('{}');
    const { res } = await arrived;
    const order: string[] = [];
    const first = gateway.running.close().then(() => order.push('first'));
    const second = gateway.running.close().then(() => order.push('second'));
    await new Promise(setImmediate);
    order.push('answered');
    res.end('{}');
    (await answer).resume();
    await Promise.all([first, second]);
    expect(order[0]).toBe('answered');
  });
});

describe('assembled by hand', () => {
  const events: Array<Record<string, unknown>> = [];

  /** A second gateway on the same secrets and the same issuer, so that tokens of the first are good at it. */
  async function second() {
    const port = await freePort();
    const config = {
      ...gatewayConfig(port, [{ path: '/mcp', target: `${target.url}/mcp` }]),
      issuer: gateway.issuer,
    };
    events.length = 0;
    const made = await assemble(config, { log: (event) => events.push(event) });
    made.http.server.listen(port, '127.0.0.1');
    await once(made.http.server, 'listening');
    return { ...made, port };
  }

  it('an event stream that never ends is cut when the grace is over, and both sides learn of it', async () => {
    const { http, port, close } = await second();
    const { server } = http;
    // The keys of the first are not this one’s: an open stream is had from a plain handler of the same server.
    server.removeAllListeners('request');
    server.on('request', (_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: 1\n\n');
    });
    const { req, answer } = begin(port, { path: '/' });
    req.end();
    const stream: IncomingMessage = await answer;
    await once(stream, 'readable');
    stream.read();
    await http.close(1);
    await expect(bodyOf(stream)).rejects.toThrow();
    await http.close(1);
    await close();
  });

  it('with its records away a token is answered 503 and Retry-After, and never 401', async () => {
    const { http, port, close } = await second();
    await close();
    const response = await fetch(`http://localhost:${port}/mcp`, { headers: person.authorization });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(response.headers.get('www-authenticate')).toBeNull();
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' });
    // Who brings nothing is asked to sign in all the same: that needs no database.
    const stranger = await fetch(`http://localhost:${port}/mcp`);
    expect(stranger.status).toBe(401);
    expect(target.requests).toBe(0);
    expect(events.find(({ event }) => event === 'guard.refused')).toMatchObject({ status: 503, reason: 'guard.fault' });
    await http.close(1);
  });
});
