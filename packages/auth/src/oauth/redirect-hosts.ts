/** An operator's own list of where answers may go at all, on top of the rules every redirect URI keeps (OAuth 2.1 §2.3). */
import { redirectDisplay } from './redirect-uri.ts';

/**
 * Whether a redirect URI leads to a place on the list: a host (`claude.ai`), a host and all below it (`*.example.com`,
 * which is not `example.com` itself), or a private-use scheme with its colon (`cursor:`). Ports do not count. Without a
 * list everything does.
 */
export function redirectHosts(list: readonly string[] | undefined): (uri: string) => boolean {
  if (!list) return () => true;
  const exact = new Set(list.map((entry) => entry.toLowerCase()));
  const below = [...exact].filter((entry) => entry.startsWith('*.')).map((entry) => entry.slice(1));
  return (uri) => {
    // The same reading as the person is shown, so that no two parsers disagree (SEC-03).
    const shown = redirectDisplay(uri).toLowerCase();
    if (!/^https?:/i.test(uri)) return exact.has(`${shown.split(':', 1)[0]}:`);
    const host = shown.replace(/:\d+$/, '');
    return (
      host !== '' && (exact.has(host) || below.some((suffix) => host.endsWith(suffix) && host !== suffix.slice(1)))
    );
  };
}

/** What is wrong with the list; empty: it can be used. */
export function redirectHostFaults(list: readonly string[]): readonly string[] {
  return list
    .filter((entry) => !/^((\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*|\[::1\]|[a-z][a-z0-9+.-]*:)$/i.test(entry))
    .map((entry) => `redirectHosts: "${entry}" is no host, "*.host" or "scheme:"`);
}
