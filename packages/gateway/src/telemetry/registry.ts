/** Counters, gauges and histograms in this process, and how Prometheus reads them: text exposition format 0.0.4. */
import type { Recorder } from './measures.ts';

type Labels = Readonly<Record<string, string>>;

interface Counter {
  value: number;
}

interface Histogram {
  /** Of each bucket alone; the last is for all that is above. */
  readonly counts: number[];
  sum: number;
}

/** Bounds in seconds, as the semantic conventions of OpenTelemetry advise for requests; a tool may take minutes. */
export const secondsBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300];

/** Series of one name. Whoever adds to it must have bounded the labels. */
interface Family<T> {
  readonly series: Map<string, { readonly labels: Labels; readonly value: T }>;
  /** By the values of its labels, which the caller joins: no object is made for a series that there is. */
  at(key: string, labels: () => Labels): T;
}

function family<T>(make: () => T): Family<T> {
  const series: Family<T>['series'] = new Map();
  return {
    series,
    at(key, labels) {
      const found = series.get(key);
      if (found) return found.value;
      const value = make();
      series.set(key, { labels: labels(), value });
      return value;
    },
  };
}

export interface Registry {
  readonly recorder: Recorder;
  /** Ends with a line break. */
  text(): string;
}

export function openRegistry(): Registry {
  const requests = family(histogram);
  const targets = family(histogram);
  const tools = family(counter);
  const streams = family(counter);
  return {
    recorder: {
      request({ method, route, status }, seconds) {
        const code = status === 0 ? 'none' : `${Math.floor(status / 100)}xx`;
        const one = requests.at(`${method} ${code} ${route}`, () => ({ method, route, status: code }));
        observe(one, seconds);
      },
      target({ resource, outcome }, seconds) {
        observe(
          targets.at(`${outcome} ${resource}`, () => ({ resource, outcome })),
          seconds,
        );
      },
      tool({ resource, tool, outcome }) {
        tools.at(`${outcome} ${tool} ${resource}`, () => ({ resource, tool, outcome })).value += 1;
      },
      streams(resource, change) {
        streams.at(resource, () => ({ resource })).value += change;
      },
    },
    text: () =>
      [
        histogramText(
          'gatehouse_http_request_duration_seconds',
          'Requests by path and class of the answer, until the answer had ended. A stream of events counts when it ends.',
          requests,
        ),
        histogramText(
          'gatehouse_target_duration_seconds',
          'Exchanges with the target of a resource, until the head of its answer.',
          targets,
        ),
        plainText('counter', 'gatehouse_tool_calls_total', 'Calls of tools by outcome.', tools),
        plainText('gauge', 'gatehouse_streams', 'Exchanges with targets that are open now.', streams),
      ].join(''),
  };
}

function counter(): Counter {
  return { value: 0 };
}

function histogram(): Histogram {
  return { counts: new Array<number>(secondsBounds.length + 1).fill(0), sum: 0 };
}

function observe(one: Histogram, seconds: number): void {
  let at = 0;
  while (at < secondsBounds.length && seconds > (secondsBounds[at] as number)) at++;
  one.counts[at] = (one.counts[at] as number) + 1;
  one.sum += seconds;
}

function plainText(type: 'counter' | 'gauge', name: string, help: string, { series }: Family<Counter>): string {
  if (series.size === 0) return '';
  const lines = [...series.values()].map(({ labels, value }) => sample(name, labels, value.value));
  return head(type, name, help) + lines.join('');
}

function histogramText(name: string, help: string, { series }: Family<Histogram>): string {
  if (series.size === 0) return '';
  const lines = [...series.values()].map(({ labels, value: { counts, sum } }) => {
    let count = 0;
    const buckets = counts.map((own, at) => {
      count += own;
      return sample(`${name}_bucket`, { ...labels, le: String(secondsBounds[at] ?? '+Inf') }, count);
    });
    return `${buckets.join('')}${sample(`${name}_sum`, labels, sum)}${sample(`${name}_count`, labels, count)}`;
  });
  return head('histogram', name, help) + lines.join('');
}

export function head(type: 'counter' | 'gauge' | 'histogram', name: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

export function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
