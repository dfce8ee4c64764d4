/** Lists of tools on their way to the client, reduced to what its token may use (MCP 2026-07-28, server/tools; RS-23). */
import type { AccessToken } from '@mcp-gatehouse/auth';
import type { ToolPolicy } from '@mcp-gatehouse/auth/tool-needs';
import { type Rewrite, type Rewriter, UnfitAnswer } from '../proxy/rewriter.ts';
import { errorText } from './judge.ts';
import { jsonItems, jsonMembers, objectText, strictJson } from './strict-json.ts';

export interface AnswerFilterOptions {
  readonly policy: ToolPolicy;
  readonly token: AccessToken;
  /** Bytes of a JSON answer, and of one event of a stream. */
  readonly maxBytes: number;
  /**
   * `list`: the answer to `tools/list`; what is no list is not passed. `replay`: a stream that a client opened by GET, on
   * which a server of MCP 2025-11-25 and before may send the answer to an earlier request again, a list among the rest.
   */
  readonly expected: 'list' | 'replay';
}

/** Schemas of tools nest deeper than messages do. */
const maxDepth = 256;

export function answerFilter(options: AnswerFilterOptions): Rewrite {
  const { maxBytes, expected } = options;
  const filtered = (source: string) => {
    const json = strictJson(source, maxDepth);
    // Not JSON, such as the `endpoint` event of HTTP+SSE (2024-11-05): then it is no list either.
    if (json.fault === 'syntax' && expected === 'replay') return source;
    if (json.fault) throw new UnfitAnswer(`an answer that is no strict JSON: ${json.fault}`);
    return filteredMessage(json.text, options);
  };
  return (status, headers) => {
    const type = mediaType(headers['content-type']);
    const [json, events] = [type === 'application/json' || type.endsWith('+json'), type === 'text/event-stream'];
    if (!json && !events) {
      const empty = status === 202 || status === 204 || headers['content-length'] === '0';
      // Pages of errors and what GET finds elsewhere is nothing a client would read tools from.
      if (expected === 'list' && status < 300 && !empty)
        throw new UnfitAnswer(`a list of tools as ${type || 'nothing'}`);
      return undefined;
    }
    // It was asked for plain bytes.
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
      throw new UnfitAnswer('an encoded answer to a request that accepts none');
    }
    return json ? jsonRewriter(filtered, maxBytes) : eventRewriter(filtered, maxBytes);
  };
}

/** One message of the target, or several in the batches of 2025-03-26. */
function filteredMessage(text: string, options: AnswerFilterOptions): string {
  const batch = jsonItems(text);
  if (batch) return `[${batch.map((one) => filteredMessage(one, options)).join(',')}]`;
  const message = jsonMembers(text);
  const result = message?.get('result');
  // An error, a notification on the way, a request of the server's.
  if (!message || result === undefined) return text;
  const members = jsonMembers(result);
  const tools = jsonItems(members?.get('tools') ?? '');
  if (!members || !tools) {
    if (options.expected === 'replay') return text;
    const words = 'The MCP server behind this gateway did not answer with a list of tools.';
    return errorText(message.get('id'), { code: -32603, message: words });
  }
  members.set('tools', `[${tools.filter((tool) => usable(tool, options)).join(',')}]`);
  // No cache may give one person's list to another.
  members.set('cacheScope', '"private"');
  message.set('result', objectText(members));
  return objectText(message);
}

function usable(tool: string, { policy, token }: AnswerFilterOptions): boolean {
  const name: unknown = JSON.parse(jsonMembers(tool)?.get('name') ?? 'null');
  return typeof name === 'string' && policy.denial(token, name) === undefined;
}

function jsonRewriter(filtered: (source: string) => string, maxBytes: number): Rewriter {
  const chunks: Buffer[] = [];
  let length = 0;
  return {
    whole: true,
    push(chunk) {
      length += chunk.length;
      if (length > maxBytes) throw new UnfitAnswer(`a list of tools of more than ${maxBytes} bytes`);
      chunks.push(chunk);
      return '';
    },
    end() {
      const source = text(() => new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
      return source === '' ? '' : filtered(source);
    },
  };
}

/** Server-sent events, one by one (HTML, "Event stream interpretation"). What is left of one at the end is none. */
function eventRewriter(filtered: (source: string) => string, maxBytes: number): Rewriter {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines: string[] = [];
  let line = '';
  let afterReturn = false;
  let length = 0;
  const eventOf = (): string => {
    const data = lines.filter((one) => /^data(:|$)/.test(one)).map((one) => one.slice(5).replace(/^ /, ''));
    const others = lines.filter((one) => !/^data(:|$)/.test(one));
    const content = data.join('\n');
    const kept = content === '' ? data : filtered(content).split('\n');
    return `${[...others, ...kept.map((one) => `data: ${one}`)].join('\n')}\n\n`;
  };
  return {
    whole: false,
    push(chunk) {
      const source = text(() => decoder.decode(chunk, { stream: true }));
      // The second half of a CR LF that came in two pieces is no line of its own.
      const [first = '', ...more] = (afterReturn ? source.replace(/^\n/, '') : source).split(/\r\n|\n|\r/);
      if (source !== '') afterReturn = source.endsWith('\r');
      let out = '';
      line += first;
      length += chunk.length;
      for (const start of more) {
        if (line !== '') lines.push(line);
        else if (lines.length > 0) {
          out += eventOf();
          lines = [];
          length = start.length;
        }
        line = start;
      }
      if (length > maxBytes) throw new UnfitAnswer(`an event of more than ${maxBytes} bytes`);
      return out;
    },
    end: () => '',
  };
}

function text(decode: () => string): string {
  try {
    return decode();
  } catch (cause) {
    throw new UnfitAnswer('an answer that is not UTF-8', { cause });
  }
}

function mediaType(header: string | string[] | undefined): string {
  return ([header ?? ''].flat()[0] ?? '').split(';', 1).join('').trim().toLowerCase();
}
