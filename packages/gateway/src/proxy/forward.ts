/** The reverse proxy: one request to the target and its answer back, streamed both ways and never held (RS-21) unless a caller has read the message or rewrites the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { challengedScope, type RequestFacts, requestHeaders, responseHeaders, rewrittenHeaders } from './headers.ts';
import type { Rewrite, Rewriter } from './rewriter.ts';

export interface Target {
  readonly url: URL;
  readonly pool: Pool;
}

export function openTarget(url: string): Target {
  const parsed = new URL(url);
  const pool = new Pool(parsed.origin, {
    // No limit of its own: a client's connection has one request at a time, so there are never more here than there. A
    // limit would let whoever holds that many streams open stop the target for everybody (SEC-10).
    connections: null,
    connect: { timeout: 5_000 },
    // A tool may think for minutes before its first byte; a stream may be silent for as long as it likes.
    headersTimeout: 300_000,
    bodyTimeout: 0,
    // Below the 5 s after which uvicorn closes, or a request now and then would meet a closing connection.
    keepAliveTimeout: 4_000,
  });
  return { url: parsed, pool };
}

export interface Exchange extends Omit<RequestFacts, 'rawHeaders'> {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly target: Target;
  /** Path and query at the target. */
  readonly path: string;
  /** Bytes of a request body; more are refused with 413. */
  readonly maxBodyBytes: number;
  /** Headers of ours on every answer, CORS among them. */
  readonly extraHeaders: Readonly<Record<string, string>>;
  /** In place of the request's own body, which was read before. */
  readonly body?: Buffer;
  /** Unless given, the answer streams through as it is. */
  readonly rewrite?: Rewrite;
}

/** What came of it, for the log. */
export type Outcome =
  /** Written to its end. */
  | { readonly outcome: 'answered' }
  /** The target wants a stronger token: the caller answers with its own challenge. Nothing was written. */
  | { readonly outcome: 'insufficient_scope'; readonly scope: readonly string[] }
  /** Nothing was written: the caller says so. */
  | {
      readonly outcome: 'unreachable' | 'too_large' | 'refused_by_target' | 'redirected' | 'unfit_answer';
      readonly cause?: unknown;
    }
  /** Broken off in the middle, on either side. */
  | { readonly outcome: 'cut'; readonly cause?: unknown };

