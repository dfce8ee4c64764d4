/** Paths that need no token, such as signed downloads: GET only, without identity, one prefix to one target prefix. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { requestTarget, sendReply } from '@mcp-gatehouse/auth';
import type { Served } from './mcp-endpoint.ts';
import { outcomeReply } from './outcome-reply.ts';
import { problem, wrongMethod } from './problem.ts';
import { forward } from './proxy/forward.ts';
import type { Target } from './proxy/target.ts';
import { hasOneReading } from './target-route.ts';

export interface OpenPath {
  /** Ends with a slash, so that `/exports` cannot match `/exports-of-others`. */
  readonly prefix: string;
  serve(req: IncomingMessage, res: ServerResponse, requestId: string): Promise<Served>;
}

/** Nobody is asked for a token here, and nothing has a body. */
const facts = { resourceMetadata: '', held: [], maxMessageBytes: 0 };
const noAnswer = problem(502, 'target_unreachable', 'The server behind this gateway does not answer.');

export function openPath(path: string, target: Target, publicOrigin: string): OpenPath {
  const prefix = path.endsWith('/') ? path : `${path}/`;
  const base = target.url.pathname.endsWith('/') ? target.url.pathname : `${target.url.pathname}/`;
  return {
    prefix,
    async serve(req, res, requestId) {
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        sendReply(req, res, wrongMethod('GET, HEAD'));
        return { outcome: 'method_not_allowed', shownPath: `${prefix}…` };
      }
      const { path: asked, query } = requestTarget(req);
      const rest = asked.slice(prefix.length);
      if (!hasOneReading(rest)) {
        sendReply(req, res, problem(404, 'not_found', 'There is nothing at this address.'));
        return { outcome: 'not_found', shownPath: `${prefix}…` };
      }
      const result = await forward({
        req,
        res,
        target,
        path: `${base}${rest}${query === '' ? '' : `?${query}`}`,
        publicOrigin,
        remoteAddress: req.socket.remoteAddress,
        requestId,
        maxBodyBytes: 0,
        extraHeaders: {},
      });
      const { outcome } = result;
      if (outcome !== 'answered' && !res.headersSent && !res.destroyed) {
        const reply =
          result.outcome === 'too_large'
            ? problem(413, 'payload_too_large', 'A download takes no request body.')
            : (outcomeReply(result, facts) ?? noAnswer);
        sendReply(req, res, reply);
      }
      // A signed link is a credential for as long as it lives: it is not written down.
      const cause = 'cause' in result && result.cause !== undefined && { cause: result.cause };
      return { outcome, shownPath: `${prefix}…`, ...cause };
    },
  };
}
