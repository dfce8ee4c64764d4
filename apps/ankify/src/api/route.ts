/** A route of the API as data: one table serves the requests, checks them and is the OpenAPI document. */
import type { IncomingMessage } from 'node:http';
import type * as z from 'zod';
import type { ProblemKind } from './problem.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
export type Scope = 'generate_deck' | 'list_decks';

/** Who calls, and what every handler may need of the request itself. */
export interface Caller {
  /** The subject; every deck, job and clip is looked up under it. */
  readonly owner: string;
}

export interface Call<P, Q, B> extends Caller {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Lower-case names. */
  readonly headers: IncomingMessage['headers'];
  /** Aborted when the caller has gone away. */
  readonly signal: AbortSignal;
}

/** A body that is neither JSON nor made yet: it is written as it comes, until the caller goes away. */
export type EventStream = (send: (text: string) => void, signal: AbortSignal) => Promise<void>;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: there is no body. */
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly stream?: EventStream;
}

export interface AnswerShape {
  readonly description: string;
  /** Absent: no body. A text is the media type of one that is no JSON. */
  readonly schema?: z.ZodType | string;
  /** Beside the JSON: a media type that is answered where `Accept` asks for it. */
  readonly also?: string;
}

type Shape = z.ZodObject;
type Of<S> = S extends z.ZodType ? z.output<S> : undefined;

interface RouteParts<P extends Shape, Q extends Shape, B> {
  readonly method: Method;
  /** `/decks/{deck_id}`; a part in braces has no `/`. */
  readonly path: string;
  /** The `operationId`. */
  readonly id: string;
  readonly scope: Scope;
  readonly summary: string;
  readonly description?: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Makes something: `Idempotency-Key` is honoured. */
  readonly keyed?: boolean;
  readonly answers: Readonly<Record<number, AnswerShape>>;
  /** Beside those that every route may answer with. */
  readonly problems: readonly ProblemKind[];
}

/** As the router sees it: what comes in is whatever the schemas let through. */
export interface Route extends RouteParts<Shape, Shape, z.ZodType> {
  // biome-ignore lint/suspicious/noExplicitAny: `route` has tied each handler to the schemas of its own route.
  readonly handle: (call: Call<any, any, any>) => Promise<Answer>;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly again?: (call: Call<any, any, any>) => Promise<Answer>;
}

/** Ties the handler's types to the route's schemas. */
export function route<P extends Shape, Q extends Shape, B extends z.ZodType | undefined = undefined>(
  parts: Omit<RouteParts<P, Q, B>, 'body'> & { readonly body?: B } & {
    readonly handle: (call: Call<z.output<P>, z.output<Q>, Of<B>>) => Promise<Answer>;
    /** Of a keyed route whose answer is too large to keep: what a repetition is answered with. */
    readonly again?: (call: Call<z.output<P>, z.output<Q>, Of<B>>) => Promise<Answer>;
  },
): Route {
  return parts as unknown as Route;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The route; or the methods there are at this path; or undefined: there is nothing. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): Match | readonly Method[] | undefined {
  const parts = path.split('/');
  const here = routes.flatMap((route) => {
    const params = matched(route.path.split('/'), parts);
    return params ? [{ route, params }] : [];
  });
  if (here.length === 0) return undefined;
  return here.find(({ route }) => route.method === method) ?? here.map(({ route }) => route.method);
}

function matched(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, wanted] of pattern.entries()) {
    const part = parts[index] ?? '';
    const name = /^\{(\w+)\}$/.exec(wanted)?.[1];
    if (name !== undefined && part !== '') params[name] = part;
    else if (wanted !== part) return undefined;
  }
  return params;
}
