/** How long an HTTP answer is fresh (RFC 9111 §4.2), we being a shared cache with bounds of our own. */

export interface FreshnessBounds {
  readonly minSeconds: number;
  readonly maxSeconds: number;
  /** Where the answer says nothing. */
  readonly defaultSeconds: number;
}

/** Seconds, within the bounds: the lower one also for `no-store`, so that one sign-in is not a dozen fetches. */
export function freshnessSeconds(
  headers: Readonly<Record<string, string | undefined>>,
  bounds: FreshnessBounds,
  now: number,
): number {
  const lifetime = stated(headers, now) ?? bounds.defaultSeconds;
  return Math.min(bounds.maxSeconds, Math.max(bounds.minSeconds, lifetime));
}

function stated(headers: Readonly<Record<string, string | undefined>>, now: number): number | undefined {
  const directives = (headers['cache-control'] ?? '').toLowerCase().split(',');
  const trimmed = directives.map((directive) => directive.trim());
  if (trimmed.some((directive) => /^(no-store|no-cache|private)(=|$)/.test(directive))) return 0;
  const age = seconds(headers.age) ?? 0;
  for (const name of ['s-maxage=', 'max-age=']) {
    const found = trimmed.find((directive) => directive.startsWith(name));
    // §4.2.1: what cannot be read is stale.
    if (found !== undefined) return (seconds(found.slice(name.length).replaceAll('"', '')) ?? 0) - age;
  }
  if (headers.expires === undefined) return undefined;
  const expires = Date.parse(headers.expires) / 1000;
  const date = headers.date === undefined ? Number.NaN : Date.parse(headers.date) / 1000;
  return Number.isNaN(expires) ? 0 : expires - (Number.isNaN(date) ? now : date) - age;
}

function seconds(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}
