/** The handler for `node:http`: reads a bounded request as plain data, and writes a reply. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OAuthError } from '../oauth/error.ts';
import { type HttpHandler, type HttpReply, type HttpRequest, jsonError, maxBodyBytes } from '../oauth/http.ts';

/** True: answered. False: not our path; the request is untouched, so the next handler can have it. */
export type NodeHandler = (req: IncomingMessage, res: ServerResponse) => Promise<boolean>;

export function nodeHandler({ owns, handle }: HttpHandler): NodeHandler {
  return async (req, res) => {
    if (!owns(requestTarget(req).path, req.headers.host)) return false;
    let request: HttpRequest | HttpReply;
    try {
      request = await readRequest(req);
    } catch {
      // The client went away in the middle of its body: nobody is left to be answered, and nothing of ours failed.
      res.destroy();
      return true;
    }
    const reply = 'status' in request ? request : await handle(request);
    if (!reply) return false;
    sendReply(req, res, reply);
    return true;
  };
}

/** The path and the query exactly as they were sent. */
export function requestTarget(req: IncomingMessage): { path: string; query: string } {
  const url = req.url ?? '/';
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** Headers whose repetition two programs would read differently (SEC-11). */
const single = new Set([
  'authorization',
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'host',
  'origin',
  'sec-fetch-site',
]);

/** The name of a header that must stand once and does not. */
export function repeatedHeader(req: IncomingMessage): string | undefined {
  const seen = new Set<string>();
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = (req.rawHeaders[i] as string).toLowerCase();
    if (!single.has(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

/** The whole request as plain data, or the refusal of one that says things twice. */
export async function readRequest(req: IncomingMessage): Promise<HttpRequest | HttpReply> {
  const repeated = repeatedHeader(req);
  if (repeated !== undefined) {
    const description = `The header ${repeated} is repeated.`;
    return jsonError(new OAuthError('invalid_request', description, { reason: 'http.header_repeated' }));
  }
  const chunks: Buffer[] = [];
  let length = 0;
  // Counted on the bytes that came, not on Content-Length. What is too large is read and dropped for a while, because
  // a client that is still sending does not see an answer on a connection that is cut; then nobody waits any longer.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length - chunk.length <= maxBodyBytes) chunks.push(chunk);
    if (length > maxBodyBytes + maxDroppedBytes) break;
  }
  const { path, query } = requestTarget(req);
  return {
    method: req.method ?? 'GET',
    path,
    query,
    // Node joins repeated ones with commas, or semicolons for Cookie; only set-cookie would be a list.
    headers: req.headers as Readonly<Record<string, string | undefined>>,
    // Cut one byte above the limit, so that the endpoint itself refuses it, on a page or in JSON.
    body: Buffer.concat(chunks).subarray(0, maxBodyBytes + 1),
  };
}

export function sendReply(req: IncomingMessage, res: ServerResponse, reply: HttpReply): void {
  for (const [name, value] of Object.entries(reply.headers)) {
    res.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
  const body = Buffer.from(reply.body, 'utf8');
  if (reply.status !== 204) res.setHeader('content-length', body.length);
  // What was not read to its end would be taken for the next request.
  if (!req.complete) res.setHeader('connection', 'close');
  res.writeHead(reply.status);
  const text = req.method === 'HEAD' ? '' : body;
  if (req.complete || req.destroyed) {
    res.end(text);
    return;
  }
  // A refusal before the body has come: closing now would reset the connection, and a client that is still sending
  // would never see it (RFC 9112 §9.6). The answer goes out whole, and the rest is dropped for a while.
  res.write(text);
  let dropped = 0;
  const idle = setTimeout(() => end(), lingerMs);
  const end = () => {
    clearTimeout(idle);
    res.end();
  };
  req.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > maxDroppedBytes) end();
    else idle.refresh();
  });
  req.once('end', end);
  req.once('close', end);
  req.resume();
}

/** What is read of a body that nobody wants, before the connection is cut. */
const maxDroppedBytes = 8 * 1024 * 1024;
/** How long a sender may be silent meanwhile. */
const lingerMs = 1_000;
