/** A request to a resource whose tools have rules: its message read whole and judged, and how what is left of it is forwarded. */
import type { IncomingMessage } from 'node:http';
import type { HttpReply } from '@mcp-gatehouse/auth';
import type { Exchange } from '../proxy/forward.ts';
import { answerFilter } from './answer-filter.ts';
import { errorText, type JudgeOptions, judge, wholeBody } from './judge.ts';

export interface AdmitOptions extends JudgeOptions {
  /** Of the message, and of what is filtered of the answer. */
  readonly maxBytes: number;
}

export type Refused =
  | { readonly outcome: 'too_large' }
  /** The client went away in the middle of its message: nobody is left to be answered. */
  | { readonly outcome: 'cut'; readonly cause: unknown }
  | {
      readonly outcome: 'message_refused' | 'tool_denied';
      readonly reply: HttpReply;
      readonly reason: string;
      readonly tool?: string;
    };

export type Admitted =
  | { readonly refused: Refused }
  | {
      readonly refused?: never;
      readonly tool?: string;
      readonly exchange: Pick<Exchange, 'body' | 'rewrite' | 'inPlace'>;
    };

/** So that the answer can be read, whole and as it is now. */
const forReading = {
  'accept-encoding': 'identity',
  range: undefined,
  'if-match': undefined,
  'if-modified-since': undefined,
  'if-none-match': undefined,
  'if-range': undefined,
  'if-unmodified-since': undefined,
} as const;

export async function admit(req: IncomingMessage, options: AdmitOptions): Promise<Admitted> {
  const { policy, token, maxBytes } = options;
  const filter = (expected: 'list' | 'replay') => answerFilter({ policy, token, maxBytes, expected });
  if (req.method !== 'POST') {
    // A target that reads a message whatever the method is would run what nobody judged.
    if (Number(req.headers['content-length'] ?? 0) > 0 || req.headers['transfer-encoding'] !== undefined) {
      return { refused: bodyWithoutPost };
    }
    return { exchange: req.method === 'GET' ? { rewrite: filter('replay'), inPlace: forReading } : {} };
  }
  let body: Buffer | undefined;
  try {
    body = await wholeBody(req, maxBytes);
  } catch (cause) {
    return { refused: { outcome: 'cut', cause } };
  }
  if (!body) return { refused: { outcome: 'too_large' } };
  const verdict = judge(body, req, options);
  const tool = verdict.tool !== undefined && { tool: verdict.tool };
  if (verdict.verdict !== 'allowed') {
    const outcome = verdict.verdict === 'denied' ? 'tool_denied' : 'message_refused';
    return { refused: { outcome, reply: verdict.reply, reason: verdict.reason, ...tool } };
  }
  // What was judged is what the target gets: never the bytes that came (SEC-11).
  const judged = Buffer.from(verdict.message.text, 'utf8');
  const list = verdict.message.method === 'tools/list';
  return {
    ...tool,
    exchange: {
      body: judged,
      inPlace: {
        'content-type': 'application/json',
        'content-length': String(judged.length),
        'content-encoding': undefined,
        ...(list && forReading),
      },
      ...(list && { rewrite: filter('list') }),
    },
  };
}

const bodyWithoutPost: Refused = {
  outcome: 'message_refused',
  reason: 'message.not_posted',
  reply: {
    status: 400,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: errorText(undefined, { code: -32600, message: 'Send messages by POST.' }),
  },
};
