/** What a log came to: how many requests ended how, the other events, and what took longest, in bounded memory. */
import { plain } from '../log.ts';
import type { Entry } from './entry.ts';

export interface Summary {
  add(entry: Entry): void;
  /** A line that is no event, or too long to be looked at. */
  skip(): void;
  text(): string;
  json(): string;
}

interface Slow {
  readonly ms: number;
  readonly what: string;
  readonly time: string | undefined;
}

/** Names are ours, but a file may say anything. */
const maxNames = 100;
const slowestKept = 5;

export function summary(): Summary {
  const outcomes = new Map<string, number>();
  const statuses = new Map<string, number>();
  const others = new Map<string, number>();
  let slowest: readonly Slow[] = [];
  let skipped = 0;
  let requests = 0;
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

  return {
    add({ event, time, fields }) {
      if (time !== undefined) [first, last] = [Math.min(first, time), Math.max(last, time)];
      if (event !== 'http.request') return count(others, event);
      requests += 1;
      const { status, outcome, ms, method, path, tool } = fields;
      count(outcomes, typeof outcome === 'string' ? outcome : 'unknown');
      count(statuses, typeof status === 'number' ? `${Math.floor(status / 100)}xx` : 'none');
      if (typeof ms !== 'number' || (slowest.length === slowestKept && ms <= (slowest.at(-1)?.ms ?? 0))) return;
      const what = [method, path, tool].filter((one) => one !== undefined).map((one) => plain(one).slice(0, 60));
      slowest = [...slowest, { ms, what: what.join(' '), time: iso(time) }]
        .sort((a, b) => b.ms - a.ms)
        .slice(0, slowestKept);
    },
    skip() {
      skipped += 1;
    },
    json: () =>
      JSON.stringify({
        summary: {
          requests,
          from: iso(first),
          to: iso(last),
          outcomes: Object.fromEntries(sorted(outcomes)),
          statuses: Object.fromEntries(sorted(statuses)),
          events: Object.fromEntries(sorted(others)),
          slowest,
          linesLeftOut: skipped,
        },
      }),
    text() {
      const range = Number.isFinite(first) ? `, ${iso(first)} to ${iso(last)}` : '';
      return [
        '',
        `${requests} request${requests === 1 ? '' : 's'}${range}`,
        ...block('by outcome', outcomes),
        ...block('by status', statuses),
        ...block('other events', others),
        ...(slowest.length > 0 ? ['  slowest'] : []),
        ...slowest.map(({ ms, what, time = '' }) => `    ${String(ms).padStart(8)} ms  ${time}  ${what}`),
        ...(skipped > 0 ? [`  ${skipped} line${skipped === 1 ? '' : 's'} left out: no events, or too long`] : []),
      ].join('\n');
    },
  };
}

function count(counts: Map<string, number>, name: string): void {
  const known = counts.has(name) || counts.size < maxNames ? name.slice(0, 100) : 'other';
  counts.set(known, (counts.get(known) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): ReadonlyArray<readonly [string, number]> {
  return [...counts].sort(([, a], [, b]) => b - a);
}

function block(title: string, counts: ReadonlyMap<string, number>): readonly string[] {
  if (counts.size === 0) return [];
  return [`  ${title}`, ...sorted(counts).map(([name, value]) => `    ${String(value).padStart(8)}  ${plain(name)}`)];
}

function iso(time: number | undefined): string | undefined {
  return time === undefined || !Number.isFinite(time) ? undefined : new Date(time).toISOString();
}
