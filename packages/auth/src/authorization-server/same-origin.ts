/** Where a form of ours was sent from: browsers say so (RFC 6454 §7, Fetch Metadata), and it is ours or it is refused. */
import { OAuthError } from '../oauth/error.ts';
import type { HttpRequest } from '../oauth/http.ts';

export function refuseOtherOrigins(request: HttpRequest, origin: string, reason: string): void {
  const { origin: sentOrigin, 'sec-fetch-site': site } = request.headers;
  if ((sentOrigin !== undefined && sentOrigin !== origin) || (site !== undefined && site !== 'same-origin')) {
    throw new OAuthError('invalid_request', 'The form was sent from another site.', { status: 403, reason });
  }
}
