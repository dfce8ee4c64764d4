/** What the process itself costs, under the names that Prometheus dashboards for Node know, and which build it is. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { head, sample } from './registry.ts';

export interface ProcessFigures {
  text(): string;
  close(): void;
}

/** From one look at the event loop to the next. */
const resolutionMs = 20;

/** Costs a timer while it is open. */
export function processFigures(version: string): ProcessFigures {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const started = Date.now() / 1000 - process.uptime();
  return {
    text() {
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed, external } = process.memoryUsage();
      // What is measured is the time from tick to tick. Without one yet the figures are NaN or the largest there is.
      const seconds = (nanoseconds: number) =>
        delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
      const lag: ReadonlyArray<readonly [string, number]> = [
        ['p50', seconds(delay.percentile(50))],
        ['p99', seconds(delay.percentile(99))],
        ['max', seconds(delay.max)],
      ];
      const text = [
        head('gauge', 'gatehouse_build_info', 'Which build runs; always 1.'),
        sample('gatehouse_build_info', { version, node: process.versions.node }, 1),
        head('counter', 'process_cpu_seconds_total', 'CPU time of the process.'),
        sample('process_cpu_seconds_total', {}, (user + system) / 1e6),
        head('gauge', 'process_start_time_seconds', 'When the process started, since the epoch.'),
        sample('process_start_time_seconds', {}, Math.round(started * 1000) / 1000),
        head('gauge', 'process_resident_memory_bytes', 'Memory of the process.'),
        sample('process_resident_memory_bytes', {}, rss),
        head('gauge', 'nodejs_heap_size_used_bytes', 'Of it, what scripts use.'),
        sample('nodejs_heap_size_used_bytes', {}, heapUsed),
        head('gauge', 'nodejs_external_memory_bytes', 'Buffers beside the heap.'),
        sample('nodejs_external_memory_bytes', {}, external),
        ...lag.flatMap(([which, value]) => {
          const name = `nodejs_eventloop_lag_${which}_seconds`;
          return [head('gauge', name, 'How late timers were since the last look.'), sample(name, {}, value)];
        }),
      ].join('');
      delay.reset();
      return text;
    },
    close: () => delay.disable(),
  };
}
