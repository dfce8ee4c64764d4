/**
 * How much may be under way at once, so that nobody's flood takes what the others need (SEC-10, RFC 6585 §4).
 *
 * The arithmetic: a call in flight holds two sockets and about 50 KB here, so one caller holds at most 100 × 50 KB = 5 MB
 * and a resource 5,000 × 50 KB = 250 MB. A request at the authorization server takes milliseconds, so 500 at one endpoint
 * are 100,000 a second while all is well; while a database hangs and each takes four seconds, they are 125 a second and
 * at most 32 MB of bodies (64 KB each), and what is above that would have waited for the same database.
 */
import type { ServerResponse } from 'node:http';
import type { AccessToken, HttpHandler, HttpReply, HttpRequest, Log } from '@mcp-gatehouse/auth';
import { html, page } from '@mcp-gatehouse/auth/page';

export interface Limits {
  /** Requests in flight, streams among them, of one client acting for one person at one resource. */
  readonly callsPerCaller: number;
  /** Of everybody at one resource: what a slow target can pile up. */
  readonly callsPerResource: number;
  /** Requests that one endpoint of the authorization server works at; each has its own, so none starves another. */
  readonly requestsPerEndpoint: number;
  /** The longest that an endpoint of the authorization server may take, in seconds. */
  readonly requestSeconds: number;
  /** How long a client may take nothing of an answer that waits for it, in seconds. */
  readonly stalledSeconds: number;
  /** Sockets of clients; more are closed as they come. */
  readonly connections: number;
}

export const defaultLimits: Limits = {
  callsPerCaller: 100,
  callsPerResource: 5000,
  requestsPerEndpoint: 500,
  requestSeconds: 15,
  stalledSeconds: 60,
  connections: 20_000,
};

/** Bytes of one message; the SDK's own servers take 4 MiB. */
export const defaultMessageBytes = 8 * 1024 * 1024;

/** What one resource has in flight. */
export interface CallsInFlight {
  /** Undefined: go ahead, it is counted until the answer has ended, however. Otherwise the refusal to be sent. */
  enter(caller: Pick<AccessToken, 'clientId' | 'subject'>, res: ServerResponse): HttpReply | undefined;
  /** Callers that have something in flight. */
  readonly callers: number;
}

export function callsInFlight({
  callsPerCaller,
  callsPerResource,
}: Pick<Limits, 'callsPerCaller' | 'callsPerResource'>): CallsInFlight {
  const byCaller = new Map<string, number>();
  let all = 0;
  return {
    get callers() {
      return byCaller.size;
    },
    enter({ clientId, subject }, res) {
      // Gone while the guard looked: its `close` has been and would never be counted off again.
      if (res.destroyed) return undefined;
      // Neither can hold a line break, so no two callers share a key.
      const key = `${clientId}\n${subject}`;
      const own = byCaller.get(key) ?? 0;
      if (own >= callsPerCaller) {
        return busy(429, 'too_many_requests', `This client has ${own} requests in flight here; let one of them end.`);
      }
      if (all >= callsPerResource) {
        return busy(503, 'temporarily_unavailable', 'This server has as many requests in flight as it takes.');
      }
      byCaller.set(key, own + 1);
      all++;
      res.once('close', () => {
        all--;
        const left = (byCaller.get(key) as number) - 1;
        // Who has nothing in flight leaves no trace.
        if (left === 0) byCaller.delete(key);
        else byCaller.set(key, left);
      });
      return undefined;
    },
  };
}

/**
 * The authorization server within its limits. Counted is the work and not the reading of a request: whoever sends a body
 * byte by byte takes no place from anybody.
 */
export function boundedHandler(
  handler: HttpHandler,
  { requestsPerEndpoint, requestSeconds }: Pick<Limits, 'requestsPerEndpoint' | 'requestSeconds'>,
  log: Log,
): HttpHandler {
  const underway = new Map<string, number>();
  return {
    owns: handler.owns,
    handle(request) {
      const { path } = request;
      if (!handler.owns(path, request.headers.host)) return Promise.resolve(undefined);
      const count = underway.get(path) ?? 0;
      if (count >= requestsPerEndpoint) {
        log({ event: 'refused', path, status: 503, reason: 'limits.in_flight' });
        return Promise.resolve(unavailableFor(request));
      }
      underway.set(path, count + 1);
      // Counted until the work is over and not until it is answered: what hangs must not pile up behind its answers.
      const work = handler.handle(request).finally(() => {
        const left = (underway.get(path) as number) - 1;
        if (left === 0) underway.delete(path);
        else underway.set(path, left);
      });
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          log({
            event: 'fault',
            path,
            status: 503,
            reason: 'limits.time',
            cause: `took more than ${requestSeconds} s`,
          });
          resolve(unavailableFor(request));
        }, requestSeconds * 1000);
        work.then(resolve, reject).finally(() => clearTimeout(timer));
      });
    },
  };
}

/** 503 and never a refusal of what was sent: nobody throws a token away on it. A person gets a page. */
function unavailableFor({ headers }: HttpRequest): HttpReply {
  if (!/\btext\/html\b/.test(headers.accept ?? '')) {
    const reply = busy(503, 'temporarily_unavailable', 'The server cannot answer right now; try again in a moment.');
    // As the library's own answers to programs: any page may call, and nobody's cookies come along.
    const cors = {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'www-authenticate, retry-after',
    };
    return { ...reply, headers: { ...reply.headers, ...cors } };
  }
  const title = 'Not right now';
  return page(
    503,
    title,
    html`<h1>${title}</h1>
<p>The server has too much to do, or waits for something it needs. Nothing is lost: try again in a moment.</p>`,
    { 'retry-after': '2' },
  );
}

function busy(status: number, error: string, description: string): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'retry-after': '2' },
    body: JSON.stringify({ error, error_description: description }),
  };
}
