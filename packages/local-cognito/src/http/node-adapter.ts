/** Node's `(req, res)` on one side, plain-data requests and replies on the other; bounds everything it reads. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseCookies } from './cookies.ts';
import type { HttpReply, HttpRequest } from './message.ts';
import { type Params, parseParams } from './params.ts';

export const MAX_BODY_BYTES = 64 * 1024;
/** How much of a refused body is read and dropped, so that its sender gets to read our answer. */
const MAX_DRAINED_BYTES = 8 * 1024 * 1024;

/** A request that could not be read: the status to answer and a tag for the log. */
export interface UnreadableRequest {
  readonly path: string;
  readonly method: string;
  readonly status: 400 | 413 | 415;
  readonly reason: string;
}

export async function readRequest(req: IncomingMessage): Promise<HttpRequest | UnreadableRequest> {
  const method = req.method ?? 'GET';
  const url = req.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const refuse = (status: 400 | 413 | 415, reason: string): UnreadableRequest => ({ path, method, status, reason });

  const body = await readBody(req);
  if (body === undefined) return refuse(413, 'body too large');
  if ((req.headersDistinct.authorization?.length ?? 0) > 1) return refuse(400, 'repeated Authorization header');
  const query = parseParams(mark === -1 ? '' : url.slice(mark + 1));
  if ('fault' in query) return refuse(400, query.fault);

  let form: Params = new Map();
  if (body.length > 0) {
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(req.headers['content-type'] ?? '')) {
      return refuse(415, 'body is not application/x-www-form-urlencoded');
    }
    const text = decodeUtf8(body);
    const parsed = text === undefined ? { fault: 'body is not UTF-8' } : parseParams(text);
    if ('fault' in parsed) return refuse(400, parsed.fault);
    form = parsed;
  }
  const cookies = parseCookies(req.headers.cookie);
  return { method, path, query, form, authorization: req.headers.authorization, cookies };
}

export function writeReply(res: ServerResponse, reply: HttpReply): void {
  if (res.destroyed || res.headersSent) return;
  res.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers)) {
    res.setHeader(name, typeof value === 'string' ? value : [...value]);
  }
  if (reply.status === 413) res.setHeader('connection', 'close');
  res.setHeader('content-length', Buffer.byteLength(reply.body));
  res.end(reply.body);
}

async function readBody(req: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
    if (length > MAX_DRAINED_BYTES) break;
  }
  return length > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks);
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
