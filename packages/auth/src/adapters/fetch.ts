/** The handler for the web-standard world: `Request` in, `Response` out. */
import { type HttpHandler, maxBodyBytes } from '../oauth/http.ts';

/** Undefined: not our path. A body beyond the limit is not read to its end. */
export function fetchHandler({ owns, handle }: HttpHandler): (request: Request) => Promise<Response | undefined> {
  return async (request) => {
    const { pathname, search, host } = new URL(request.url);
    // A `Request` made by hand has no such header, and its address says where it goes.
    const sentTo = request.headers.get('host') ?? host;
    if (!owns(pathname, sentTo)) return undefined;
    const reply = await handle({
      method: request.method,
      path: pathname,
      query: search.slice(1),
      headers: { ...Object.fromEntries(request.headers), host: sentTo },
      body: await limitedBody(request),
    });
    if (!reply) return undefined;
    const headers = new Headers();
    for (const [name, value] of Object.entries(reply.headers)) {
      for (const one of typeof value === 'string' ? [value] : value) headers.append(name, one);
    }
    return new Response(reply.body === '' ? null : reply.body, { status: reply.status, headers });
  };
}

/** Cut one byte above the limit, so that the endpoint itself refuses it, on a page or in JSON. */
async function limitedBody(request: Request): Promise<Uint8Array> {
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    chunks.push(chunk);
    if (length > maxBodyBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBodyBytes + 1);
}
