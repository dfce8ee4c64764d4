/** The reverse proxy: one request to the target and its answer back, streamed both ways and never held (RS-21) unless a caller has read the message or rewrites the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { challengedScope, type RequestFacts, requestHeaders, responseHeaders, rewrittenHeaders } from './headers.ts';
import { defaultKeepAliveSeconds, type KeepAlive, keepAlive } from './keep-alive.ts';
import { retryPauseMs } from './retry.ts';
import type { Rewrite, Rewriter } from './rewriter.ts';
import type { Target } from './target.ts';
import { isTimeout, targetErrorInWords } from './target-errors.ts';

export interface Exchange extends Omit<RequestFacts, 'rawHeaders' | 'injected'> {
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
  /** Told of the head of the target's answer, whatever becomes of it. */
  readonly onHead?: (status: number, contentType: string | undefined) => void;
  /** A `Location` of the target's as the client reaches it; undefined: it cannot. Unless given, none of the target's own. */
  readonly publicLocation?: (location: string) => string | undefined;
  /** Unless given, the answer streams through as it is. */
  readonly rewrite?: Rewrite;
  /** How long an event stream may be silent before a comment goes out in it; 0: for ever; 20 unless given. */
  readonly keepAliveSeconds?: number;
}

/** What came of it, for the log. */
export type Outcome =
  /** Written to its end. */
  | { readonly outcome: 'answered' }
  /** The target wants a stronger token: the caller answers with its own challenge. Nothing was written. */
  | { readonly outcome: 'insufficient_scope'; readonly scope: readonly string[] }
  /** Nothing was written: the caller says so. */
  | {
      readonly outcome:
        | 'unreachable'
        | 'timed_out'
        /** Known to be away by its health check: it was not asked. */
        | 'away'
        /** None of its connections became free. */
        | 'target_busy'
        | 'too_large'
        | 'refused_by_target'
        | 'redirected'
        | 'unfit_answer';
      readonly cause?: unknown;
    }
  /** Broken off in the middle, on either side. */
  | { readonly outcome: 'cut'; readonly cause?: unknown };

export function forward(exchange: Exchange): Promise<Outcome> {
  const { req, res, target, path, maxBodyBytes, extraHeaders, body, rewrite } = exchange;
  const declared = Number(req.headers['content-length'] ?? 0);
  if (declared > maxBodyBytes) return Promise.resolve({ outcome: 'too_large' });
  if (target.health?.state() === 'away') return Promise.resolve({ outcome: 'away' });
  const hasBody = declared > 0 || req.headers['transfer-encoding'] !== undefined;
  const method = (req.method ?? 'GET') as Dispatcher.HttpMethod;
  const pool = (method === 'GET' ? target.streams : undefined) ?? target.pool;

  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined;
    let rewriter: Rewriter | undefined;
    let comments: KeepAlive | undefined;
    let begin = () => {};
    let attempt = 1;
    let heard = false;
    let tooLarge = false;
    let settled = false;
    /** Until the next attempt, or until a connection has been waited for long enough. */
    let timer: NodeJS.Timeout | undefined;
    const abort = (reason: string) => {
      if (controller && !controller.aborted) controller.abort(new Error(reason));
    };
    // The client closing its connection is its way to cancel (2026-07-28, Streamable HTTP): the target must learn of it.
    const onClose = () => {
      comments?.end();
      if (controller) abort('the connection to the client was closed');
      // It waits for its turn, which may never come.
      else settle({ outcome: 'cut', cause: 'the connection to the client was closed' });
    };
    res.on('close', onClose);
    const settle = (outcome: Outcome) => {
      settled = true;
      clearTimeout(timer);
      comments?.end();
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
        clearTimeout(timer);
        if (settled || res.destroyed) abort('nobody waits for it');
      },
      onResponseStart(_, status, headers) {
        heard = true;
        // An interim answer is not the answer (RFC 9110 §15.2).
        if (status < 200) return;
        exchange.onHead?.(status, [headers['content-type']].flat()[0]);
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
        const [location] = [headers.location].flat();
        const publicLocation = location === undefined ? undefined : exchange.publicLocation?.(location);
        const nowhere = location !== undefined && publicLocation === undefined && leadsNowhere(location, exchange);
        if (nowhere && status >= 300 && status < 400) {
          settle({
            outcome: 'redirected',
            cause: `the target redirects to ${shown(location, exchange)}: configure that address`,
          });
          return abort('answered by ourselves');
        }
        rewriter = rewrite && rewritten(() => rewrite(status, headers));
        if (settled) return;
        const answered = responseHeaders(headers);
        if (publicLocation !== undefined) answered.location = publicLocation;
        // An address of the target is none for a client, and how it is called in here is nobody's business.
        else if (nowhere) delete answered.location;
        const head = withExtra(rewriter ? rewrittenHeaders(answered) : answered, extraHeaders);
        begin = () => {
          res.writeHead(status, head);
          // Out with the head at once, by an empty write: `flushHeaders` would encode Latin-1 text a second time.
          res.write(Buffer.alloc(0));
        };
        if (rewriter?.whole) return;
        begin();
        const { keepAliveSeconds = defaultKeepAliveSeconds } = exchange;
        if (keepAliveSeconds > 0 && method !== 'HEAD' && takesComments(status, head))
          comments = keepAlive(res, keepAliveSeconds);
      },
      onResponseData(current, received) {
        if (settled) return;
        const filter = rewriter;
        const passed = filter ? rewritten(() => filter.push(received)) : received;
        const chunk = passed && comments ? comments.next(passed) : passed;
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
      onResponseError(_, error) {
        if (settled) return; // the caller answers, or has
        if (tooLarge && !res.headersSent) return settle({ outcome: 'too_large' });
        const cause = targetErrorInWords(error);
        if (res.headersSent) {
          // Half an answer must not look like a whole one.
          res.destroy();
          return settle({ outcome: 'cut', cause });
        }
        if (res.destroyed) return settle({ outcome: 'cut', cause });
        const begun = controller !== undefined;
        const pauseMs = retryPauseMs({ attempt, error, begun, heard, method, hasBody });
        if (pauseMs === undefined) return settle({ outcome: isTimeout(error) ? 'timed_out' : 'unreachable', cause });
        attempt += 1;
        clearTimeout(timer);
        timer = setTimeout(dispatch, pauseMs);
      },
    };
    const headers = requestHeaders({ ...exchange, rawHeaders: req.rawHeaders, injected: target.headers });
    const dispatch = () => {
      controller = undefined;
      const waitSeconds = pool === target.pool ? target.waitSeconds : undefined;
      // Longer than a connection may take to be made, which has words of its own when it fails.
      const waited = () => settle({ outcome: 'target_busy' });
      if (waitSeconds !== undefined) timer = setTimeout(waited, (waitSeconds + 1) * 1000);
      try {
        pool.dispatch({ method, path, headers, body: body ?? (hasBody ? req : null) }, handler);
      } catch (cause) {
        settle({ outcome: 'unreachable', cause });
      }
    };
    dispatch();
  });
}

/** Whether a line may be added: to an event stream whose bytes are plain and whose length nobody has promised. */
function takesComments(status: number, head: Readonly<Record<string, string | string[]>>): boolean {
  const { 'content-type': type, 'content-encoding': coding = 'identity', 'content-length': length } = head;
  return (
    status === 200 && /^text\/event-stream *(;|$)/i.test(String(type)) && coding === 'identity' && length === undefined
  );
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
function leadsNowhere(location: string, { target, identity }: Exchange): boolean {
  return identity !== undefined || !URL.canParse(location) || new URL(location).origin === target.url.origin;
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
