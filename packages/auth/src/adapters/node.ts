/** The handler for `node:http`: reads a bounded request as plain data, and writes a reply. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Gatehouse } from '../gatehouse.ts';
import { OAuthError } from '../oauth/error.ts';
import { type HttpReply, type HttpRequest, jsonError, maxBodyBytes } from '../oauth/http.ts';

/** True: answered. False: not our path; the request is untouched, so the next handler can have it. */
export type NodeHandler = (req: IncomingMessage, res: ServerResponse) => Promise<boolean>;

export function nodeHandler({ owns, handle }: Pick<Gatehouse, 'owns' | 'handle'>): NodeHandler {
  return async (req, res) => {
    if (!owns(requestTarget(req).path)) return false;
    const request = await readRequest(req);
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

/** The whole request as plain data, or the refusal of one that is too large or says things twice. */
export async function readRequest(req: IncomingMessage): Promise<HttpRequest | HttpReply> {
  const repeated = repeatedHeader(req);
  if (repeated !== undefined) {
    return refusal(400, `The header ${repeated} is repeated.`, 'http.header_repeated');
  }
  const chunks: Buffer[] = [];
  let length = 0;
  // Counted on the bytes that came, not on Content-Length. What is too large is read and dropped for a while, because
  // a client that is still sending does not see an answer on a connection that is cut; then nobody waits any longer.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxBodyBytes) chunks.push(chunk);
    if (length > 256 * maxBodyBytes) break;
  }
  if (length > maxBodyBytes) {
    return refusal(413, 'The body is too large.', 'body.too_large');
  }
  const { path, query } = requestTarget(req);
  return {
    method: req.method ?? 'GET',
    path,
    query,
    // Node joins repeated ones with commas, or semicolons for Cookie; only set-cookie would be a list.
    headers: req.headers as Readonly<Record<string, string | undefined>>,
    body: Buffer.concat(chunks),
  };
}

function refusal(status: number, description: string, reason: string): HttpReply {
  return jsonError(new OAuthError('invalid_request', description, { status, reason }));
}

export function sendReply(req: IncomingMessage, res: ServerResponse, reply: HttpReply): void {
  for (const [name, value] of Object.entries(reply.headers)) {
    res.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
  const body = Buffer.from(reply.body, 'utf8');
  if (reply.status !== 204) res.setHeader('content-length', body.length);
  // A body that was not read to its end would be taken for the next request.
  if (!req.complete) res.setHeader('connection', 'close');
  res.writeHead(reply.status);
  res.end(req.method === 'HEAD' ? undefined : body);
}
