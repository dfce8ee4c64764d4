/** Whether a request is a person's own navigation, from the site of the client it is for (Fetch Metadata; RFC 9110 §10.1.3). */
import type { HttpRequest } from '../oauth/http.ts';
import type { Client } from './clients/client.ts';

/**
 * What has to be true before a request may pass without a page. The code goes to the client's proven redirect URI whoever
 * sent the browser here, so that no stranger ever holds it. But a stranger could begin a flow of their own at the client
 * and lead somebody else's browser into it: a client that keeps its `state` on its server, and not in that browser, would
 * then connect the stranger's account there to this person's things here (RFC 9700 §4.7; login CSRF, turned round). The
 * page is what stops that ("only if you came here from …"), so it is skipped only where the browser itself says that the
 * client sent it: in a window of its own, not framed, fetched or prefetched, and with the client's site as the referrer,
 * which a page can withhold and never forge. Whatever says less gets the page, which costs a click and no more.
 */
export function isOwnNavigation({ headers }: HttpRequest, client: Client, redirectUri: string): boolean {
  if (headers['sec-fetch-dest'] !== 'document' || headers['sec-fetch-mode'] !== 'navigate') return false;
  // Prefetched and prerendered pages are looked at by nobody (Sec-Purpose, Fetch §3.9; Purpose in older browsers).
  if (headers['sec-purpose'] !== undefined || headers.purpose !== undefined) return false;
  const from = originOf(headers.referer);
  if (from === undefined) return false;
  // Where the answer goes, or where the client's document is: no other id is a URL.
  return from === originOf(redirectUri) || from === originOf(client.id);
}

function originOf(url: string | undefined): string | undefined {
  if (url === undefined || !url.startsWith('https://') || !URL.canParse(url)) return undefined;
  return new URL(url).origin;
}
