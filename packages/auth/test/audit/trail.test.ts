/** The trail: events reach log, counters and every sink, and a sink that fails, hangs or floods hurts nobody else. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AuditEvent, AuditSink } from '../../src/audit/audit-event.ts';
import type { LogEvent } from '../../src/audit/events.ts';
import { functionSink, logSink } from '../../src/audit/sinks.ts';
import { type AuditTrailOptions, auditTrail } from '../../src/audit/trail.ts';

const registered = (n: number | string): LogEvent => ({
  event: 'client.registered',
  client: `client-${n}`,
  authMethod: 'none',
  redirectUris: 1,
});
const issued = (n: number): LogEvent => ({
  event: 'code.issued',
  client: `client-${n}`,
  grant: `grant-${n}`,
  resource: 'https://auth.example/mcp',
  scope: 'read',
});

function start(sinks: readonly AuditSink[], options: Partial<AuditTrailOptions> = {}) {
  const clock = { seconds: 1_800_000_000 };
  const logged: LogEvent[] = [];
  const trail = auditTrail({ log: (event) => logged.push(event), sinks, now: () => clock.seconds, ...options });
  const lost = () => logged.filter(({ event }) => event === 'audit.lost').map((e) => [e.sink, e.reason, e.count]);
  return { trail, logged, lost, clock };
}

function collecting(name = 'all', record: (event: AuditEvent) => void | Promise<void> = () => {}) {
  const seen: AuditEvent[] = [];
  const sink = functionSink(name, (event) => {
    seen.push(event);
    return record(event);
  });
  return { seen, sink };
}

/** A sink that hangs until it is let go. */
function held() {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { ...collecting('held', () => gate), release };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('an audit event', () => {
  it('carries id, time, instance, outcome, who, and its documented fields', async () => {
    const { seen, sink } = collecting();
    const { trail, logged } = start([sink]);
    trail.log({ ...issued(1), person: 'person-1', cause: 'a stack', secret: 'undocumented' });
    expect(seen, 'a sink is called behind the request').toEqual([]);
    expect(logged).toHaveLength(1);
    await trail.flush();
    expect(seen).toEqual([
      {
        id: expect.stringMatching(/^8199999999-999999999999-[A-Za-z0-9_-]{12}$/),
        time: 1_800_000_000,
        instance: expect.stringMatching(/^[A-Za-z0-9_-]{12}$/),
        event: 'code.issued',
        level: 'info',
        outcome: 'success',
        person: 'person-1',
        client: 'client-1',
        grant: 'grant-1',
        details: { resource: 'https://auth.example/mcp', scope: 'read' },
      },
    ]);
  });

  it('keeps no stack: that is for whoever reads the log', async () => {
    const { seen, sink } = collecting();
    const { trail, logged } = start([sink]);
    trail.log({ event: 'guard.refused', resource: 'r', status: 503, reason: 'guard.fault', cause: 'Error: at line 1' });
    await trail.flush();
    expect(seen[0]?.details).toEqual({ resource: 'r', status: 503, reason: 'guard.fault' });
    expect(logged[0]?.cause).toBe('Error: at line 1');
  });

  it('is none for events that are not security-relevant, nor for an unknown name', async () => {
    const { seen, sink } = collecting();
    const { trail } = start([sink]);
    trail.log({ event: 'consent.asked', client: 'c', resource: 'r', scope: 's' });
    trail.log({ event: 'made.up' } as unknown as LogEvent);
    trail.log({ event: 'constructor' } as unknown as LogEvent);
    await trail.flush();
    expect(seen).toEqual([]);
    expect(trail.counters().events).toEqual([
      { event: 'consent.asked', labels: {}, value: 1 },
      { event: 'other', labels: {}, value: 2 },
    ]);
  });

  it('is bounded and plain whatever the values are', async () => {
    const { seen, sink } = collecting();
    const { trail } = start([sink]);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const values = ['x'.repeat(100_000), '\ud800', `${'a'.repeat(511)}\u{1f600}`, 1n, circular, () => 1, Symbol('s')];
    for (const value of [...values, null, Number.NaN, [['deep']], { toJSON: () => 'x'.repeat(9999) }]) {
      trail.log({ event: 'refused', path: value, status: value, reason: value as string });
      trail.log({ ...registered(1), client: value, authMethod: value, redirectUris: value });
    }
    await trail.flush();
    expect(seen).toHaveLength(22);
    for (const event of seen) {
      expect(JSON.stringify(event).length).toBeLessThan(8192);
      for (const value of [event.client ?? '', ...Object.values(event.details)]) {
        expect(['string', 'number', 'boolean']).toContain(typeof value);
        expect(String(value).isWellFormed()).toBe(true);
      }
    }
  });

  it('has an id of its own in every instance, and ids order newest first', async () => {
    const { seen, sink } = collecting();
    const one = start([sink]);
    const two = start([sink]);
    for (let n = 0; n < 300; n++) {
      one.clock.seconds = two.clock.seconds = 1_800_000_000 + Math.floor(n / 100);
      one.trail.log(issued(n));
      two.trail.log(issued(n));
    }
    await Promise.all([one.trail.flush(), two.trail.flush()]);
    const ids = seen.map(({ id }) => id);
    expect(new Set(ids).size).toBe(600);
    for (const instance of new Set(seen.map((event) => event.instance))) {
      const own = seen.filter((event) => event.instance === instance);
      expect(own.map(({ id }) => id).toSorted()).toEqual(own.map(({ id }) => id).toReversed());
    }
    expect(seen.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(({ time }) => time)).toEqual(
      seen.map(({ time }) => time).toSorted((a, b) => b - a),
    );
  });
});

describe('a sink', () => {
  it('gets events one at a time and in order', async () => {
    let busy = 0;
    const { seen, sink } = collecting('slow', async () => {
      expect(++busy).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      busy--;
    });
    const { trail } = start([sink]);
    for (let n = 0; n < 50; n++) trail.log(issued(n));
    await trail.flush();
    expect(seen.map(({ grant }) => grant)).toEqual(Array.from({ length: 50 }, (_, n) => `grant-${n}`));
  });

  it('that throws or rejects loses that event alone, and it is said', async () => {
    const all = collecting();
    const thrower = functionSink('thrower', () => {
      throw new Error('no');
    });
    const rejecter = functionSink('rejecter', async ({ grant }) => {
      if (grant === 'grant-1') throw new Error('no');
    });
    const { trail, lost } = start([thrower, rejecter, all.sink]);
    for (let n = 0; n < 3; n++) trail.log(issued(n));
    await trail.flush();
    expect(all.seen.filter(({ event }) => event === 'code.issued')).toHaveLength(3);
    await trail.close();
    expect(trail.counters().sinks).toMatchObject([
      { sink: 'thrower', delivered: 0, lost: { failed: 3 } },
      { sink: 'rejecter', lost: { failed: 1 } },
      { sink: 'all', lost: { failed: 0 } },
    ]);
    // At the first at once, the other two at the end: nothing is lost unsaid.
    expect(lost().filter(([sink]) => sink === 'thrower')).toEqual([
      ['thrower', 'failed', 1],
      ['thrower', 'failed', 2],
    ]);
    expect(all.seen.filter(({ event }) => event === 'audit.lost')[0]).toMatchObject({
      outcome: 'failed',
      details: { sink: 'thrower', reason: 'failed', count: 1 },
    });
  });

  it('that hangs fills its own queue, costs nobody else anything, and the overflow is counted', async () => {
    const stuck = held();
    const all = collecting();
    const { trail, lost, logged } = start([stuck.sink, all.sink], { queueSize: 10 });
    for (let n = 0; n < 8; n++) trail.log(issued(n));
    await new Promise((resolve) => setImmediate(resolve));
    for (let n = 8; n < 15; n++) trail.log(issued(n));
    expect(logged.filter(({ event }) => event === 'code.issued')).toHaveLength(15);
    await vi.waitFor(() => expect(all.seen.filter(({ event }) => event === 'code.issued')).toHaveLength(15));
    expect(lost()).toEqual([['held', 'overflow', 1]]);
    stuck.release();
    await trail.close();
    expect(stuck.seen.filter(({ event }) => event === 'code.issued')).toHaveLength(10);
    expect(trail.counters().sinks[0]).toMatchObject({ sink: 'held', lost: { overflow: 5 } });
    expect(lost()).toEqual([
      ['held', 'overflow', 1],
      ['held', 'overflow', 4],
    ]);
  });

  it('that takes too long for one event loses it and gets the next', async () => {
    const { seen, sink } = collecting('hung', ({ grant }) => (grant === 'grant-0' ? new Promise(() => {}) : undefined));
    const { trail, lost } = start([sink], { timeoutSeconds: 0.01 });
    trail.log(issued(0));
    trail.log(issued(1));
    await trail.flush();
    expect(seen.map(({ grant }) => grant)).toContain('grant-1');
    expect(lost()).toEqual([['hung', 'failed', 1]]);
  });

  it('that loses for long is spoken of once a minute, not once an event', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const dead = functionSink('dead', () => {
      throw new Error('no');
    });
    const { trail, lost } = start([dead]);
    const say = async (count: number) => {
      for (let n = 0; n < count; n++) trail.log(issued(n));
      await trail.flush();
    };
    await say(100);
    expect(lost()).toEqual([['dead', 'failed', 1]]);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(lost()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(lost()).toEqual([
      ['dead', 'failed', 1],
      ['dead', 'failed', 99],
    ]);
    // The word of the loss is lost there too, which is not spoken of for ever.
    await vi.advanceTimersByTimeAsync(600_000);
    expect(lost()).toHaveLength(2);
    await say(1);
    expect(lost()).toHaveLength(3);
    expect(trail.counters().sinks[0]?.lost.failed).toBe(101);
  });

  it('with a budget takes so many a minute of what anybody can cause, and all of the rest', async () => {
    const { seen, sink } = collecting('records');
    const { trail, clock, lost } = start([{ ...sink, openPerMinute: 5 }]);
    for (let n = 0; n < 100; n++) trail.log(registered(n));
    for (let n = 0; n < 20; n++) trail.log(issued(n));
    clock.seconds += 60;
    trail.log(registered('late'));
    await trail.flush();
    const count = (name: string) => seen.filter(({ event }) => event === name).length;
    expect([count('client.registered'), count('code.issued'), count('audit.lost')]).toEqual([6, 20, 1]);
    expect(lost()).toEqual([['records', 'budget', 1]]);
    expect(trail.counters().sinks[0]?.lost.budget).toBe(95);
    expect(trail.counters().events.find(({ event }) => event === 'client.registered')?.value).toBe(101);
  });

  it('a flood of one kind hides no other kind', async () => {
    const { seen, sink } = collecting('records');
    const { trail } = start([{ ...sink, openPerMinute: 5 }]);
    for (let n = 0; n < 100; n++) trail.log({ event: 'refused', path: '/token', status: 400, reason: 'parameters' });
    trail.log({ event: 'consent.given', client: 'c', resource: 'r', scope: 's' });
    await trail.flush();
    expect(seen.map(({ event }) => event)).toContain('consent.given');
  });
});

describe('close', () => {
  it('delivers what waits, ends the sink once, and what comes later is counted', async () => {
    const { seen, sink } = collecting();
    const ended = vi.fn();
    const { trail, lost, logged } = start([{ ...sink, close: ended }]);
    for (let n = 0; n < 20; n++) trail.log(issued(n));
    await Promise.all([trail.close(), trail.close()]);
    await trail.close();
    expect(seen).toHaveLength(20);
    expect(ended).toHaveBeenCalledTimes(1);
    trail.log(issued(99));
    expect(lost()).toEqual([['all', 'closed', 1]]);
    expect(logged.some(({ grant }) => grant === 'grant-99')).toBe(true);
  });

  it('waits for no sink longer than it was told, and says what was left', async () => {
    const stuck = held();
    const { trail, lost } = start([stuck.sink]);
    for (let n = 0; n < 7; n++) trail.log(issued(n));
    await trail.close(0.01);
    expect(lost().reduce((sum, [, , count]) => sum + (count as number), 0)).toBe(7);
    const before = trail.counters().sinks;
    stuck.release();
    await trail.flush();
    expect(trail.counters().sinks).toEqual(before);
    expect(stuck.seen).toHaveLength(1);
  });
});

it('a log that throws takes nothing from the sinks or the counters', async () => {
  const { seen, sink } = collecting();
  const { trail } = start([sink], {
    log: () => {
      throw new Error('disk full');
    },
  });
  trail.log(issued(1));
  await trail.flush();
  expect(seen).toHaveLength(1);
  expect(trail.counters().events).toHaveLength(1);
});

it('a log of its own gets audit events flat, and no detail can forge what every event carries', async () => {
  const lines: Array<Readonly<Record<string, unknown>>> = [];
  const { trail } = start([logSink((line) => lines.push(line))]);
  trail.log(issued(1));
  trail.log({ event: 'consent.asked', client: 'c', resource: 'r', scope: 's' });
  await trail.flush();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ event: 'code.issued', outcome: 'success', time: 1_800_000_000, scope: 'read' });
});
