/** A gateway process with a real collector and a real client: one trace from the client to the target, and the figures of /metrics beside it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts';
import { freePort, type SignedIn, signIn } from './harness.ts';
import { type Receiver, startReceiver } from './otlp-receiver.ts';
import { ask, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const parent = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const traceparent = `00-${parent.traceId}-${parent.spanId}-01`;

let receiver: Receiver;
let target: Target;
let gateway: GatewayProcess;
let metricsPort: number;
let tokens: SignedIn;

beforeAll(async () => {
  [receiver, target, metricsPort] = await Promise.all([startReceiver(), startTarget(), freePort()]);
  // Handed on to the process that is started next.
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '100',
    OTEL_METRIC_EXPORT_TIMEOUT: '100',
  });
  gateway = await startGatewayProcess(
    [
      {
        path: '/mcp',
        target: `${target.url}/mcp`,
        rateLimits: [{ per: ['user', 'tool'], tools: ['scarce'], burst: 1, perMinute: 1 }],
      },
      { path: '/plain', target: `${target.url}/plain` },
    ],
    () => ({ metrics: { port: metricsPort, host: '127.0.0.1' } }),
  );
  tokens = await signIn(gateway);
});
afterAll(async () => {
  await gateway.close();
  await Promise.all([receiver.close(), target.close()]);
});

const linkedTo =
  (trace: string) =>
  ({ links }: Receiver['spans'][number]) =>
    links.some(({ traceId }) => traceId === trace);

const call = (tool: string, headers: ReadonlyArray<readonly [string, string]> = [], params: object = {}) => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, ...params } });
  return ask(
    gateway.port,
    message(
      'POST /mcp?note=in-the-query',
      [
        ['Authorization', `Bearer ${tokens.accessToken}`],
        ['Content-Type', 'application/json'],
        ['Content-Length', String(Buffer.byteLength(body))],
        ...headers,
      ],
      body,
    ),
  );
};

describe('one trace', () => {
  it('from the client’s header through us to the target', async () => {
    target.seen.length = 0;
    const answer = await call('search', [['traceparent', traceparent]]);
    expect(answer.status).toBe(200);
    await receiver.until(() => receiver.spans.filter(({ traceId }) => traceId === parent.traceId).length >= 2);
    const own = receiver.spans.find(({ parentSpanId }) => parentSpanId === parent.spanId);
    const below = receiver.spans.find(({ parentSpanId }) => parentSpanId === own?.spanId);
    expect(own).toMatchObject({ name: 'POST /mcp', kind: 2 });
    expect(own?.attributes).toMatchObject({
      'url.path': '/mcp',
      'http.response.status_code': 200,
      'gen_ai.tool.name': 'search',
      'gatehouse.request_id': answer.header('x-request-id'),
    });
    expect(target.seen[0]?.headers.traceparent).toBe(`00-${parent.traceId}-${below?.spanId}-01`);
    // The log names it too.
    expect(gateway.command.stderr()).toContain(`"traceId":"${parent.traceId}"`);
  });

  it('from the message, which goes on as it is (SEP-414)', async () => {
    target.seen.length = 0;
    const other = '0af7651916cd43dd8448eb211c80319c';
    const _meta = { traceparent: `00-${other}-b7ad6b7169203331-01`, 'example.com/kept': 1.0 };
    await call('search', [], { _meta });
    await receiver.until(() => receiver.spans.some(({ traceId, kind }) => traceId === other && kind === 2));
    expect(target.seen[0]?.headers.traceparent).toMatch(new RegExp(`^00-${other}-`));
    expect(JSON.parse(String(target.seen[0]?.body)).params._meta).toEqual(_meta);
  });

  it('of a refusal ends with us', async () => {
    const trace = '11111111111111111111111111111111';
    const answer = await ask(gateway.port, message('POST /mcp', [['traceparent', `00-${trace}-b7ad6b7169203331-01`]]));
    expect(answer.status).toBe(401);
    const isLinked = linkedTo(trace);
    await receiver.until(() => receiver.spans.some(isLinked));
    expect(receiver.spans.filter(isLinked)).toMatchObject([
      { name: 'POST /mcp', attributes: { 'gatehouse.outcome': 'challenged', 'http.response.status_code': 401 } },
    ]);
    // A stranger stands in no trace of somebody else's.
    expect(receiver.spans.filter(({ traceId }) => traceId === trace)).toEqual([]);
  });

  it('is not begun or left out by whoever has no token', async () => {
    const trace = '33333333333333333333333333333333';
    await ask(gateway.port, message('GET /nothing', [['traceparent', `00-${trace}-b7ad6b7169203331-00`]]));
    // Against the wish of its flags, because the sampler here takes every trace.
    await receiver.until(() => receiver.spans.some(linkedTo(trace)));
  });
});

it('figures reach the collector and Prometheus alike, and neither learns a secret or a person', async () => {
  await call('scarce');
  expect((await call('scarce')).status).toBe(429);
  await receiver.until(() =>
    receiver.points.some(
      ({ name, attributes }) => name === 'gatehouse.tool.calls' && attributes['gatehouse.outcome'] === 'limited',
    ),
  );
  expect(receiver.resource).toMatchObject({ 'host.name': expect.any(String) });
  expect(Object.keys(receiver.resource).filter((name) => name.startsWith('process.'))).toEqual([]);
  const names = new Set(receiver.points.map(({ name }) => name));
  expect([...names].sort()).toEqual(
    expect.arrayContaining([
      'gatehouse.events',
      'gatehouse.target.duration',
      'gatehouse.tool.calls',
      'http.server.request.duration',
    ]),
  );
  const text = (await ask(metricsPort, message('GET /metrics'))).body.toString('utf8');
  const resource = `${gateway.issuer}/mcp`;
  expect(text).toContain(`gatehouse_tool_calls_total{resource="${resource}",tool="scarce",outcome="limited"} 1\n`);
  expect(text).toMatch(/gatehouse_http_request_duration_seconds_count\{method="POST",route="\/mcp",status="4xx"\} 2\n/);
  expect(text).toMatch(/gatehouse_events_total\{event="token\.issued",grant_type="authorization_code"\} 1\n/);
  expect(text).toMatch(/gatehouse_events_total\{event="call\.limited",reason="limit"\} 1\n/);
  expect(text).toContain(`gatehouse_target_duration_seconds_count{resource="${resource}",outcome="answered"}`);
  // Beside the gateway, not in it.
  expect((await ask(gateway.port, message('GET /metrics'))).status).toBe(404);
  const all = receiver.bodies.join('\n') + text;
  for (const secret of [tokens.accessToken, tokens.refreshToken, 'in-the-query', 'ada@example.com']) {
    expect(all).not.toContain(secret);
  }
  expect(gateway.command.stderr()).not.toContain('telemetry.failed');
});

it('what is open is counted while it is, by the kind of its answer', async () => {
  let end = () => {};
  const was = target.answer;
  target.answer = (_, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n');
    end = () => res.end();
  };
  const asked = ask(gateway.port, message('GET /mcp', [['Authorization', `Bearer ${tokens.accessToken}`]]));
  const streams = async () =>
    /gatehouse_streams\{[^}]*\} (\d+)/.exec((await ask(metricsPort, message('GET /metrics'))).body.toString())?.[1];
  while ((await streams()) !== '1');
  end();
  await asked;
  while ((await streams()) !== '0');
  target.answer = was;
});

it('the last of it is sent before the process ends', async () => {
  const trace = '22222222222222222222222222222222';
  const answered = ask(gateway.port, message('GET /healthz', [['traceparent', `00-${trace}-b7ad6b7169203331-01`]]));
  expect((await answered).status).toBe(200);
  const { code } = await gateway.command.stop();
  expect(code).toBe(0);
  expect(receiver.spans.some(linkedTo(trace))).toBe(true);
});
