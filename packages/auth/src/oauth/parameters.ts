/** Request parameters, from a query or a form, read strictly: bounded, valid UTF-8, each at most once (RFC 6749 §3.1, §3.2). */
import { OAuthError } from './error.ts';
import { type HttpRequest, maxBodyBytes } from './http.ts';

/** Parameter names to values. Absent and empty are the same (RFC 6749 §3.1: "sent without a value … as if omitted"). */
export type Parameters = ReadonlyMap<string, string>;

const maxParameters = 64;
/** Long enough for a stateless client id and for any `state` a real client sends. */
const maxValueLength = 4096;

export function queryParameters(request: HttpRequest): Parameters {
  return parse(request.query);
}

/** The parameters of a form POST. */
export function formParameters(request: HttpRequest, limits?: { readonly maxValueLength: number }): Parameters {
  refuseTooLarge(request.body);
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    throw refuse('Send the parameters as application/x-www-form-urlencoded.', 'parameters.content_type');
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw refuse('A compressed body is not read.', 'parameters.content_encoding');
  }
  return parse(utf8(request.body), limits?.maxValueLength);
}

/** A JSON object body (RFC 7591 §3.1). */
export function jsonBody(request: HttpRequest): Record<string, unknown> {
  refuseTooLarge(request.body);
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw refuse('Send application/json.', 'body.content_type');
  let value: unknown;
  try {
    value = JSON.parse(utf8(request.body));
  } catch (error) {
    if (error instanceof OAuthError) throw error;
    throw refuse('The body is not valid JSON.', 'body.json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse('The body must be a JSON object.', 'body.not_an_object');
  }
  return value as Record<string, unknown>;
}

function parse(text: string, longest = maxValueLength): Parameters {
  if (text.length > maxBodyBytes) throw refuse('The request is too large.', 'parameters.too_large');
  const parameters = new Map<string, string>();
  if (text === '') return parameters;
  const pairs = text.split('&', maxParameters + 1);
  if (pairs.length > maxParameters) throw refuse('Too many parameters.', 'parameters.too_many');
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : decode(pair.slice(at + 1));
    if (value === '') continue;
    if (value.length > longest) throw refuse(`The value of ${shown(name)} is too long.`, 'parameters.too_long');
    // RFC 6749 §3.1: "parameters MUST NOT be included more than once". RFC 8707 lets `resource` repeat; a token of
    // ours has one audience, so a second, different one is refused as a target (RFC 8707 §2).
    const before = parameters.get(name);
    if (before !== undefined && !(name === 'resource' && before === value)) {
      if (name === 'resource') {
        throw new OAuthError('invalid_target', 'Ask for one resource at a time.', { reason: 'resource.several' });
      }
      throw refuse(`The parameter ${shown(name)} is repeated.`, 'parameters.repeated');
    }
    parameters.set(name, value);
  }
  return parameters;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw refuse('The parameters are not valid percent-encoded UTF-8.', 'parameters.encoding');
  }
}

function refuseTooLarge(body: Uint8Array): void {
  if (body.byteLength <= maxBodyBytes) return;
  throw new OAuthError('invalid_request', 'The body is too large.', { status: 413, reason: 'body.too_large' });
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw refuse('The body is not valid UTF-8.', 'body.encoding');
  }
}

/** A parameter's name inside an error description: only what RFC 6749 §5.2 lets stand there, and not much of it. */
function shown(name: string): string {
  return name.replace(/[^A-Za-z0-9_.-]/g, '?').slice(0, 40);
}

function refuse(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason });
}
