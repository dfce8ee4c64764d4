/** `GET /oauth2/authorize` (RFC 6749 §4.1.1): signed in already, straight back with a code; otherwise to `/login`. */
import { errorRedirect } from '../authorization-request.ts';
import { completeAuthorization, page, signedIn, toPage } from './page-context.ts';

export const authorize = page(async (pool, request, authorization) => {
  const present = authorization.prompt.includes('login') ? undefined : signedIn(pool, request);
  if (present) return completeAuthorization(pool, authorization, present);
  // OpenID Connect Core §3.1.2.6
  if (authorization.prompt.includes('none')) return errorRedirect(authorization, 'login_required');
  return toPage(pool, '/login', authorization);
});
