/** `GET /error`: where a request ends that must not be sent back to a client. */
import type { HttpReply, HttpRequest } from '../http/message.ts';
import { html } from '../pages/html.ts';
import { pageReply } from '../pages/layout.ts';
import type { Pool } from '../pool.ts';

const EXPLANATIONS = new Map([
  [
    'redirect_mismatch',
    'The address to return to is not among those registered for this app client. They are compared character by character, with port and trailing slash.',
  ],
  ['Client does not exist.', 'No app client of this pool has that client_id.'],
]);

export async function errorPage(pool: Pool, request: HttpRequest): Promise<HttpReply> {
  return errorReply(pool, 400, request.query.get('error') ?? 'unknown error', request.query.get('client_id'));
}

/** The page itself, for whatever cannot be answered otherwise. */
export function errorReply(pool: Pool, status: number, error: string, clientId?: string): HttpReply {
  const explanation = EXPLANATIONS.get(error);
  const body = html`<h1>An error was encountered with the requested page.</h1>
<p class="message" role="alert"><code>${error.slice(0, 200)}</code></p>
${explanation !== undefined && html`<p>${explanation}</p>`}
${clientId !== undefined && html`<p>App client: <code>${clientId.slice(0, 128)}</code></p>`}`;
  return pageReply(status, {
    poolId: pool.config.poolId,
    title: 'Something is wrong with this request',
    body,
    failed: true,
  });
}
