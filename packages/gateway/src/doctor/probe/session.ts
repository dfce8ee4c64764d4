/** MCP itself: both eras, the tools, and a stream that is kept open to see whether something on the way cuts it. */
import type { Exchange, SessionFacts, StreamFacts } from '../facts.ts';
import { type Ask, type Asker, failureOf } from './http.ts';
import { isObject } from './json.ts';
import { discover, initialize, initialized, legacyRevision, toolsList } from './messages.ts';

export interface SessionProbe {
  readonly url: string;
  /** The operator's; undefined at a server that lets everybody in. */
  readonly token?: string | undefined;
  /** 0: no stream is opened. */
  readonly streamSeconds: number;
  /** For the head of the stream. */
  readonly requestSeconds: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

export async function probeSession(asker: Asker, probe: SessionProbe): Promise<SessionFacts> {
  const { url, token, streamSeconds } = probe;
  const begun = await asker.ask(authorized(initialize(url), token));
  const session = asker.sessionOf(begun);
  const within = (ask: Ask) => authorized(ask, token, session);
  const legacy = resultOf(begun) !== undefined;
  // The older revisions want to hear that the client is ready before anything else is asked.
  if (legacy) await asker.ask(within(initialized(url)));
  const discovered = await asker.ask(authorized(discover(url), token));
  const modern = !legacy && resultOf(discovered) !== undefined;
  const toolsAsk = toolsList(url, modern);
  const list = legacy || modern ? await asker.ask(modern ? authorized(toolsAsk, token) : within(toolsAsk)) : undefined;
  // Only in the older revisions is there a stream to GET.
  const stream = legacy && streamSeconds > 0 ? await probeStream(asker, probe, within) : undefined;
  const ended = session === undefined ? undefined : await asker.ask(within({ url, method: 'DELETE' }));
  const claims = token === undefined ? undefined : claimsOf(token);
  return {
    withToken: token !== undefined,
    initialize: begun,
    discover: discovered,
    ...(list && { toolsList: list }),
    hasSession: session !== undefined,
    ...(stream && { stream }),
    ...(ended && { ended }),
    ...(claims && { claims }),
  };
}

/** The result of a JSON-RPC answer. */
export function resultOf({ answer }: Exchange): Readonly<Record<string, unknown>> | undefined {
  const json = answer?.json;
  return isObject(json) && isObject(json.result) ? json.result : undefined;
}

function authorized(ask: Ask, token: string | undefined, session?: string): Ask {
  return {
    ...ask,
    secretHeaders: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(session !== undefined && { 'mcp-session-id': session }),
    },
  };
}

/** Read, not verified: only shown beside what the server expects. */
function claimsOf(token: string): SessionFacts['claims'] {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (!isObject(claims)) return undefined;
    const { aud, iss, exp } = claims;
    return { aud, iss, exp };
  } catch {
    return undefined;
  }
}

const maxArrivals = 100;
const maxStreamBytes = 1024 * 1024;

async function probeStream(asker: Asker, probe: SessionProbe, within: (ask: Ask) => Ask): Promise<StreamFacts> {
  const { url, streamSeconds, requestSeconds, signal, now } = probe;
  const started = now();
  const arrivals: number[] = [];
  let bytes = 0;
  const seen = { headers: [], arrivals, bytes: 0 };
  let stop: 'enough' | 'late' | undefined;
  try {
    const { request, answer } = asker.open(
      within({ url, headers: { accept: 'text/event-stream', 'mcp-protocol-version': legacyRevision } }),
    );
    const leave = (why: 'enough' | 'late') => {
      stop ??= why;
      request.destroy();
    };
    const abort = () => leave('enough');
    signal.addEventListener('abort', abort);
    const late = setTimeout(() => leave('late'), requestSeconds * 1000);
    const enough = setTimeout(() => leave('enough'), streamSeconds * 1000 + requestSeconds * 1000);
    try {
      const incoming = await answer;
      clearTimeout(late);
      const headMs = now() - started;
      const headers: Array<readonly [string, string]> = [];
      for (const name of ['content-type', 'cache-control', 'x-accel-buffering', 'via', 'server']) {
        const value = incoming.headers[name];
        if (typeof value === 'string') headers.push([name, value]);
      }
      const contentType = incoming.headers['content-type'];
      const head = {
        status: incoming.statusCode ?? 0,
        ...(contentType !== undefined && { contentType }),
        headers,
        headMs,
      };
      if (head.status !== 200 || !/^text\/event-stream/i.test(contentType ?? '')) {
        request.destroy();
        return { ...head, arrivals, bytes, end: 'refused', ms: now() - started };
      }
      const over = setTimeout(() => leave('enough'), streamSeconds * 1000);
      let end: StreamFacts['end'] = 'closed';
      let failure: StreamFacts['failure'];
      try {
        for await (const chunk of incoming as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          if (arrivals.length < maxArrivals) arrivals.push(now() - started);
          if (bytes > maxStreamBytes) leave('enough');
        }
      } catch (error) {
        end = stop === undefined ? 'broken' : 'kept';
        if (stop === undefined) failure = failureOf(error);
      } finally {
        clearTimeout(over);
      }
      const [firstByteMs] = arrivals;
      return {
        ...head,
        ...(firstByteMs !== undefined && { firstByteMs }),
        arrivals,
        bytes,
        end,
        ...(failure && { failure }),
        ms: now() - started,
      };
    } finally {
      clearTimeout(late);
      clearTimeout(enough);
      signal.removeEventListener('abort', abort);
    }
  } catch (error) {
    const failure =
      stop === 'late' ? { code: 'TIMEOUT', message: `No answer within ${requestSeconds} s.` } : failureOf(error);
    return { ...seen, end: 'broken', failure, ms: now() - started };
  }
}
