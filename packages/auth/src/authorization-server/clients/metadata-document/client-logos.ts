/** Logos for the consent page: fetched by us, checked, kept, and never a reason to refuse anybody (AS-28). */
import { boundedMap } from '../../../net/bounded-map.ts';
import { cachedFetch } from '../../../net/cached-fetch.ts';
import type { SafeFetch } from '../../../net/safe-fetch.ts';
import { type Logo, maxLogoBytes, readLogo } from './image.ts';

export type LogoOf = (logoUri: string) => Promise<Logo | undefined>;

/** How long a logo that could not be had is not asked for again: a person is waiting for the page. */
const missedSeconds = 300;

/** Never rejects; undefined where there is no logo to show now. At most 3 seconds. */
export function clientLogos(fetch: SafeFetch, now: () => number): LogoOf {
  const missedUntil = boundedMap<number>(1000);
  const logos = cachedFetch({
    fetch: (url) =>
      fetch(url, {
        maxBytes: maxLogoBytes,
        accept: 'image/png, image/webp, image/jpeg, image/gif',
        // Its bytes say what it is; what the server calls it is not believed anyway.
        isType: () => true,
        timeoutSeconds: 3,
      }),
    read(_, bytes): Logo {
      const logo = readLogo(bytes);
      if (!logo) throw new Error('no picture that we show');
      return logo;
    },
    // Of 64 KB each, and a third more in base64.
    capacity: 64,
    freshness: { minSeconds: 3600, maxSeconds: 24 * 3600, defaultSeconds: 24 * 3600 },
    lastGoodSeconds: 7 * 24 * 3600,
    retrySeconds: missedSeconds,
    now,
  });
  return async (logoUri) => {
    if (now() < (missedUntil.get(logoUri) ?? 0)) return undefined;
    try {
      return await logos.get(logoUri);
    } catch {
      missedUntil.set(logoUri, now() + missedSeconds);
      return undefined;
    }
  };
}
