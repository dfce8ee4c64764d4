/** OpenTelemetry: what switches it on, what it costs while it is off, and what a collector receives of requests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type LogEvent, logName } from '@mcp-gatehouse/auth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openMeasures, routeNames } from '../src/telemetry/measures.ts';
import { signalsOf, startTelemetry } from '../src/telemetry/telemetry.ts';
import { type Watch, watch } from '../src/telemetry/watch.ts';
import { type ReceivedSpan, type Receiver, startReceiver } from './otlp-receiver.ts';

const endpoint = 'http://127.0.0.1:4318';

it.each<[NodeJS.ProcessEnv, { traces: boolean; metrics: boolean }]>([
  [{}, { traces: false, metrics: false }],
  [
    { OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'always_on' },
    { traces: false, metrics: false },
  ],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, { traces: true, metrics: true }],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint }, { traces: true, metrics: false }],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint }, { traces: false, metrics: true }],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, { traces: true, metrics: false }],
  [{ OTEL_METRICS_EXPORTER: 'console' }, { traces: false, metrics: true }],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRICS_EXPORTER: 'none' },
    { traces: true, metrics: false },
  ],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'TRUE' },
    { traces: false, metrics: false },
  ],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '  ' }, { traces: false, metrics: false }],
])('%j asks for %j', (env, signals) => {
  expect(signalsOf(env)).toEqual(signals);
});

/** Runs a module in a process of its own; what it prints. */
async function inProcess(source: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += String(chunk);
    });
  }
  await once(child, 'close');
  return text;
}

/** Says which packages of OpenTelemetry are asked for, and can refuse them. */
const moduleWatch = (refuse: boolean) => `
  import { registerHooks } from 'node:module';
  const asked = new Set();
  registerHooks({ resolve(name, context, next) {
    if (name.startsWith('@opentelemetry/')) {
      asked.add(name);
      if (${refuse}) throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' });
    }
    return next(name, context);
  } });
  const { startTelemetry } = await import('../src/telemetry/telemetry.ts');
  const options = { log: console.log, version: '1', publicOrigin: 'http://localhost' };
  try {
    const telemetry = await startTelemetry(process.env, options);
    await telemetry.shutdown();
  } catch (error) { console.log(error.message); }
  console.log('asked for', asked.size, 'sockets', process.getActiveResourcesInfo().filter((one) => /TCP|Timeout/.test(one)).length);`;

