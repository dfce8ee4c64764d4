/** `fetch` for what a provider answers: no redirect followed, a whole body of bounded size, bounded time (SEC-09, REL-02). */
import { IdentityProviderError } from './identity-provider.ts';

/** Discovery documents, key sets, id_tokens with 200 groups: none comes near. */
const maxBytes = 1024 * 1024;

/** What both `oauth4webapi` and we hand over; always with a signal, so that the time is bounded too. */
export interface BoundedRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** As `fetch`; rejects with `idp.response_too_large` where the body is over a megabyte. */
export async function boundedFetch(url: string, request: BoundedRequest): Promise<Response> {
  const response = await fetch(url, { ...(request as RequestInit), redirect: 'manual' });
  const { status, headers } = response;
  const chunks: Uint8Array[] = [];
  let size = 0;
  // As it is read, whatever Content-Length says; leaving the loop cancels the rest.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new IdentityProviderError('idp.response_too_large', { transient: false });
    chunks.push(chunk);
  }
  // A Response with one of these statuses refuses to have a body at all (Fetch, "null body status").
  const body = status === 204 || status === 205 || status === 304 ? null : Buffer.concat(chunks);
  return new Response(body, { status, headers });
}

/**
 * The signals of the requests of one call: each request has its time, and all of them together twice that, however many
 * there are. With the default of 10 seconds a renewal is over well within the minute its lease leaves for the work.
 */
export function requestSignals(timeoutSeconds: number): () => AbortSignal {
  const deadline = AbortSignal.timeout(timeoutSeconds * 2000);
  return () => AbortSignal.any([deadline, AbortSignal.timeout(timeoutSeconds * 1000)]);
}
