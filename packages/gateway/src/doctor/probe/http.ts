/** One HTTP request at a time to a server that may be slow, endless or hostile: bounded in time, size and number. */
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Answer, Exchange, Failure, Fetched } from '../facts.ts';
import { jsonIn, jsonRpcAnswerIn } from './json.ts';

export interface Ask {
  readonly url: string;
  /** GET unless told. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent and not kept: a token. */
  readonly secretHeaders?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of an event stream the head is enough: one that nobody has anything to say on is silent for as long as we wait. */
  readonly leavesStreams?: boolean;
}

export interface Asker {
  ask(ask: Ask): Promise<Exchange>;
  /** A document: GET, redirects followed as `fetch` would, at most three and each of them a hop. */
  fetch(url: string, headers?: Readonly<Record<string, string>>): Promise<Fetched>;
  /** The request itself, its answer unread; counted and bounded like the others. For a stream. */
  open(ask: Ask): { readonly request: ClientRequest; readonly answer: Promise<IncomingMessage> };
  /** The `Mcp-Session-Id` of an answer, which the exchange itself does not keep. */
  sessionOf(exchange: Exchange): string | undefined;
  readonly requests: number;
  close(): void;
}

export interface AskerOptions {
  /** For one request, its answer included. */
  readonly requestSeconds: number;
  readonly maxRequests: number;
  /** Ends everything: the time for the whole examination is over, or the person has had enough. */
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly lookup?: LookupFunction;
  readonly onAsk?: (method: string, url: string) => void;
}

export const maxBodyBytes = 128 * 1024;
/** Of what is no JSON only the beginning is ever shown. */
const maxKeptCharacters = 16_384;
const maxRedirects = 3;

