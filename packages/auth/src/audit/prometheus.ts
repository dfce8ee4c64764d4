/** Counters as Prometheus reads them: text exposition format 0.0.4. */
import type { Counters } from './counters.ts';

/** Of the answer that carries the text. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8';

export function prometheusText({ events, sinks }: Counters): string {
  return [
    ...metric(
      'gatehouse_events_total',
      'Outcomes by event; docs/events.md says what each means.',
      events.map(({ event, labels, value }) => [{ event, ...labels }, value]),
    ),
    ...metric(
      'gatehouse_audit_delivered_total',
      'Audit events that a sink has taken.',
      sinks.map(({ sink, delivered }) => [{ sink }, delivered]),
    ),
    ...metric(
      'gatehouse_audit_lost_total',
      'Audit events that did not reach a sink.',
      sinks.flatMap(({ sink, lost }) =>
        Object.entries(lost).map(([reason, value]): [Record<string, string>, number] => [{ sink, reason }, value]),
      ),
    ),
  ].join('');
}

function metric(
  name: string,
  help: string,
  samples: ReadonlyArray<readonly [labels: Readonly<Record<string, string>>, value: number]>,
): readonly string[] {
  if (samples.length === 0) return [];
  return [
    `# HELP ${name} ${help}\n# TYPE ${name} counter\n`,
    ...samples.map(([labels, value]) => `${name}{${Object.entries(labels).map(pair).join(',')}} ${value}\n`),
  ];
}

/** Label names are snake_case there; values may hold anything, escaped. */
function pair([name, value]: readonly [string, string]): string {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `${snake}="${escaped}"`;
}
