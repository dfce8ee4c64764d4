/** `/metrics`: who may read it, that it is what Prometheus reads, and that no stranger adds a series. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { auditTrail } from '@mcp-gatehouse/auth/audit';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Measures, openMeasures, routeNames, toolLabels } from '../src/telemetry/measures.ts';
import { type MetricsServer, startMetricsServer } from '../src/telemetry/metrics-server.ts';
import { processFigures } from '../src/telemetry/process-figures.ts';
import { openRegistry, secondsBounds } from '../src/telemetry/registry.ts';
import { ask, listen, message, open } from './raw-http.ts';

const resource = 'https://mcp.example.com/mcp';

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Text exposition format 0.0.4, strictly: every line is known, HELP and TYPE come once and before their samples, families
 * stand together, no series comes twice, histograms are cumulative, end in `+Inf` and agree with their count.
 */
function parsed(text: string): readonly Sample[] {
  expect(text.endsWith('\n')).toBe(true);
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const series = new Set<string>();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$/.exec(line) ?? [];
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (help !== undefined) {
      expect(types.has(help), `${help} comes twice`).toBe(false);
      family = help;
    } else if (typed !== undefined) {
      expect(typed).toBe(family);
      types.set(typed, type as string);
      if (type === 'counter') expect(typed).toMatch(/_total$/);
    } else {
      const [, name = '', , pairs = '', value = ''] =
        /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? ([0-9.e+-]+|\+Inf|NaN)$/.exec(line) ?? [];
      expect(name, line).not.toBe('');
      const base = types.get(family) === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
      expect(base, line).toBe(family);
      const labels: Record<string, string> = {};
      let rest = pairs;
      while (rest !== '') {
        const [whole, label = '', quoted = ''] =
          /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,(?=.)|$)/.exec(rest) ?? [];
        expect(whole, line).toBeDefined();
        expect(Object.hasOwn(labels, label)).toBe(false);
        labels[label] = quoted.replace(/\\(.)/g, (_, one) => (one === 'n' ? '\n' : one));
        rest = rest.slice(whole?.length);
      }
      const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
      expect(series.has(key), `${key} comes twice`).toBe(false);
      series.add(key);
      expect(Number.isFinite(Number(value)), line).toBe(true);
      samples.push({ name, labels, value: Number(value) });
    }
  }
  for (const [name, type] of types) if (type === 'histogram') expectHistogram(name, samples);
  return samples;
}

function expectHistogram(name: string, samples: readonly Sample[]): void {
  const counts = samples.filter((one) => one.name === `${name}_count`);
  expect(counts.length).toBeGreaterThan(0);
  for (const { labels, value } of counts) {
    const same = (one: Sample) => Object.entries(labels).every(([label, text]) => one.labels[label] === text);
    const buckets = samples.filter((one) => one.name === `${name}_bucket` && same(one));
    expect(buckets.map((one) => one.labels.le)).toEqual([...secondsBounds.map(String), '+Inf']);
    expect(buckets.map((one) => one.value)).toEqual(buckets.map((one) => one.value).sort((a, b) => a - b));
    expect(buckets.at(-1)?.value).toBe(value);
    expect(samples.filter((one) => one.name === `${name}_sum` && same(one))).toHaveLength(1);
  }
}

let server: MetricsServer;
let measures: Measures;
let trail: ReturnType<typeof auditTrail>;
const opened: MetricsServer[] = [];
afterAll(() => Promise.all(opened.map((one) => one.close())));

async function start(host?: string): Promise<MetricsServer> {
  const registry = openRegistry();
  measures = openMeasures({ recorders: [registry.recorder], tools: { [resource]: ['named'] } });
  trail = auditTrail({ now: () => 1_800_000_000 });
  const one = await startMetricsServer({
    port: 0,
    ...(host !== undefined && { host }),
    counters: trail.counters,
    registry,
    process: processFigures('1.2.3'),
  });
  opened.push(one);
  return one;
}
beforeEach(async () => {
  server = await start();
});

const get = (path: string, headers: ReadonlyArray<readonly [string, string]> = [], method = 'GET') =>
  ask(server.port, message(`${method} ${path}`, headers));
const scrape = async () => parsed((await get('/metrics')).body.toString('utf8'));
const value = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}) =>
  samples.find(
    (one) => one.name === name && Object.entries(labels).every(([label, text]) => one.labels[label] === text),
  )?.value;