export function createAsker(options: AskerOptions): Asker {
  const { requestSeconds, maxRequests, signal, now, lookup, onAsk } = options;
  // Two are enough for whoever asks one thing after the other, and a warm one is what clients have.
  const shared = { keepAlive: true, maxSockets: 2, ...(lookup && { lookup }) };
  const plainAgent = new Agent(shared);
  // Faults of certificates are facts of their own (tls.ts). What is behind one is looked at all the same: nothing secret
  // goes there, and an operator wants all that is wrong at once.
  const tlsAgent = new TlsAgent({ ...shared, rejectUnauthorized: false });
  const sessions = new WeakMap<Exchange, string>();
  let requests = 0;

  function open({ url, method = 'GET', headers, secretHeaders, body }: Ask) {
    if (signal.aborted) throw failed('BUDGET', 'The examination was over.');
    if (requests >= maxRequests) throw failed('BUDGET', `${maxRequests} requests were made, and no more are.`);
    requests += 1;
    onAsk?.(method, url);
    const parsed = new URL(url);
    const secure = parsed.protocol === 'https:';
    const request = (secure ? requestHttps : requestHttp)(parsed, {
      method,
      agent: secure ? tlsAgent : plainAgent,
      auth: null, // userinfo of a URL that the server gave is no credential of ours
      headers: {
        'user-agent': 'gatehouse-doctor',
        'accept-encoding': 'identity',
        ...headers,
        ...secretHeaders,
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
      },
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
    answer.catch(() => {}); // whoever waits hears of it; a request that is dropped has nobody
    request.end(body);
    return { request, answer };
  }

  async function once(ask: Ask): Promise<Exchange> {
    const { url, method = 'GET', headers: sent = {} } = ask;
    const started = now();
    const seen = { method, url, sent };
    let request: ClientRequest | undefined;
    let late: Failure | undefined;
    const stop = (failure: Failure) => {
      late ??= failure;
      request?.destroy();
    };
    const timer = setTimeout(
      () => stop({ code: 'TIMEOUT', message: `No answer within ${requestSeconds} s.` }),
      requestSeconds * 1000,
    );
    const abort = () => stop({ code: 'BUDGET', message: 'The examination was over.' });
    signal.addEventListener('abort', abort);
    try {
      const opened = open(ask);
      request = opened.request;
      const incoming = await opened.answer;
      const headMs = now() - started;
      const { bytes, end, text } = await readBody(incoming, request, ask.leavesStreams ?? false);
      const answer = answerOf(incoming, { text, bytes, end: late && end === 'broken' ? 'time' : end, headMs });
      const exchange = { ...seen, answer, ms: now() - started };
      const session = incoming.headers['mcp-session-id'];
      if (typeof session === 'string') sessions.set(exchange, session);
      return exchange;
    } catch (error) {
      return { ...seen, failure: late ?? failureOf(error), ms: now() - started };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  async function ask(asked: Ask): Promise<Exchange> {
    const first = await once(asked);
    // A kept connection that the server was just closing says nothing about the server (RFC 9112 §9.3.1).
    return first.failure?.code === 'ECONNRESET' ? once(asked) : first;
  }

  return {
    ask,
    open,
    async fetch(url, headers = {}) {
      const hops: Exchange[] = [];
      for (let next: string | undefined = url; next !== undefined && hops.length <= maxRedirects; ) {
        const hop = await ask({ url: next, headers: { accept: 'application/json', ...headers } });
        hops.push(hop);
        next = redirectOf(hop);
      }
      return { url, hops };
    },
    sessionOf: (exchange) => sessions.get(exchange),
    get requests() {
      return requests;
    },
    close() {
      plainAgent.destroy();
      tlsAgent.destroy();
    },
  };
}

/** Where a redirect leads, absolute; undefined for another answer, and for places that are none of HTTP. */
export function redirectOf({ url, answer }: Exchange): string | undefined {
  if (!answer || ![301, 302, 303, 307, 308].includes(answer.status)) return undefined;
  const location = answer.headers.find(([name]) => name === 'location')?.[1];
  if (location === undefined || location.length > 8192 || !URL.canParse(location, url)) return undefined;
  const to = new URL(location, url);
  return to.protocol === 'https:' || to.protocol === 'http:' ? to.href : undefined;
}

async function readBody(
  incoming: IncomingMessage,
  request: ClientRequest,
  leavesStreams: boolean,
): Promise<{ text: string; bytes: number; end: Answer['end'] }> {
  const events = /^text\/event-stream/i.test(incoming.headers['content-type'] ?? '');
  const chunks: Buffer[] = [];
  let bytes = 0;
  const text = () => Buffer.concat(chunks).toString('utf8');
  const left = (end: Answer['end']) => {
    request.destroy();
    return { text: text(), bytes, end };
  };
  if (events && leavesStreams) return left('stream');
  try {
    for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const room = maxBodyBytes - bytes;
      chunks.push(chunk.subarray(0, room));
      bytes += Math.min(chunk.length, room);
      if (chunk.length > room) return left('size');
      // A stream need not end: what was asked for has come.
      if (events && jsonRpcAnswerIn(text()) !== undefined) return left('stream');
    }
    return { text: text(), bytes, end: 'whole' };
  } catch {
    return { text: text(), bytes, end: 'broken' };
  }
}

function answerOf(
  incoming: IncomingMessage,
  { text, bytes, end, headMs }: { text: string; bytes: number; end: Answer['end']; headMs: number },
): Answer {
  const headers: Array<readonly [string, string]> = [];
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    const name = (incoming.rawHeaders[i] ?? '').toLowerCase();
    const value = incoming.rawHeaders[i + 1] ?? '';
    // Facts are shown and written to files: what opens a door stays out of them.
    if (name === 'set-cookie') headers.push([name, `${value.split('=', 1)[0]}=…`]);
    else headers.push([name, name === 'mcp-session-id' ? '…' : value]);
  }
  const events = /^text\/event-stream/i.test(incoming.headers['content-type'] ?? '');
  const json = events ? jsonRpcAnswerIn(text) : jsonIn(text);
  return {
    status: incoming.statusCode ?? 0,
    headers,
    body: text.slice(0, maxKeptCharacters),
    bytes,
    end,
    ...(json !== undefined && { json }),
    headMs,
  };
}

export function failureOf(error: unknown): Failure {
  // Node tries every address, and says all that went wrong in one error without words of its own.
  const cause = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return {
    code: typeof code === 'string' ? code : 'UNKNOWN',
    message: typeof message === 'string' ? message : String(cause),
  };
}

function failed(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
