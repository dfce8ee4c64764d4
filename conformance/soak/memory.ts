/** Whether memory is flat: a straight line through the samples after the warm-up, by least squares. */

export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  readonly heapMegabytes: number;
  readonly residentMegabytes: number;
}

export interface Bounds {
  /** Growth of the heap after collection, in the long run. */
  readonly heapMegabytesPerMinute: number;
  readonly residentMegabytesPerMinute: number;
  readonly heapCeilingMegabytes: number;
  readonly residentCeilingMegabytes: number;
  /** A line through less than this many seconds says nothing; then only the ceilings count. */
  readonly heapLeastSeconds: number;
  /** Longer: an allocator keeps the most it ever needed, so the resident line climbs in steps to each new peak of load. */
  readonly residentLeastSeconds: number;
}

export interface Verdict {
  readonly heapMegabytesPerMinute: number;
  readonly residentMegabytesPerMinute: number;
  /** In words; empty: flat. */
  readonly faults: readonly string[];
}

/** Per unit of x; 0 where there is no line. */
export function slope(points: ReadonlyArray<readonly [x: number, y: number]>): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  if (!(spread > 0)) return 0;
  return points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
}

export function judge(samples: readonly Sample[], warmUpSeconds: number, bounds: Bounds): Verdict {
  const counted = samples.filter(({ at }) => at >= warmUpSeconds);
  const last = samples.at(-1);
  if (!last || counted.length < 2) {
    return { heapMegabytesPerMinute: 0, residentMegabytesPerMinute: 0, faults: ['there are not two samples'] };
  }
  const heap = slope(counted.map(({ at, heapMegabytes }) => [at / 60, heapMegabytes]));
  const resident = slope(counted.map(({ at, residentMegabytes }) => [at / 60, residentMegabytes]));
  const measured = last.at - warmUpSeconds;
  const bound = (leastSeconds: number, most: number) => (measured >= leastSeconds ? most : Number.POSITIVE_INFINITY);
  const faults = [
    ...above('the heap grows by MB a minute', heap, bound(bounds.heapLeastSeconds, bounds.heapMegabytesPerMinute)),
    ...above(
      'resident memory grows by MB a minute',
      resident,
      bound(bounds.residentLeastSeconds, bounds.residentMegabytesPerMinute),
    ),
    ...above('the heap ends at MB', last.heapMegabytes, bounds.heapCeilingMegabytes),
    ...above('resident memory ends at MB', last.residentMegabytes, bounds.residentCeilingMegabytes),
  ];
  return { heapMegabytesPerMinute: heap, residentMegabytesPerMinute: resident, faults };
}

function above(what: string, value: number, bound: number): readonly string[] {
  return value > bound ? [`${what}: ${value.toFixed(2)}, at most ${bound}`] : [];
}
