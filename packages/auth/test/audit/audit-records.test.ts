/** Audit events in real records: in order, once, for so many days, found by person and client and time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Records, RecordsUnavailableError } from '@mcp-gatehouse/records';
import { memoryRecords } from '@mcp-gatehouse/records/memory';
import { sqliteRecords } from '@mcp-gatehouse/records/sqlite';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type AuditRecords, auditKinds, readAudit, recordSink } from '../../src/audit/audit-records.ts';
import type { LogEvent } from '../../src/audit/events.ts';
import { auditTrail } from '../../src/audit/trail.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

const begin = 1_800_000_000;
const clock = { seconds: begin };
const now = () => clock.seconds;
beforeEach(() => {
  clock.seconds = begin;
});

const issued = (n: number, who: { person?: string; client?: string } = {}): LogEvent => ({
  event: 'code.issued',
  client: who.client ?? 'client-a',
  grant: `grant-${n}`,
  ...(who.person !== undefined && { person: who.person }),
  resource: 'https://auth.example/mcp',
  scope: 'read',
});

let files = 0;
const backEnds: ReadonlyArray<readonly [string, () => Records<AuditRecords>]> = [
  ['memory', () => memoryRecords<AuditRecords>({ kinds: auditKinds, now })],
  ['sqlite', () => sqliteRecords<AuditRecords>({ kinds: auditKinds, now, file: join(folder, `${files++}.sqlite`) })],
];

const all = { since: 0, until: Number.POSITIVE_INFINITY, limit: 10_000 };

describe.each(backEnds)('in %s', (_, open) => {
  it('every event of two instances is there once, newest first', async () => {
    const records = open();
    const trails = [1, 2].map(() => auditTrail({ sinks: [recordSink({ records })], now }));
    for (let n = 0; n < 200; n++) {
      if (n % 50 === 49) clock.seconds++;
      for (const trail of trails) trail.log(issued(n));
    }
    await Promise.all(trails.map((trail) => trail.close()));
    const { events, cut } = await readAudit(records, all);
    expect([events.length, cut]).toEqual([400, undefined]);
    for (const instance of new Set(events.map((event) => event.instance))) {
      expect(events.filter((event) => event.instance === instance).map(({ grant }) => grant)).toEqual(
        Array.from({ length: 200 }, (_, n) => `grant-${199 - n}`),
      );
    }
    expect(events.map(({ time }) => time)).toEqual(events.map(({ time }) => time).toSorted((a, b) => b - a));
    await records.close();
  });

  it('they are gone after their days and not before', async () => {
    const records = open();
    const trail = auditTrail({ sinks: [recordSink({ records, days: 3 })], now });
    trail.log(issued(1));
    await trail.close();
    clock.seconds = begin + 3 * 86_400 - 1;
    expect((await readAudit(records, all)).events).toHaveLength(1);
    clock.seconds = begin + 3 * 86_400;
    expect((await readAudit(records, all)).events).toEqual([]);
    await records.close();
  });

  it('they are found by person, client, name and time, and the end of a search is said', async () => {
    const records = open();
    const trail = auditTrail({ sinks: [recordSink({ records })], now });
    for (let n = 0; n < 60; n++) {
      clock.seconds = begin + n;
      trail.log(issued(n, { person: n % 3 === 0 ? 'person-a' : 'person-b', client: n % 2 ? 'client-a' : 'client-b' }));
      trail.log({ event: 'grant.replayed', grant: `grant-${n}`, client: 'client-c', reason: 'grant.code_replayed' });
    }
    await trail.close();
    const find = async (query: Partial<Parameters<typeof readAudit>[1]>) => {
      const { events, ...rest } = await readAudit(records, { ...all, ...query });
      return [events.length, rest];
    };
    expect(await find({})).toEqual([120, {}]);
    expect(await find({ person: 'person-a' })).toEqual([20, {}]);
    expect(await find({ person: 'person-' })).toEqual([0, {}]);
    expect(await find({ person: 'person-a', client: 'client-b' })).toEqual([10, {}]);
    expect(await find({ client: 'client-c' })).toEqual([60, {}]);
    expect(await find({ events: ['code.issued'] })).toEqual([60, {}]);
    expect(await find({ since: begin + 10, until: begin + 20 })).toEqual([20, {}]);
    expect(await find({ limit: 120 })).toEqual([120, {}]);
    expect(await find({ limit: 119 })).toEqual([119, { cut: 'limit', reached: begin }]);
    expect(await find({ limit: 5, until: begin + 20 })).toEqual([5, { cut: 'limit', reached: begin + 17 }]);
    expect(await find({ maxLooked: 30, client: 'nobody' })).toEqual([0, { cut: 'looked', reached: begin + 45 }]);
    await records.close();
  });
});

/** Memory records that fail as they are told: before the write, or after it. */
function faulty(faults: Array<'before' | 'after' | 'mistake' | undefined>) {
  const records = memoryRecords<AuditRecords>({ kinds: auditKinds, now });
  let calls = 0;
  const create: Records<AuditRecords>['create'] = async (...args) => {
    const fault = faults[calls++];
    if (fault === 'mistake') throw new TypeError('no such kind');
    if (fault === 'before') throw new RecordsUnavailableError('away');
    const created = await records.create(...args);
    if (fault === 'after') throw new RecordsUnavailableError('away');
    return created;
  };
  return { records, sink: recordSink({ records: { create }, pauseSeconds: 0.001 }), calls: () => calls };
}

