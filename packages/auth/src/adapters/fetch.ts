/** The handler for the web-standard world: `Request` in, `Response` out. */
import type { Gatehouse } from '../gatehouse.ts';
import { OAuthError } from '../oauth/error.ts';
import { jsonError, maxBodyBytes } from '../oauth/http.ts';

/** Undefined: not our path. A body beyond the limit is not read to its end. */
export function fetchHandler({
  owns,
  handle,
}: Pick<Gatehouse, 'owns' | 'handle'>): (request: Request) => Promise<Response | undefined> {
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    if (!owns(pathname)) return undefined;
    const body = await limitedBody(request);
    const reply = body
      ? await handle({
          method: request.method,
          path: pathname,
          query: search.slice(1),
          headers: Object.fromEntries(request.headers),
          body,
        })
      : jsonError(new OAuthError('invalid_request', 'The body is too large.', { status: 413 }));
    if (!reply) return undefined;
    const headers = new Headers();
    for (const [name, value] of Object.entries(reply.headers)) {
      for (const one of typeof value === 'string' ? [value] : value) headers.append(name, one);
    }
    return new Response(reply.body === '' ? null : reply.body, { status: reply.status, headers });
  };
}

async function limitedBody(request: Request): Promise<Uint8Array | undefined> {
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    if (length > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
