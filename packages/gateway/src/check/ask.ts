/** One HTTP request of a check: no redirect followed, a bounded body, and of an event stream its beginning. */
import { Agent, request } from 'undici';

/** Discovery documents and key sets; of anything else the beginning is enough. */
const maxBytes = 256 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** Undefined where the text is no JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  readonly milliseconds: number;
}

export interface Question {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** As `tls.connect` of Node takes them. */
  readonly tls?: Readonly<Record<string, unknown>>;
}

/** Rejects with the network's error. */
export async function ask({ url, method = 'GET', headers, body, signal, tls }: Question): Promise<Answer> {
  const agent = new Agent({ connect: { timeout: 5000, ...tls }, headersTimeout: 10_000, bodyTimeout: 10_000 });
  const began = performance.now();
  try {
    const response = await request(url, {
      method,
      signal,
      dispatcher: agent,
      ...(headers && { headers: { ...headers } }),
      ...(body !== undefined && { body }),
    });
    const stream = /^text\/event-stream\b/.test(String(response.headers['content-type'] ?? ''));
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      // Of a stream that may never end, the first message.
      if (text.length > maxBytes || (stream && /^data:.*\n\n/ms.test(text.replaceAll('\r\n', '\n')))) break;
    }
    const milliseconds = Math.round(performance.now() - began);
    return { status: response.statusCode, headers: response.headers, text, json: jsonOf(text, stream), milliseconds };
  } finally {
    await agent.destroy();
  }
}

function jsonOf(text: string, stream: boolean): Answer['json'] {
  const source = stream ? (/^data: ?(.*)$/m.exec(text)?.[1] ?? '') : text;
  try {
    const value: unknown = JSON.parse(source);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
