/** One request as spans and figures see it: whoever serves it says what happens, once, and both are told. */
import type { IncomingMessage } from 'node:http';
import type { AccessToken } from '@mcp-gatehouse/auth';
import { type Measures, noMeasures } from './measures.ts';
import { type Asked, noSpans, type RequestEnd, type Spans } from './spans.ts';

export interface Watch {
  request(req: IncomingMessage, path: string): WatchedRequest;
}

export interface WatchedRequest {
  /** For the log; undefined: there is no trace. */
  readonly traceId: string | undefined;
  /** The resource it is for, and who asks. */
  caller(resource: string, token: Pick<AccessToken, 'subject' | 'clientId'>): void;
  /** The message as it was read. */
  message(asked: Asked): void;
  /** The exchange with the target begins. */
  target(url: URL): WatchedExchange;
  /** Once, when the request is over. */
  end(done: Omit<RequestEnd, 'route' | 'resource'>): void;
}

export interface WatchedExchange {
  /** For the target, by lower-case name, in place of the client's; undefined: none at all. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The head of the answer is there; of several the first counts. */
  answered(status: number, contentType: string | undefined): void;
  /** Once. */
  end(outcome: string): void;
}

export interface WatchOptions {
  readonly spans?: Spans;
  readonly measures?: Measures;
  /** As `routeNames` made it. */
  readonly route: (path: string) => string;
}

const seconds = (since: number) => (performance.now() - since) / 1000;

/** Without spans and measures nothing is kept, and nothing looked at. */
export function watch({ spans = noSpans, measures = noMeasures, route }: WatchOptions): Watch {
  if (spans === noSpans && measures === noMeasures) return nobodyWatches;
  return {
    request(req, path) {
      const started = performance.now();
      const span = spans.request(req);
      let resource: string | undefined;
      // Where nobody reads the message its name is what the headers say: good enough to count by, and for no decision.
      let tool = req.headers['mcp-method'] === 'tools/call' ? headerOf(req, 'mcp-name') : undefined;
      const asked: Asked = { method: headerOf(req, 'mcp-method'), tool };
      span.message(asked);
      return {
        get traceId() {
          return span.traceId;
        },
        caller(at, token) {
          resource = at;
          span.caller(token);
        },
        message(read) {
          tool = read.tool;
          span.message(read);
        },
        target(url) {
          const begun = performance.now();
          const below = span.target(url);
          let closeStream = () => {};
          let answered = false;
          return {
            headers: below.headers,
            answered(status, contentType) {
              if (answered) return;
              answered = true;
              below.answered(status);
              if (resource === undefined) return;
              measures.target(resource, 'answered', seconds(begun));
              if (contentType?.startsWith('text/event-stream')) closeStream = measures.stream(resource);
            },
            end(outcome) {
              closeStream();
              below.end(outcome);
              if (!answered && resource !== undefined) measures.target(resource, outcome, seconds(begun));
            },
          };
        },
        end(done) {
          const name = route(path);
          measures.request(req.method, name, done.status, seconds(started));
          if (tool !== undefined && resource !== undefined) measures.tool(resource, tool, done.outcome);
          span.end({ ...done, route: name, resource });
        },
      };
    },
  };
}

function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' ? value : undefined;
}

const unwatchedExchange: WatchedExchange = { headers: {}, answered: () => {}, end: () => {} };
/** Nobody looks at this one. */
export const unwatched: WatchedRequest = {
  traceId: undefined,
  caller: () => {},
  message: () => {},
  target: () => unwatchedExchange,
  end: () => {},
};

/** For a gateway that is asked for neither. */
export const nobodyWatches: Watch = { request: () => unwatched };