describe('what Prometheus reads', () => {
  it('before anything has happened', async () => {
    const answer = await get('/metrics');
    expect(answer.header('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const samples = parsed(answer.body.toString('utf8'));
    expect(value(samples, 'gatehouse_build_info', { version: '1.2.3', node: process.versions.node })).toBe(1);
    expect(value(samples, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(value(samples, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value(samples, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
    // Within a minute of the truth.
    expect(
      Math.abs((value(samples, 'process_start_time_seconds') ?? 0) - (Date.now() / 1000 - process.uptime())),
    ).toBeLessThan(60);
  });

  it('requests, targets, tools, streams and events', async () => {
    measures.request('POST', '/mcp', 200, 0.005);
    measures.request('POST', '/mcp', 204, 0.0051);
    measures.request('POST', '/mcp', 503, 1000);
    measures.request('BREW', 'other', undefined, 0.2);
    measures.target(resource, 'answered', 0.02);
    measures.target(resource, 'unreachable', 5);
    measures.tool(resource, 'named', 'answered');
    measures.tool(resource, 'named', 'answered');
    const end = [measures.stream(resource), measures.stream(resource)];
    end[0]?.();
    end[0]?.();
    trail.log({ event: 'token.issued', client: 'c', grantType: 'refresh_token', resource, scope: 'mcp' });
    const samples = await scrape();
    const request = 'gatehouse_http_request_duration_seconds';
    const ok = { method: 'POST', route: '/mcp', status: '2xx' };
    expect(value(samples, `${request}_count`, ok)).toBe(2);
    // On the bound is within it.
    expect(value(samples, `${request}_bucket`, { ...ok, le: '0.005' })).toBe(1);
    expect(value(samples, `${request}_bucket`, { ...ok, le: '0.01' })).toBe(2);
    expect(value(samples, `${request}_sum`, ok)).toBeCloseTo(0.0101, 9);
    expect(value(samples, `${request}_bucket`, { ...ok, status: '5xx', le: '300' })).toBe(0);
    expect(value(samples, `${request}_count`, { method: '_OTHER', route: 'other', status: 'none' })).toBe(1);
    expect(value(samples, 'gatehouse_target_duration_seconds_count', { resource, outcome: 'unreachable' })).toBe(1);
    expect(value(samples, 'gatehouse_tool_calls_total', { resource, tool: 'named', outcome: 'answered' })).toBe(2);
    expect(value(samples, 'gatehouse_streams', { resource })).toBe(1);
    expect(value(samples, 'gatehouse_events_total', { event: 'token.issued', grant_type: 'refresh_token' })).toBe(1);
  });

  it('label values that would break a line are escaped', async () => {
    measures.target('https://x.example/"\\\n', 'answered', 1);
    const samples = await scrape();
    expect(samples.some(({ labels }) => labels.resource === 'https://x.example/"\\\n')).toBe(true);
  });

  it('what strangers send adds a bounded number of series', async () => {
    const route = routeNames(['/mcp', '/token'], ['/files/', '/files/special/']);
    for (let i = 0; i < 3000; i++) {
      measures.request(`M${i}`, route(`/${i}`), i, 1);
      measures.tool(resource, `tool-${i}`, `outcome ${i}`);
      measures.tool(resource, `${i}\n`, 'answered');
    }
    const before = await scrape();
    expect(before.filter(({ name }) => name === 'gatehouse_tool_calls_total').length).toBeLessThanOrEqual(202);
    expect(before.length).toBeLessThan(400);
    // What the configuration names is counted by its name, however many others there were.
    measures.tool(resource, 'named', 'answered');
    expect(value(await scrape(), 'gatehouse_tool_calls_total', { tool: 'named' })).toBe(1);
    expect(value(before, 'gatehouse_tool_calls_total', { tool: 'other', outcome: 'other' })).toBeGreaterThan(2000);
  });
});

it('routes have the names of ours, and no more', () => {
  const route = routeNames(['/mcp', '/token'], ['/files/']);
  expect(
    ['/mcp', '/token', '/files/a/secret', '/.well-known/x', '/mcp/', '/', '//mcp', '/admin.php'].map(route),
  ).toEqual(['/mcp', '/token', '/files/*', '/.well-known/*', 'other', 'other', 'other', 'other']);
});

it('tools of one resource take no names from another', () => {
  const label = toolLabels({}, 2);
  expect(['a', 'b', 'c', 'a', 'é', 'x'.repeat(65)].map((tool) => label('one', tool))).toEqual([
    'a',
    'b',
    'other',
    'a',
    'other',
    'other',
  ]);
  expect(label('two', 'c')).toBe('c');
});

describe('who may read it', () => {
  it.each<[string, string, number, ReadonlyArray<readonly [string, string]>]>([
    ['GET', '/metrics?name=x', 200, []],
    ['HEAD', '/metrics', 200, []],
    ['GET', '/', 404, []],
    ['GET', '/metrics/', 404, []],
    ['GET', '/../metrics', 404, []],
    ['POST', '/metrics', 405, []],
    // A page of somebody else’s, whose name was made to lead here.
    ['GET', '/metrics', 403, [['Host', 'evil.example:9464']]],
    ['GET', '/metrics', 403, [['Host', '[']]],
    ['GET', '/metrics', 200, [['Host', '127.0.0.1:9464']]],
    ['GET', '/metrics', 200, [['Host', '[::1]:9464']]],
  ])('%s %s: %d', async (method, path, status, headers) => {
    const answer = await get(path, headers, method);
    expect(answer.status).toBe(status);
    if (method === 'HEAD') expect(answer.body).toHaveLength(0);
    if (status === 405) expect(answer.header('allow')).toBe('GET, HEAD');
  });

  it('listens on the loopback interface unless told otherwise, and then answers to any name', async () => {
    // Another address of this computer, which only a server on all of them has.
    const [error] = await once(connect(server.port, '127.0.0.2'), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    const wide = await start('0.0.0.0');
    const there = connect(wide.port, '127.0.0.2');
    await once(there, 'connect');
    there.destroy();
    const answer = await ask(wide.port, message('GET /metrics', [['Host', 'gateway.internal:9464']]));
    expect(answer.status).toBe(200);
  });

  it('what is no HTTP, or never ends, costs a socket and no more', async () => {
    const socket = await open(server.port);
    socket.write(`GET /metrics HTTP/1.1\r\nx: ${'y'.repeat(20_000)}`);
    await listen(socket);
    const sender = await open(server.port);
    sender.write('POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx');
    expect((await listen(sender)).toString('latin1')).toMatch(/^HTTP\/1\.1 405 /);
    expect((await get('/metrics')).status).toBe(200);
  });

  it('a port that is taken is an error of its own', async () => {
    const figures = processFigures('1');
    await expect(
      startMetricsServer({ port: server.port, counters: trail.counters, registry: openRegistry(), process: figures }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    figures.close();
  });
});
