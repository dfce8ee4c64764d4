/**
 * From the event of a Function URL (payload format 2.0) or of an API Gateway REST API (proxy integration) to the request
 * a client sent, and from an answer's head to the prelude of each.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
 */
import { METHODS } from 'node:http';
import type { Prelude } from './platform.ts';

export interface EventRequest {
  readonly method: string;
  /** Path and query, of visible ASCII characters. */
  readonly target: string;
  /** Name and value by turns. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Who connected to the platform: behind CloudFront, CloudFront. */
  readonly remoteAddress: string | undefined;
  prelude(status: number, rawHeaders: readonly string[]): Prelude;
}

/** Words for whoever sent it; the platform let it through, and no request of HTTP can say it. */
export interface Unreadable {
  readonly unreadable: string;
  prelude(status: number, rawHeaders: readonly string[]): Prelude;
}

interface EventFacts {
  readonly method: unknown;
  readonly path: unknown;
  readonly query: string;
  /** Names as they came, each with all of its values. */
  readonly headers: ReadonlyArray<readonly [string, unknown]>;
  readonly domainName: unknown;
  readonly sourceIp: unknown;
  readonly prelude: EventRequest['prelude'];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * `publicHost` stands for the platform's own host name: whatever reaches the function was routed to it by that name, which
 * only AWS can give out, so that there is no rebinding to guard against.
 * Throws for an event that is none of HTTP: whoever invokes the function with it has to know.
 */
export function requestOf(event: unknown, publicHost: string): EventRequest | Unreadable {
  const value = object(event);
  const facts = value.version === '2.0' ? functionUrl(value) : restApi(value);
  const { method, path, query, headers, domainName, prelude } = facts;
  const unreadable = (words: string): Unreadable => ({ unreadable: words, prelude });
  if (typeof method !== 'string' || !METHODS.includes(method) || method === 'CONNECT') {
    return unreadable('There is no such method.');
  }
  if (typeof path !== 'string' || !path.startsWith('/')) return unreadable('A path begins with a slash.');
  const rawHeaders: string[] = [];
  for (const [name, text] of headers) {
    if (ofTheConnection.has(name.toLowerCase())) continue;
    if (!/^[!#$%&'*+.^_`|~A-Za-z0-9-]+$/.test(name) || typeof text !== 'string' || !headerValue.test(text)) {
      return unreadable('A header holds what no header may.');
    }
    const own = name.toLowerCase() === 'host' && text.toLowerCase() === domainName;
    rawHeaders.push(name, own ? publicHost : text);
  }
  const body = bodyOf(value);
  if (body.length > 0 || ['POST', 'PUT', 'PATCH'].includes(method)) {
    rawHeaders.push('content-length', String(body.length));
  }
  return {
    method,
    target: visible(path.replace(/[?#]/g, encodeURIComponent)) + (query === '' ? '' : `?${visible(query)}`),
    rawHeaders,
    body,
    remoteAddress: typeof facts.sourceIp === 'string' ? facts.sourceIp : undefined,
    prelude,
  };
}

function functionUrl(event: Json): EventFacts {
  const context = object(event.requestContext);
  const { method, sourceIp } = object(context.http);
  if (method === undefined) throw noHttp();
  const cookies = Array.isArray(event.cookies) ? event.cookies : [];
  // The platform gives them in a list of their own; a header beside it would say them twice.
  const others = Object.entries(object(event.headers)).filter(
    ([name]) => cookies.length === 0 || name.toLowerCase() !== 'cookie',
  );
  return {
    method,
    path: event.rawPath,
    query: typeof event.rawQueryString === 'string' ? event.rawQueryString : '',
    headers: cookies.length === 0 ? others : [...others, ['cookie', cookies.join('; ')]],
    domainName: context.domainName,
    sourceIp,
    prelude(statusCode, rawHeaders) {
      const values = [...valuesByName(rawHeaders)];
      const set = values.find(([name]) => name === 'set-cookie')?.[1];
      const others = values.filter(([name]) => name !== 'set-cookie');
      return { statusCode, headers: joined(others), ...(set && { cookies: set }) };
    },
  };
}

function restApi(event: Json): EventFacts {
  const context = object(event.requestContext);
  // A load balancer's event looks alike, and its answers cannot be streamed.
  if (typeof event.httpMethod !== 'string' || context.elb !== undefined) throw noHttp();
  // Decoded by the platform, so that they are written anew.
  const query = lists(event.multiValueQueryStringParameters, event.queryStringParameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .join('&');
  return {
    method: event.httpMethod,
    // With the stage, or the base path of a custom domain: what the client asked for.
    path: context.path ?? event.path,
    query,
    headers: lists(event.multiValueHeaders, event.headers),
    domainName: context.domainName,
    sourceIp: object(context.identity).sourceIp,
    prelude(statusCode, rawHeaders) {
      const values = [...valuesByName(rawHeaders)];
      const several = values.filter(([, all]) => all.length > 1);
      return {
        statusCode,
        headers: joined(values.filter(([, all]) => all.length === 1)),
        ...(several.length > 0 && { multiValueHeaders: Object.fromEntries(several) }),
      };
    },
  };
}

function noHttp(): Error {
  return new Error(
    'This function answers a Function URL, or the proxy integration of a REST API; it got another event.',
  );
}

/** Of the connection to the platform, or counted anew (RFC 9110 §7.6.1). */
const ofTheConnection = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110 §5.5. */
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

function valuesByName(rawHeaders: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!ofTheAnswersConnection.has(name)) values.set(name, [...(values.get(name) ?? []), rawHeaders[i + 1] as string]);
  }
  return values;
}

const ofTheAnswersConnection = new Set(['connection', 'keep-alive', 'transfer-encoding']);

function joined(values: Iterable<readonly [string, readonly string[]]>): Record<string, string> {
  return Object.fromEntries([...values].map(([name, all]) => [name, all.join(', ')]));
}

/** Of two maps that say the same, the one that knows every value. */
function lists(several: unknown, single: unknown): Array<[string, unknown]> {
  const entries = Object.entries(object(several));
  if (entries.length === 0) return Object.entries(object(single));
  return entries.flatMap(([name, values]) => [values].flat().map((value): [string, unknown] => [name, value]));
}

function bodyOf({ body, isBase64Encoded }: Json): Buffer {
  if (typeof body !== 'string') return Buffer.alloc(0);
  return Buffer.from(body, isBase64Encoded === true ? 'base64' : 'utf8');
}

/** The characters that a request line may hold (RFC 9112 §3.2); what is encoded already stays as it is. */
function visible(text: string): string {
  return text.replace(/[^\x21\x24-\x7e]+/gu, (part) => encodeURIComponent(part.toWellFormed()));
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
