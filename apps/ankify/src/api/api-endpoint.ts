/** Everything below `/api`: who calls, what they may, what they sent, then the route; every refusal is a problem (RFC 9457). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type * as z from 'zod';
import { type CallerOptions, callerOf } from '../http/caller.ts';
import { readJson } from '../http/json-body.ts';
import type { LogEvent } from '../tools/tool-context.ts';
import type { Idempotency } from './idempotency.ts';
import { type Fault, Problem, problemReply } from './problem.ts';
import { problemOf } from './problem-of.ts';
import { type Answer, type Call, findRoute, type Route } from './route.ts';
import { sendStream } from './send-stream.ts';

/** A full deck as JSON, every non-ASCII letter escaped. */
export const maxApiBodyBytes = 768 * 1024;
const maxDepth = 8;

export interface ApiEndpointOptions extends CallerOptions {
  readonly routes: readonly Route[];
  readonly idempotency: Idempotency;
  readonly log: (event: LogEvent) => void;
}

export interface ApiEndpoint {
  /** `path`: behind `/api`, `''` for `/api` itself. Rejects only where the answer cannot be written. */
  handle(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>;
  /** Ends the event streams. */
  close(): void;
}

export function createApiEndpoint(options: ApiEndpointOptions): ApiEndpoint {
  const ending = new AbortController();
  return {
    async handle(request, response, path) {
      const gone = new AbortController();
      response.once('close', () => gone.abort(new Error('the caller has gone')));
      const signal = AbortSignal.any([gone.signal, ending.signal]);
      let answer: Answer;
      let routeId = 'none';
      try {
        const { call, route, run } = await admit(options, request, path, signal);
        routeId = route.id;
        answer = await run(call);
      } catch (error) {
        if (request.readableAborted || gone.signal.aborted) return; // nobody is left to be answered
        const problem = ending.signal.aborted ? ends : problemOf(error);
        if (problem.kind === 'fault') {
          const cause = error instanceof Error ? error.stack : String(error);
          options.log({ event: 'api.failed', route: routeId, error: cause });
        } else options.log({ event: 'api.refused', route: routeId, problem: problem.kind });
        const { status, headers, body } = problemReply(problem);
        const cut = problem.kind === 'too-large' && { connection: 'close' };
        response.writeHead(status, { ...headers, ...cut, 'content-length': Buffer.byteLength(body) });
        response.end(request.method === 'HEAD' ? undefined : body);
        return;
      }
      options.log({ event: 'api.answered', route: routeId, status: answer.status });
      await send(request, response, answer, signal);
    },
    close: () => ending.abort(new Error('the server ends')),
  };
}

const ends = new Problem('unavailable', 'The server is being restarted. Try again in a moment.', { retrySeconds: 2 });

interface Admitted {
  readonly route: Route;
  readonly call: Call<unknown, unknown, unknown>;
  readonly run: (call: Call<unknown, unknown, unknown>) => Promise<Answer>;
}

async function admit(
  { routes, idempotency, ...callers }: ApiEndpointOptions,
  request: IncomingMessage,
  path: string,
  signal: AbortSignal,
): Promise<Admitted> {
  const caller = callerOf(request, callers);
  if ('status' in caller) throw new Problem(caller.status === 401 ? 'unauthorized' : 'forbidden', caller.description);
  const method = request.method ?? '';
  const found = findRoute(routes, method === 'HEAD' ? 'GET' : method, path === '' ? '/' : path);
  if (found === undefined) throw new Problem('not-found', 'The API has nothing at this address; see openapi.json.');
  if (!('route' in found)) {
    const allow = found.join(', ');
    throw new Problem('method-not-allowed', `Only ${allow} can be used here.`, { headers: { allow } });
  }
  const { route, params } = found;
  if (!caller.scope.includes(route.scope)) throw insufficient(route.scope);
  const query = checked(route.query, queryOf(request), (at) => `?${at.slice(1)}`);
  const read = route.body ? await readBody(request) : undefined;
  const body = checked(route.body, read?.value, (at) => at);
  const call = { owner: caller.subject, params, query, body, headers: request.headers, signal };
  const key = request.headers['idempotency-key'];
  if (!route.keyed || key === undefined) return { route, call, run: route.handle };
  if (typeof key !== 'string') throw new Problem('invalid-request', 'The header Idempotency-Key may be sent once.');
  const keyed = { owner: call.owner, key, method, path, body: read?.bytes ?? new Uint8Array() };
  const { handle, again } = route;
  return {
    route,
    call,
    run: (given) => idempotency.run(keyed, () => handle(given), again && (() => again(given))),
  };
}

/** RFC 6750 §3.1: the gateway reads the scope from it and challenges the client for it. */
function insufficient(scope: string): Problem {
  return new Problem('insufficient-scope', `This needs the scope ${scope}.`, {
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    members: { scope },
  });
}

function queryOf(request: IncomingMessage): Record<string, string> {
  const text = request.url ?? '';
  const at = text.indexOf('?');
  const found = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(at < 0 ? '' : text.slice(at))) {
    if (found.has(name)) {
      throw new Problem('invalid-request', 'A parameter of the query may be sent once.', {
        errors: [{ pointer: `?${name.slice(0, 80)}`, detail: 'it is repeated' }],
      });
    }
    found.set(name, value);
  }
  return Object.fromEntries(found);
}

async function readBody(request: IncomingMessage) {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const read = await readJson(request, { maxBytes: maxApiBodyBytes, maxDepth });
  // After the body was read: who is still sending would see a broken connection, and not the answer.
  if (type !== 'application/json') {
    throw new Problem('not-json-type', 'Send the body as JSON, with Content-Type: application/json.');
  }
  if ('value' in read) return read;
  switch (read.fault) {
    case 'too_large':
      throw new Problem('too-large', `${read.message}. Send it in parts.`);
    case 'too_deep':
      throw new Problem('invalid-request', `${read.message}.`);
    default:
      throw new Problem('not-json', `The request cannot be read: ${read.message}.`);
  }
}

/** How many faults of one request are told: who made a thousand made one. */
const maxFaults = 50;

function checked(schema: z.ZodType | undefined, value: unknown, place: (pointer: string) => string): unknown {
  if (!schema) return value;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors: Fault[] = result.error.issues.slice(0, maxFaults).flatMap((issue) => {
    const detail = issue.message.slice(0, 300);
    if (issue.code !== 'unrecognized_keys') return [{ pointer: place(pointerOf(issue.path)), detail }];
    return issue.keys.slice(0, 10).map((key) => ({
      pointer: place(pointerOf([...issue.path, key.slice(0, 80)])),
      detail: 'nothing of that name is known here',
    }));
  });
  const [only] = errors;
  const detail = errors.length === 1 && only ? `${only.pointer || 'The body'}: ${only.detail}.` : 'See errors.';
  throw new Problem('invalid-request', detail, { errors });
}

/** RFC 6901 §3. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

async function send(request: IncomingMessage, response: ServerResponse, answer: Answer, signal: AbortSignal) {
  const { status, headers = {}, json, bytes, stream } = answer;
  const head = request.method === 'HEAD';
  if (stream && !head) return sendStream(response, stream, signal);
  const body = bytes ?? (json === undefined ? undefined : Buffer.from(JSON.stringify(json)));
  response.writeHead(status, {
    'cache-control': 'no-store',
    ...(json !== undefined && { 'content-type': 'application/json' }),
    ...(stream && { 'content-type': 'text/event-stream' }),
    ...headers,
    ...(body && { 'content-length': body.length }),
  });
  response.end(head ? undefined : body);
}