describe('a process of its own', () => {
  it('loads nothing and opens nothing while it is off', async () => {
    expect(await inProcess(moduleWatch(false), { OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' })).toBe(
      'asked for 0 sockets 0\n',
    );
    expect(await inProcess(moduleWatch(false), {})).toBe('asked for 0 sockets 0\n');
    // So that the test can fail: on, it does.
    expect(await inProcess(moduleWatch(false), { OTEL_TRACES_EXPORTER: 'console' })).toMatch(/^asked for [1-9]/);
  });

  it('says what to install where it is asked for and not there', async () => {
    const words = await inProcess(moduleWatch(true), { OTEL_TRACES_EXPORTER: 'otlp' });
    expect(words).toMatch(
      /npm install "@opentelemetry\/api@\^1[\d.]+" "@opentelemetry\/sdk-node@\^[\d.]+", or set OTEL_SDK_DISABLED=true\.\n/,
    );
  });

  it('a collector that is away, or hangs, is said in the log and holds nobody up', async () => {
    const hanging = createServer(() => {}).listen(0, '127.0.0.1');
    await once(hanging, 'listening');
    const { port } = hanging.address() as AddressInfo;
    const source = `
      const { startTelemetry } = await import('../src/telemetry/telemetry.ts');
      const telemetry = await startTelemetry(process.env, {
        log: (event) => console.log(JSON.stringify(event)), version: '1', publicOrigin: 'http://localhost' });
      const req = { headers: {}, method: 'GET', httpVersion: '1.1' };
      for (let i = 0; i < 5000; i++) telemetry.spans.request(req).end({ path: '/', route: '/', status: 200, outcome: 'x' });
      const started = performance.now();
      await telemetry.shutdown(0.5);
      console.log(performance.now() - started < 5000 ? 'in time' : 'late');
      process.exit(0);`;
    const common = { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_TIMEOUT: '200' };
    const away = await inProcess(source, { ...common, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    expect(away).toMatch(/^\{"event":"telemetry\.failed","cause":".+"\}\nin time\n$/);
    const hung = await inProcess(source, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, ...common });
    expect(hung).toMatch(/in time\n$/);
    hanging.close();
    hanging.closeAllConnections();
  });
});

describe('what a collector receives', () => {
  const parent = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
  const other = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  const traceparent = ({ traceId, spanId }: typeof parent, flags = '01') => `00-${traceId}-${spanId}-${flags}`;
  const meta = JSON.stringify({ traceparent: traceparent(other), tracestate: 'a=b', 'x/y': 1 });
  const token = { subject: 'subject-of-ada-0123456789', clientId: 'https://client.example/secret-looking-id' };
  const resource = 'https://mcp.example.com/mcp';

  let receiver: Receiver;
  let server: Server;
  let watched: Watch;
  const events: LogEvent[] = [];
  /** What the target would have been sent, by request. */
  const sent = new Map<string, Readonly<Record<string, string | undefined>>>();
  const traces = new Map<string, string | undefined>();

  const serve = (req: IncomingMessage): number => {
    const name = String(req.headers['x-case']);
    const seen = watched.request(req, req.url?.split('?')[0] ?? '');
    if (name === 'stranger') {
      seen.end({ path: '/etc/passwd', outcome: 'not_found', status: 404 });
      return 404;
    }
    seen.caller(resource, token);
    const tool = name.startsWith('tool') ? 'search' : undefined;
    if (tool) seen.message({ method: 'tools/call', tool, ...(name !== 'tool-by-header' && { meta }) });
    if (name === 'denied') {
      seen.message({ method: 'tools/call', tool: `bad\u001b${'x'.repeat(500)}` });
      seen.end({ path: '/mcp', outcome: 'tool_denied', status: 403, reason: 'token.scope', requestId: 'r-1' });
      return 403;
    }
    const there = seen.target(new URL('http://target.internal:8000/mcp?key=hidden'));
    sent.set(name, there.headers);
    if (name === 'unreachable') there.end('unreachable');
    else {
      there.answered(200, name === 'plain' ? 'text/event-stream' : 'application/json');
      there.end('answered');
    }
    seen.end({
      path: '/mcp',
      outcome: name === 'unreachable' ? 'unreachable' : 'answered',
      status: name === 'unreachable' ? 502 : 200,
      requestId: 'r-1',
    });
    traces.set(name, seen.traceId);
    return 200;
  };

  beforeAll(async () => {
    receiver = await startReceiver();
    Object.assign(process.env, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    const telemetry = await startTelemetry(process.env, {
      log: (event) => events.push(event),
      version: '0.0.1',
      publicOrigin: 'https://mcp.example.com',
    });
    telemetry.watch(() => ({
      events: [{ event: 'token.issued', labels: { grantType: 'refresh_token' }, value: 7 }],
      sinks: [],
    }));
    watched = watch({
      spans: telemetry.spans,
      measures: openMeasures({ recorders: telemetry.recorder ? [telemetry.recorder] : [] }),
      route: routeNames(['/mcp']),
    });
    server = createServer((req, res) => res.writeHead(serve(req)).end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ask = (name: string, headers: Record<string, string> = {}, path = '/mcp?code=secret-code') =>
      fetch(origin + path, { method: 'POST', headers: { 'x-case': name, ...headers } });
    await ask('plain');
    await ask('header', { traceparent: traceparent(parent), tracestate: 'vendor=1', baggage: 'a=1' });
    await ask('tool-message');
    await ask('tool-both', { traceparent: traceparent(parent) });
    await ask('tool-by-header', { 'mcp-method': 'tools/call', 'mcp-name': 'search' });
    await ask('broken', { traceparent: '00-not-a-trace-01' });
    await ask('unsampled', { traceparent: traceparent(parent, '00') });
    await ask('denied');
    await ask('unreachable');
    await ask('stranger', { authorization: 'Bearer secret-token' }, '/etc/passwd?x=secret-code');
    await telemetry.shutdown();
  });
  afterAll(async () => {
    server.close();
    server.closeAllConnections();
    await receiver.close();
  });

  /** The server's span of a case and the client's below it. */
  function pair(name: string): [ReceivedSpan, ReceivedSpan] {
    const own = receiver.spans.filter(({ traceId, kind }) => kind === 2 && traceId === traces.get(name));
    const below = receiver.spans.filter(({ parentSpanId }) => own.some(({ spanId }) => spanId === parentSpanId));
    expect([own.length, below.length]).toEqual([1, 1]);
    return [own[0] as ReceivedSpan, below[0] as ReceivedSpan];
  }

  it('a span for the request and one for the target, with the names of the conventions', () => {
    const [request, target] = pair('plain');
    expect(request).toMatchObject({ name: 'POST /mcp', kind: 2, parentSpanId: undefined });
    expect(request.attributes).toEqual({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'http.route': '/mcp',
      'network.protocol.version': '1.1',
      'server.address': 'mcp.example.com',
      'url.path': '/mcp',
      'url.scheme': 'https',
      'gatehouse.client': logName(token.clientId),
      'gatehouse.outcome': 'answered',
      'gatehouse.person': 'subject-',
      'gatehouse.request_id': 'r-1',
      'gatehouse.resource': resource,
    });
    expect(target).toMatchObject({ name: 'POST', kind: 3 });
    expect(target.attributes).toEqual({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'server.address': 'target.internal',
      'server.port': 8000,
      'url.scheme': 'http',
      'gatehouse.outcome': 'answered',
    });
    expect(request.durationMs).toBeGreaterThanOrEqual(target.durationMs);
    expect(receiver.resource).toMatchObject({ 'service.name': 'gatehouse', 'deployment.environment.name': 'test' });
  });

  it('the header names the parent, and the target is told of our span in place of the client’s', () => {
    const spans = receiver.spans.filter(({ traceId }) => traceId === parent.traceId);
    const request = spans.find(({ parentSpanId, links }) => parentSpanId === parent.spanId && links.length === 0);
    const target = spans.find(({ parentSpanId }) => parentSpanId === request?.spanId);
    expect(sent.get('header')).toEqual({
      traceparent: `00-${parent.traceId}-${target?.spanId}-01`,
      tracestate: 'vendor=1',
      baggage: 'a=1',
    });
  });

  it('without a header the message does (SEP-414), and is linked where there are both', () => {
    const byMessage = receiver.spans.find(({ parentSpanId }) => parentSpanId === other.spanId);
    expect(byMessage).toMatchObject({ traceId: other.traceId, name: 'POST /mcp' });
    expect(sent.get('tool-message')?.tracestate).toBe('a=b');
    const both = receiver.spans.find(({ parentSpanId, links }) => parentSpanId === parent.spanId && links.length > 0);
    expect(both?.links).toEqual([expect.objectContaining(other)]);
  });

  it('a broken parent is none, and what the client does not want to be sampled is not', () => {
    expect(pair('broken')[0].parentSpanId).toBeUndefined();
    expect(sent.get('unsampled')?.traceparent).toMatch(new RegExp(`^00-${parent.traceId}-[0-9a-f]{16}-00$`));
    expect(receiver.spans.map(({ spanId }) => spanId)).not.toContain(sent.get('unsampled')?.traceparent?.split('-')[2]);
    expect(sent.get('plain')).toMatchObject({ tracestate: undefined, baggage: undefined });
  });

  it('a call of a tool has its names, bounded and printable', () => {
    for (const span of pair('tool-by-header')) {
      expect(span.attributes).toMatchObject({
        'mcp.method.name': 'tools/call',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'search',
      });
    }
    const denied = receiver.spans.find(({ attributes }) => attributes['gatehouse.outcome'] === 'tool_denied');
    expect(denied?.attributes).toMatchObject({
      'gen_ai.tool.name': `bad?${'x'.repeat(96)}`,
      'gatehouse.reason': 'token.scope',
      'http.response.status_code': 403,
    });
    // Refusing is what we are there for.
    expect(denied?.status ?? 0).toBe(0);
  });

  it('a target that is not there is an error of both', () => {
    const [request, target] = pair('unreachable');
    expect([request.status, target.status]).toEqual([2, 2]);
    expect(request.attributes['error.type']).toBe('502');
    expect(target.attributes['error.type']).toBe('unreachable');
  });

  it('a path that is none of ours names no span', () => {
    const stranger = receiver.spans.find(({ attributes }) => attributes['url.path'] === '/etc/passwd');
    expect(stranger?.name).toBe('POST');
  });

  it('figures, by bounded names', () => {
    const of = (name: string) => receiver.points.filter((point) => point.name === name);
    const sum = (name: string) => of(name).reduce((all, { value }) => all + value, 0);
    expect(sum('http.server.request.duration')).toBe(10);
    expect(of('http.server.request.duration').find(({ attributes }) => attributes['error.type'])).toMatchObject({
      unit: 's',
      attributes: {
        'http.request.method': 'POST',
        'http.response.status_code': 502,
        'http.route': '/mcp',
        'error.type': '502',
        'url.scheme': 'https',
      },
    });
    expect(sum('gatehouse.target.duration')).toBe(8);
    expect(
      of('gatehouse.tool.calls').map(({ attributes, value }) => [
        attributes['gen_ai.tool.name'],
        attributes['gatehouse.outcome'],
        value,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['search', 'answered', 3],
        ['other', 'tool_denied', 1],
      ]),
    );
    expect(of('gatehouse.streams')).toMatchObject([{ value: 0, attributes: { 'gatehouse.resource': resource } }]);
    expect(of('gatehouse.events')).toMatchObject([
      { value: 7, attributes: { 'gatehouse.event': 'token.issued', 'gatehouse.grant_type': 'refresh_token' } },
    ]);
  });

  it('nothing of it is a secret or names a person', () => {
    const all = receiver.bodies.join('\n');
    expect(all).toContain('gatehouse.person');
    for (const secret of ['secret-code', 'secret-token', 'hidden', token.subject, token.clientId]) {
      expect(all).not.toContain(secret);
    }
    expect(events).toEqual([]);
  });
});
