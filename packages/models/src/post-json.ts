/** One JSON request over HTTP to a provider: bounded, never redirected, its failures sorted into “never” and “not now”. */
import { ModelRefusal, ModelUnavailable } from './model.ts';

export interface JsonRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly signal: AbortSignal;
  /** Never to be seen in a message, wherever the provider repeats it. */
  readonly secret: string | undefined;
}

const maxAnswerBytes = 8 * 1024 * 1024;
/** Refused for a reason that may pass: a timeout, a conflict, too early, too many. */
const passing = new Set([408, 409, 425, 429]);

/** The parsed body of a 200. Throws `ModelRefusal`, `ModelUnavailable`, or the signal's reason. */
export async function postJson(provider: string, request: JsonRequest): Promise<unknown> {
  const { url, headers, body, signal, secret } = request;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body: JSON.stringify(body),
      redirect: 'error', // the key must not travel to another place
      signal,
    });
    text = await boundedText(response);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ModelRefusal) throw error;
    throw new ModelUnavailable(`${provider} cannot be reached, or its answer broke off.`, { cause: error });
  }
  const { status } = response;
  const value = parsed(text);
  if (status === 200) {
    if (value !== undefined) return value;
    throw new ModelUnavailable(`${provider} answered with something that is no JSON.`);
  }
  const said = messageOf(value, secret);
  if (passing.has(status) || status >= 500) {
    const askedSeconds = retryAfter(response.headers.get('retry-after'));
    throw new ModelUnavailable(`${provider} cannot answer now (HTTP ${status})${said}`, { askedSeconds });
  }
  throw new ModelRefusal(`${provider} refused the request (HTTP ${status})${said}`, { status });
}

/** The base of an API. Throws an `Error` for one that would send the key in the clear. */
export function checkedBase(name: string, base: string): URL {
  if (!URL.canParse(base)) throw new Error(`${name}: not an absolute URL`);
  const url = new URL(base);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) {
    throw new Error(`${name}: must be https (http only for a model on this machine)`);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new Error(`${name}: must have no user, query or fragment`);
  }
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxAnswerBytes) {
      throw new ModelRefusal(`the answer is larger than ${maxAnswerBytes} bytes`, { status: response.status });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, or half an answer: the status says what to make of it
  }
}

/** `{ error: { message } }`, as Anthropic and OpenAI both write it; bounded, and without the key. */
function messageOf(value: unknown, secret: string | undefined): string {
  const message = (value as { error?: { message?: unknown } } | undefined | null)?.error?.message;
  if (typeof message !== 'string' || message === '') return '.';
  const clean = secret === undefined ? message : message.replaceAll(secret, '…');
  return `: ${clean.replace(/\s+/g, ' ').slice(0, 300)}`;
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d{1,9}$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}
