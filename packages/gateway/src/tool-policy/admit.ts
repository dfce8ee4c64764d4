/** A request to a resource whose messages are read, for rules or for limits: read whole, judged, and how it is forwarded. */
import type { IncomingMessage } from 'node:http';
import type { HttpReply } from '@mcp-gatehouse/auth';
import type { Exchange } from '../proxy/forward.ts';
import { answerFilter } from './answer-filter.ts';
import { errorText, type JudgeOptions, judge } from './judge.ts';
import type { Message } from './message.ts';
import type { MessageRoom } from './message-room.ts';

export interface AdmitOptions extends JudgeOptions {
  /** Of the message, and of what is filtered of the answer. */
  readonly maxBytes: number;
  readonly room: MessageRoom;
}

export type Refused =
  | { readonly outcome: 'too_large' }
  /** Too much is being read already, of this person or of everybody. */
  | { readonly outcome: 'no_room' }
  /** The client went away in the middle of its message: nobody is left to be answered. */
  | { readonly outcome: 'cut'; readonly cause: unknown }
  | {
      readonly outcome: 'message_refused' | 'tool_denied';
      readonly reply: HttpReply;
      readonly reason: string;
      readonly tool?: string;
      readonly rpcMethod?: string;
    };

export type Admitted =
  | { readonly refused: Refused }
  | {
      readonly refused?: never;
      /** For the log: bounded and printable. */
      readonly tool?: string;
      /** The message that goes on; undefined where there is none, as with GET. */
      readonly message?: Message;
      readonly exchange: Pick<Exchange, 'body' | 'rewrite' | 'inPlace'>;
      /** To be called once the exchange is over: the message stands in memory until then. */
      readonly done: () => void;
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
  // Without rules every tool may be seen, so answers pass as they are.
  const filtered = (expected: 'list' | 'replay') =>
    policy && { rewrite: answerFilter({ policy, token, maxBytes, expected }) };
  if (req.method !== 'POST') {
    // A target that reads a message whatever the method is would run what nobody judged.
    if (Number(req.headers['content-length'] ?? 0) > 0 || req.headers['transfer-encoding'] !== undefined) {
      return { refused: bodyWithoutPost };
    }
    const replay = req.method === 'GET' ? filtered('replay') : undefined;
    return { exchange: replay ? { ...replay, inPlace: forReading } : {}, done: () => {} };
  }
  const read = await wholeBody(req, options);
  if ('outcome' in read) return { refused: read };
  const { done } = read;
  const verdict = judge(read.body, req, options);
  const tool = verdict.tool !== undefined && { tool: verdict.tool };
  const rpcMethod = verdict.tool === undefined && verdict.method !== undefined && { rpcMethod: verdict.method };
  if (verdict.verdict !== 'allowed') {
    done();
    const outcome = verdict.verdict === 'denied' ? 'tool_denied' : 'message_refused';
    return { refused: { outcome, reply: verdict.reply, reason: verdict.reason, ...tool, ...rpcMethod } };
  }
  // What was judged is what the target gets: never the bytes that came (SEC-11).
  const judged = Buffer.from(verdict.message.text, 'utf8');
  const list = verdict.message.method === 'tools/list' ? filtered('list') : undefined;
  return {
    ...tool,
    message: verdict.message,
    done,
    exchange: {
      body: judged,
      inPlace: {
        'content-type': 'application/json',
        'content-length': String(judged.length),
        'content-encoding': undefined,
        ...(list && forReading),
      },
      ...list,
    },
  };
}

/** The whole body, for which room is taken while it comes; `done` gives it back. */
async function wholeBody(
  req: IncomingMessage,
  { token, maxBytes, room }: AdmitOptions,
): Promise<{ readonly body: Buffer; readonly done: () => void } | Refused> {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) return { outcome: 'too_large' };
  const chunks: Buffer[] = [];
  let length = 0;
  const done = () => {
    room.give(token.subject, length);
    length = 0;
  };
  try {
    // Left open, so that the refusal still reaches whoever is sending.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const outcome =
        length + chunk.length > maxBytes
          ? 'too_large'
          : room.take(token.subject, chunk.length)
            ? undefined
            : ('no_room' as const);
      if (outcome) {
        done();
        return { outcome };
      }
      length += chunk.length;
      chunks.push(chunk);
    }
  } catch (cause) {
    done();
    return { outcome: 'cut', cause };
  }
  return { body: Buffer.concat(chunks), done };
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
