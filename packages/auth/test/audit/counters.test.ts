/** Counters: monotonic, with labels from closed lists; and their text form, read by the grammar Prometheus documents. */
import { describe, expect, it } from 'vitest';
import { counters } from '../../src/audit/counters.ts';
import { prometheusText } from '../../src/audit/prometheus.ts';

describe('counters', () => {
  it('count by event, reason, grant type and class of status', () => {
    const { count, snapshot } = counters();
    const token = { event: 'token.issued', client: 'c', resource: 'r', scope: 's' } as const;
    count({ ...token, grantType: 'refresh_token' });
    count({ ...token, grantType: 'refresh_token' });
    count({ ...token, grantType: 'urn:ietf:params:oauth:grant-type:jwt-bearer' });
    count({ event: 'refused', path: '/token', status: 400, reason: 'code.expired' });
    count({ event: 'refused', path: '/token', status: 401, reason: 'idp.answered.login_required' });
    count({ event: 'person.signed_in', person: 'p', reason: 'none of its fields' });
    expect(snapshot()).toEqual([
      { event: 'token.issued', labels: { grantType: 'refresh_token' }, value: 2 },
      { event: 'token.issued', labels: { grantType: 'jwt-bearer' }, value: 1 },
      { event: 'refused', labels: { reason: 'code.expired', status: '4xx' }, value: 1 },
      { event: 'refused', labels: { reason: 'idp.answered', status: '4xx' }, value: 1 },
      { event: 'person.signed_in', labels: {}, value: 1 },
    ]);
  });

  it('grow by no series through what a stranger sends', () => {
    const { count, snapshot } = counters();
    for (let n = 0; n < 2000; n++) {
      count({ event: 'refused', path: '/', status: n, reason: `made.up_${n}` });
      count({ event: 'refused', path: '/', status: `${n}`, reason: `idp.answered.x${n}` });
      count({ event: 'refused', path: '/', status: 400, reason: `x${n}` });
      count({ event: 'token.issued', client: `${n}`, grantType: `g${n}`, resource: 'r', scope: 's' });
    }
    for (const odd of [{}, null, Number.NaN, 1n, 'x'.repeat(1e6), { toString: () => 'x' }]) {
      count({ event: 'refused', path: '/', status: odd, reason: odd as string });
    }
    const all = snapshot();
    expect(all.length).toBeLessThan(20);
    expect(all.reduce((sum, { value }) => sum + value, 0)).toBe(8006);
    expect(all).toContainEqual({ event: 'token.issued', labels: { grantType: 'other' }, value: 2000 });
  });

  it('tell a process that crashed from one that nobody used', () => {
    const { count, snapshot } = counters();
    const reasons = ['crashed', 'idle', 'too_slow', 'unstartable'];
    for (const reason of reasons) count({ event: 'stdio.ended', target: 'npx', reason, seconds: 1 });
    expect(snapshot().map(({ labels }) => labels.reason)).toEqual(reasons);
  });

  it('a snapshot stays as it was', () => {
    const { count, snapshot } = counters();
    count({ event: 'person.signed_in', person: 'p' });
    const before = snapshot();
    count({ event: 'person.signed_in', person: 'p' });
    expect(before).toEqual([{ event: 'person.signed_in', labels: {}, value: 1 }]);
    expect(snapshot()[0]?.value).toBe(2);
  });
});

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The text format's own grammar (prometheus.io, Exposition formats): lines end in \n, the last one too; HELP and TYPE at
 * most once a metric and TYPE before its samples; all lines of a metric in one group; each series once.
 */
function read(text: string): readonly Sample[] {
  if (text === '') return [];
  expect(text.endsWith('\n')).toBe(true);
  const samples: Sample[] = [];
  const [described, typed, groups, series] = [new Set(), new Set(), [] as string[], new Set<string>()];
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name = '', rest = ''] = comment;
      const once = kind === 'HELP' ? described : typed;
      expect(once.has(name), line).toBe(false);
      once.add(name);
      if (kind === 'HELP') expect(rest).toMatch(/^(?:[^\\]|\\\\|\\n)*$/);
      else expect(['counter', 'gauge', 'histogram', 'summary', 'untyped']).toContain(rest);
      expect(groups, 'comments stand before the samples').not.toContain(name);
      continue;
    }
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*)\})? ([0-9.e+]+)$/.exec(
        line,
      );
    expect(sample, line).not.toBeNull();
    const [, name = '', list = '', value = ''] = sample ?? [];
    expect(typed.has(name), line).toBe(true);
    if (groups.at(-1) !== name) {
      expect(groups, 'one group a metric').not.toContain(name);
      groups.push(name);
    }
    const pairs = [...list.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', escaped = '']): [string, string] => [
        label,
        escaped.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one)),
      ],
    );
    expect(new Set(pairs.map(([label]) => label)).size, line).toBe(pairs.length);
    const labels = Object.fromEntries(pairs);
    const identity = JSON.stringify([name, Object.entries(labels).sort()]);
    expect(series.has(identity), line).toBe(false);
    series.add(identity);
    samples.push({ name, labels, value: Number(value) });
  }
  return samples;
}

describe('prometheus text', () => {
  it('says what the counters say', () => {
    const { count, snapshot } = counters();
    count({ event: 'token.issued', client: 'c', grantType: 'refresh_token', resource: 'r', scope: 's' });
    count({ event: 'refused', path: '/token', status: 400, reason: 'code.expired' });
    const sinks = [{ sink: 'records', delivered: 7, lost: { overflow: 1, failed: 0, budget: 2, closed: 0 } }];
    expect(read(prometheusText({ events: snapshot(), sinks }))).toEqual([
      { name: 'gatehouse_events_total', labels: { event: 'token.issued', grant_type: 'refresh_token' }, value: 1 },
      { name: 'gatehouse_events_total', labels: { event: 'refused', reason: 'code.expired', status: '4xx' }, value: 1 },
      { name: 'gatehouse_audit_delivered_total', labels: { sink: 'records' }, value: 7 },
      { name: 'gatehouse_audit_lost_total', labels: { sink: 'records', reason: 'overflow' }, value: 1 },
      { name: 'gatehouse_audit_lost_total', labels: { sink: 'records', reason: 'failed' }, value: 0 },
      { name: 'gatehouse_audit_lost_total', labels: { sink: 'records', reason: 'budget' }, value: 2 },
      { name: 'gatehouse_audit_lost_total', labels: { sink: 'records', reason: 'closed' }, value: 0 },
    ]);
  });

  it.each(['a"b', 'a\\b', 'a\nb', '\\"', '\\n', '"} 1\nfake_total 1', '', '日本', '\u2028'])('escapes %j', (sink) => {
    const lost = { overflow: 0, failed: 0, budget: 0, closed: 0 };
    const samples = read(prometheusText({ events: [], sinks: [{ sink, delivered: 1, lost }] }));
    expect(samples).toHaveLength(5);
    for (const { labels } of samples) expect(labels.sink).toBe(sink);
  });

  it('of nothing is nothing', () => {
    expect(prometheusText({ events: [], sinks: [] })).toBe('');
  });
});