export function forward(exchange: Exchange): Promise<Outcome> {
  const { req, res, target, path, maxBodyBytes, extraHeaders, body, rewrite } = exchange;
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > maxBodyBytes) return Promise.resolve({ outcome: 'too_large' });
  const hasBody = declared > 0 || req.headers['transfer-encoding'] !== undefined;

  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined;
    let rewriter: Rewriter | undefined;
    let begin = () => {};
    let tooLarge = false;
    let settled = false;
    const abort = (reason: string) => {
      if (controller && !controller.aborted) controller.abort(new Error(reason));
    };
    // The client closing its connection is its way to cancel (2026-07-28, Streamable HTTP): the target must learn of it.
    const onClose = () => {
      abort('the client went away');
    };
    res.on('close', onClose);
    const settle = (outcome: Outcome) => {
      settled = true;
      res.off('close', onClose);
      resolve(outcome);
    };
    if (hasBody && declared === 0 && !body) {
      let received = 0;
      req.on('data', (chunk: Buffer) => {
        received += chunk.length;
        if (received <= maxBodyBytes || tooLarge) return;
        tooLarge = true;
        abort('the request body is too large');
      });
      req.pause();
    }

    /** What the rewriter gives; undefined where the answer turned out unfit, and is over. */
    const rewritten = <T>(rewriting: () => T): T | undefined => {
      try {
        return rewriting();
      } catch (cause) {
        settle({ outcome: 'unfit_answer', cause });
        abort('the answer must not pass');
        // Half an answer must not look like a whole one.
        if (res.headersSent) res.destroy();
        return undefined;
      }
    };

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started;
        if (res.destroyed) abort('the client went away');
      },
      onResponseStart(_, status, headers) {
        // An interim answer is not the answer (RFC 9110 §15.2).
        if (status < 200) return;
        const scope = status === 403 ? challengedScope(headers) : undefined;
        if (scope) {
          settle({ outcome: 'insufficient_scope', scope });
          return abort('answered by our own challenge');
        }
        // The client's token was good; that the target did not believe us is no fault of the client's.
        if (status === 401) {
          settle({ outcome: 'refused_by_target' });
          return abort('the target refused the gateway');
        }
        const location = status >= 300 && status < 400 ? headers.location : undefined;
        if (location !== undefined && leadsNowhere([location].flat()[0] ?? '', exchange)) {
          settle({
            outcome: 'redirected',
            cause: `the target redirects to ${shown(location, exchange)}: configure that address`,
          });
          return abort('answered by ourselves');
        }
        rewriter = rewrite && rewritten(() => rewrite(status, headers));
        if (settled) return;
        const answered = responseHeaders(headers);
        begin = () => {
          res.writeHead(status, withExtra(rewriter ? rewrittenHeaders(answered) : answered, extraHeaders));
          // Out with the head at once, by an empty write: `flushHeaders` would encode Latin-1 text a second time.
          res.write(Buffer.alloc(0));
        };
        if (!rewriter?.whole) begin();
      },
      onResponseData(current, received) {
        if (settled) return;
        const filter = rewriter;
        const chunk = filter ? rewritten(() => filter.push(received)) : received;
        if (!chunk || !res.headersSent || res.writableEnded || res.write(chunk)) return;
        current.pause();
        res.once('drain', () => current.resume());
      },
      onResponseEnd() {
        if (settled) return;
        const filter = rewriter;
        const last = filter && rewritten(() => filter.end());
        if (settled) return;
        if (filter?.whole) begin();
        if (!res.headersSent) return;
        if (!res.writableEnded) res.end(last);
        settle({ outcome: 'answered' });
      },
      onResponseError(_, cause) {
        if (settled) return; // the caller answers, or has
        if (tooLarge && !res.headersSent) return settle({ outcome: 'too_large' });
        if (!res.headersSent) return settle({ outcome: res.destroyed ? 'cut' : 'unreachable', cause });
        // Half an answer must not look like a whole one.
        res.destroy();
        settle({ outcome: 'cut', cause });
      },
    };
    const method = (req.method ?? 'GET') as Dispatcher.HttpMethod;
    const headers = requestHeaders({ ...exchange, rawHeaders: req.rawHeaders });
    try {
      target.pool.dispatch({ method, path, headers, body: body ?? (hasBody ? req : null) }, handler);
    } catch (cause) {
      settle({ outcome: 'unreachable', cause });
    }
  });
}

/** Without its query: it may be signed. */
function shown(location: string | string[], { target }: Exchange): string {
  const [text = ''] = [location].flat();
  if (!URL.canParse(text, target.url.href)) return 'an address that is none';
  const { origin, pathname } = new URL(text, target.url);
  return origin + pathname;
}

/**
 * Whether a client could not follow: to the target itself, which it cannot reach, or with a token that is not for there.
 * A download may lead elsewhere, to signed storage for one.
 */
function leadsNowhere(location: string, { target, token }: Exchange): boolean {
  return token !== undefined || !URL.canParse(location) || new URL(location).origin === target.url.origin;
}

/** Ours win; but what the target varies its answer by, it still varies it by. */
function withExtra(
  headers: Record<string, string | string[]>,
  extra: Readonly<Record<string, string>>,
): Record<string, string | string[]> {
  const { vary } = headers;
  const both = vary !== undefined && extra.vary !== undefined ? { vary: [vary, extra.vary].flat().join(', ') } : {};
  return { ...headers, ...extra, ...both };
}
