/** The gateway as a Lambda function, under Amazon's runtime client: sign-in across instances, calls, streams, downloads. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SignedIn, signIn } from './harness.ts';
import { bytes, functionHost, functionUrlEvent, ricIsHere, text } from './lambda-function.ts';
import { type LambdaGateway, startLambdaGateway } from './lambda-gateway.ts';
import { startTarget, type Target } from './target.ts';

const here = ricIsHere || process.env.CI !== undefined;

describe.runIf(here)('under aws-lambda-ric (LAMBDA_RIC)', () => {
  let target: Target;
  let gateway: LambdaGateway;
  let person: SignedIn;

  beforeAll(async () => {
    expect(ricIsHere, 'LAMBDA_RIC names no folder with the package aws-lambda-ric').toBe(true);
    target = await startTarget();
    gateway = await startLambdaGateway([
      { path: '/mcp', target: `${target.url}/mcp`, open: [{ path: '/files', target: `${target.url}/files` }] },
    ]);
    person = await signIn(gateway);
  });
  afterAll(async () => {
    await gateway?.close();
    await target?.close();
  });

  it('signs a person in across instances that share nothing but the records', () => {
    expect(person.accessToken.split('.')).toHaveLength(3);
    for (const instance of gateway.instances) expect(instance.stderr()).toContain('"event":"http.request"');
    expect(gateway.instances.map((one) => one.stderr()).join('')).toContain('"event":"token.issued"');
  });

  it('answers as the Runtime API wants a stream: mode, prelude, eight zero bytes, body', async () => {
    const [instance] = gateway.instances;
    const event = functionUrlEvent({ path: '/.well-known/oauth-authorization-server' });
    const { headers, prelude, body, trailers } = await instance.invoke(event);
    expect(headers).toMatchObject({
      'lambda-runtime-function-response-mode': 'streaming',
      'transfer-encoding': 'chunked',
      'content-type': 'application/vnd.awslambda.http-integration-response',
    });
    expect(Object.keys(prelude).sort()).toEqual(['headers', 'statusCode']);
    expect(prelude).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/json' } });
    const whole = await bytes(body);
    expect(JSON.parse(whole.toString())).toMatchObject({ issuer: gateway.issuer });
    expect((prelude.headers as Record<string, string>)['content-length']).toBe(String(whole.length));
    expect(trailers()).toEqual({});
  });

  it('a call without a token gets the challenge, which a Function URL renames', async () => {
    const [instance] = gateway.instances;
    const { prelude, body } = await instance.invoke(functionUrlEvent({ method: 'POST', path: '/mcp' }));
    expect(prelude.statusCode).toBe(401);
    const challenge = (prelude.headers as Record<string, string>)['www-authenticate'];
    expect(challenge).toMatch(/^Bearer .*resource_metadata="http.*\/\.well-known\/oauth-protected-resource\/mcp"/);
    await text(body);
    const response = await fetch(`${gateway.issuer}/mcp`, { method: 'POST' });
    expect(response.status).toBe(401);
    expect(response.headers.get('x-amzn-remapped-www-authenticate')).toBe(challenge);
  });

  it('a call reaches the target with its body and the caller’s identity, and never with the token', async () => {
    const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const response = await fetch(`${gateway.issuer}/mcp?a=1&b=%20`, {
      method: 'POST',
      headers: { ...person.authorization, 'content-type': 'application/json', 'mcp-protocol-version': '2025-11-25' },
      body: message,
    });
    expect([response.status, await response.json()]).toEqual([200, { from: 'target' }]);
    const seen = target.seen.at(-1);
    expect(seen).toMatchObject({ method: 'POST', url: '/mcp?a=1&b=%20', body: Buffer.from(message) });
    expect(seen?.headers).toMatchObject({
      'x-gatehouse-client-id': person.clientId,
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-host': new URL(gateway.issuer).host,
      'mcp-protocol-version': '2025-11-25',
    });
    expect(JSON.stringify(seen?.headers)).not.toContain(person.accessToken);
    expect(JSON.stringify(seen?.headers)).not.toContain(functionHost);
  });

  it('a stream comes in pieces as they are written, and its head before the first', async () => {
    const arrival = target.arrival();
    const answer = gateway.instances[0].invoke(
      functionUrlEvent({ path: '/mcp', headers: { ...person.authorization, accept: 'text/event-stream' } }),
    );
    const { req, res } = await arrival;
    expect(req.method).toBe('GET');
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    const { prelude, body } = await answer;
    expect(prelude).toMatchObject({ statusCode: 200, headers: { 'content-type': 'text/event-stream' } });
    const pieces = body[Symbol.asyncIterator]();
    for (const piece of ['data: 1\n\n', 'data: 2\n\n', 'data: drei ß 🦊\n\n']) {
      res.write(piece);
      expect(String((await pieces.next()).value)).toBe(piece);
    }
    res.end();
    expect((await pieces.next()).done).toBe(true);
  });

  it('a client that reads slowly slows the target down', async () => {
    const arrival = target.arrival();
    const answer = gateway.instances[0].invoke(
      functionUrlEvent({ path: '/mcp', headers: { ...person.authorization, accept: 'text/event-stream' } }),
    );
    const { res } = await arrival;
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    const { body } = await answer;
    // Far more than every buffer on the way holds.
    const piece = Buffer.alloc(1024 * 1024, 'x');
    let written = 0;
    const through = (async () => {
      while (written < 128) {
        written++;
        if (!res.write(piece)) await once(res, 'drain');
      }
      res.end();
    })();
    for (let before = -1; before < written; before = written) await pause(500);
    expect(written).toBeLessThan(64);
    expect((await bytes(body)).length).toBe(128 * piece.length);
    await through;
  });

  it('passes a binary download on as it is, and of HEAD the head alone', async () => {
    const file = randomBytes(3_000_000);
    target.answer = (req, res) => {
      res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.length });
      res.end(req.method === 'HEAD' ? undefined : file);
    };
    const download = await fetch(`${gateway.issuer}/files/deck.apkg`);
    expect(Buffer.from(await download.arrayBuffer()).equals(file)).toBe(true);
    const { prelude, body } = await gateway.instances[0].invoke(
      functionUrlEvent({ method: 'HEAD', path: '/files/deck.apkg' }),
    );
    expect(prelude).toMatchObject({ statusCode: 200, headers: { 'content-length': String(file.length) } });
    expect(await bytes(body)).toHaveLength(0);
    expect((await fetch(`${gateway.issuer}/nothing`)).status).toBe(404);
  });

  it('takes the largest event that the platform lets through, 6 MB with its base64', async () => {
    const sent = randomBytes(4_450_000);
    const arrived = new Promise<Buffer>((resolve) => {
      target.answer = async (req, res) => {
        resolve(await bytes(req));
        res.end('{}');
      };
    });
    const event = functionUrlEvent({ method: 'POST', path: '/mcp', headers: person.authorization, body: sent });
    expect(JSON.stringify(event).length).toBeGreaterThan(5_900_000);
    const { prelude, body } = await gateway.instances[0].invoke(event);
    expect([prelude.statusCode, await text(body)]).toEqual([200, '{}']);
    expect((await arrived).equals(sent)).toBe(true);
  });

  it('answers a REST API as well: names as sent, decoded queries, its own form of the answer', async () => {
    const [instance] = gateway.instances;
    const arrival = target.arrival();
    const answer = instance.invoke({
      httpMethod: 'POST',
      path: '/mcp',
      headers: { Host: 'mcp.example.com' },
      multiValueHeaders: {
        Host: [new URL(gateway.issuer).host],
        Authorization: [person.authorization.authorization],
        'Content-Type': ['application/json'],
      },
      queryStringParameters: { 'a b': '2' },
      multiValueQueryStringParameters: { 'a b': ['1 ü', '2'] },
      requestContext: { path: '/mcp', stage: 'prod', domainName: 'x.example', identity: { sourceIp: '203.0.113.7' } },
      body: '{"jsonrpc":"2.0"}',
      isBase64Encoded: false,
    });
    const { req, res } = await arrival;
    expect([req.url, req.headers['x-forwarded-for'], await text(req)]).toEqual([
      '/mcp?a%20b=1%20%C3%BC&a%20b=2',
      '203.0.113.7',
      '{"jsonrpc":"2.0"}',
    ]);
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    const { prelude, body } = await answer;
    expect(prelude).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/json' } });
    expect(await text(body)).toBe('{}');
  });
});