describe('a database that is away', () => {
  it('for a moment loses nothing and doubles nothing, also where a failed write had happened', async () => {
    const { records, sink, calls } = faulty(['before', 'after', undefined, undefined]);
    const trail = auditTrail({ sinks: [sink], now });
    trail.log(issued(1));
    trail.log(issued(2));
    await trail.close();
    expect((await readAudit(records, all)).events.map(({ grant }) => grant)).toEqual(['grant-2', 'grant-1']);
    expect(calls()).toBe(4);
    expect(trail.counters().sinks[0]).toMatchObject({ delivered: 2, lost: { failed: 0 } });
  });

  it('for longer loses the event, and the gap stands in the trail when it is back', async () => {
    const { records, sink } = faulty(['before', 'before', 'before', 'before']);
    const trail = auditTrail({ sinks: [sink], now });
    trail.log(issued(1));
    trail.log(issued(2));
    await trail.close();
    const { events } = await readAudit(records, all);
    expect(events.map(({ event, details }) => [event, details.count ?? ''])).toEqual([
      ['audit.lost', 1],
      ['code.issued', ''],
    ]);
  });

  it('is asked again only where that helps', async () => {
    const { sink, calls } = faulty(['mistake']);
    const trail = auditTrail({ sinks: [sink], now });
    trail.log({ event: 'person.signed_in', person: 'p' });
    await trail.close();
    expect(trail.counters().sinks[0]).toMatchObject({ lost: { failed: 1 } });
    // The event once, and the word of its loss.
    expect(calls()).toBe(2);
  });
});

it('hostile values are kept, bounded, and listed', async () => {
  const records = backEnds[1]?.[1]() as Records<AuditRecords>;
  const trail = auditTrail({ sinks: [recordSink({ records })], now });
  for (const value of ['\0', '\ud800', '', 'x'.repeat(1e6), 'person:x', '../..', '\u001b[31m']) {
    trail.log(issued(1, { person: value, client: value }));
    trail.log({ event: 'refused', path: value, status: 400, reason: value });
  }
  await trail.close();
  const { events } = await readAudit(records, all);
  expect(events).toHaveLength(14);
  expect(trail.counters().sinks[0]).toMatchObject({ delivered: 14, lost: { failed: 0 } });
  await records.close();
});
