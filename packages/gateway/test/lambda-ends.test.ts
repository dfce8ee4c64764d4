/** How an answer of the Lambda function ends: whole, cut, at the deadline; and what an instance that was frozen still knows. */
import { once } from 'node:events';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SignedIn, signIn } from './harness.ts';
import { functionHost, functionUrlEvent, type Instance, ricIsHere, text } from './lambda-function.ts';
import { type LambdaGateway, startLambdaGateway } from './lambda-gateway.ts';
import { startTarget, type Target } from './target.ts';

const here = ricIsHere || process.env.CI !== undefined;

describe.runIf(here)('under aws-lambda-ric (LAMBDA_RIC)', () => {
  let target: Target;
  let gateway: LambdaGateway;
  let person: SignedIn;
  let instance: Instance;

  beforeAll(async () => {
    expect(ricIsHere, 'LAMBDA_RIC names no folder with the package aws-lambda-ric').toBe(true);
    target = await startTarget();
    forgetful.listen(0, '127.0.0.1');
    await once(forgetful, 'listening');
    const { port } = forgetful.address() as AddressInfo;
    gateway = await startLambdaGateway([
      { path: '/mcp', target: `${target.url}/mcp` },
      { path: '/forgetful', target: `http://127.0.0.1:${port}/mcp` },
    ]);
    person = await signIn(gateway);
    [instance] = gateway.instances;
  });
  afterAll(async () => {
    await gateway?.close();
    await target?.close();
    forgetful.close();
  });

  /** A target behind a network that forgot its connections while nobody was awake: the second request is reset. */
  const forgetful = createNetServer((socket) => {
    let requests = 0;
    socket.on('error', () => {});
    socket.on('data', () => {
      if (++requests > 1) return socket.resetAndDestroy();
      return socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
    });
  });

  const statusOf = async (event: unknown, one = instance) => {
    const { prelude, body: answer } = await one.invoke(event);
    await text(answer);
    return prelude.statusCode;
  };
  const call = (headers: Readonly<Record<string, string>> = {}) =>
    functionUrlEvent({ method: 'POST', path: '/mcp', headers: { ...person.authorization, ...headers }, body });
  const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  const errorType = 'lambda-runtime-function-error-type';

  it('an answer that breaks off is no whole one: the platform is told', async () => {
    const arrival = target.arrival();
    const answer = instance.invoke(call());
    const { res } = await arrival;
    res.writeHead(200, { 'content-type': 'application/json' });
    res.write('{"half":');
    const { prelude, body, trailers } = await answer;
    expect(prelude.statusCode).toBe(200);
    const pieces = body[Symbol.asyncIterator]();
    expect(String((await pieces.next()).value)).toBe('{"half":');
    res.destroy();
    expect((await pieces.next()).done).toBe(true);
    expect(trailers()[errorType]).toBe('Error');
  });

  it('before the deadline a call that has no answer gets 504, and the target learns of it', async () => {
    const arrival = target.arrival();
    const answer = instance.invoke(call(), 1500);
    const { res } = await arrival;
    const left = once(res, 'close');
    const { prelude, body, trailers } = await answer;
    expect(prelude.statusCode).toBe(504);
    expect(JSON.parse(await text(body))).toMatchObject({ error: 'timeout' });
    expect(trailers()).toEqual({});
    await left;
    await instance.idle();
  });

  it('and a stream of events ends in good order, any other answer as one that broke off', async () => {
    for (const [type, told] of [
      ['text/event-stream', undefined],
      ['application/json', 'Error'],
    ] as const) {
      const arrival = target.arrival();
      const answer = instance.invoke(call({ accept: 'text/event-stream' }), 1500);
      const { res } = await arrival;
      const left = once(res, 'close');
      res.writeHead(200, { 'content-type': type });
      res.write('data: 1\n\n');
      const { body, trailers } = await answer;
      expect(await text(body)).toBe('data: 1\n\n');
      expect(trailers()[errorType]).toBe(told);
      await left;
    }
  });

  it('what HTTP cannot say is 400, and what is no request at all an error in words; the next event is served', async () => {
    const good = functionUrlEvent({ path: '/healthz' });
    const bad = [
      functionUrlEvent({ path: '/healthz', headers: { 'x-a': 'b\r\nx-c: d' } }),
      functionUrlEvent({ path: '/healthz', headers: { 'x-a': 'ł' } }),
      functionUrlEvent({ path: '/healthz', headers: { 'x a': 'b' } }),
      functionUrlEvent({ path: '/healthz', method: 'CONNECT' }),
      functionUrlEvent({ path: '/healthz', method: 'BREW' }),
      functionUrlEvent({ path: 'healthz' }),
      functionUrlEvent({ path: '/healthz', headers: { 'x-a': 'b'.repeat(40_000) } }),
    ];
    const statuses: number[] = [];
    for (const event of [...bad, good]) statuses.push(await statusOf(event));
    expect(statuses).toEqual([400, 400, 400, 400, 400, 400, 431, 200]);
    for (const event of [
      {},
      null,
      'text',
      { source: 'aws.events' },
      { httpMethod: 'GET', requestContext: { elb: {} } },
    ]) {
      const [said] = await Promise.allSettled([instance.invoke(event)]);
      expect(said).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining(errorType) } });
    }
    expect(await statusOf(good)).toBe(200);
  });

  it('another host name than ours and the platform’s own is refused', async () => {
    const named = (host: string) => statusOf(functionUrlEvent({ method: 'POST', path: '/mcp', host }));
    expect(await named('evil.example.com')).toBe(403);
    expect(await named(new URL(gateway.issuer).host)).toBe(401);
    expect(await named(functionHost)).toBe(401);
  });

  it('before the instance may be frozen, what it did is in the records', async () => {
    const [, other] = gateway.instances;
    const issued = async () =>
      (await gateway.records.list('auditEvent', {})).items.filter(({ value }) => value.event === 'token.issued').length;
    const before = await issued();
    // So slow that what is not waited for is not there in time.
    gateway.slowDown(300);
    await signIn(gateway);
    await Promise.all(gateway.instances.map((one) => one.idle()));
    gateway.slowDown(0);
    for (const one of gateway.instances) one.child.kill('SIGSTOP');
    try {
      expect(await issued()).toBe(before + 1);
    } finally {
      for (const one of gateway.instances) one.child.kill('SIGCONT');
    }
    expect(await statusOf(functionUrlEvent({ path: '/healthz' }), other)).toBe(200);
  });

  it('frozen for long, it uses no connection that may be dead', async () => {
    const { authorization } = await signIn({ ...gateway, path: '/forgetful' });
    const event = functionUrlEvent({ method: 'POST', path: '/forgetful', headers: authorization, body });
    // Awake, the gateway cannot know that this connection is dead: so the target is what it is meant to be.
    expect([await statusOf(event), await statusOf(event), await statusOf(event)]).toEqual([200, 502, 200]);
    await instance.idle();
    instance.child.kill('SIGSTOP');
    // Longer than a connection to a target is kept, and the event is there before any timer of ours.
    const answer = statusOf(event);
    await pause(5_000);
    instance.child.kill('SIGCONT');
    expect(await answer).toBe(200);
  });
});
