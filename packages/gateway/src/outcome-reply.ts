/** What a client is told when its request did not reach the target, or the target's answer must not reach it. */
import type { HttpReply } from '@mcp-gatehouse/auth';
import { insufficientScope } from '@mcp-gatehouse/auth/guard';
import { problem } from './problem.ts';
import type { Outcome } from './proxy/forward.ts';

export interface ReplyFacts {
  readonly resourceMetadata: string;
  /** The scope of the token that asked. */
  readonly held: readonly string[];
  readonly maxMessageBytes: number;
}

/** Undefined: it was answered, or nobody is left to be. */
export function outcomeReply(
  outcome: Outcome | { readonly outcome: 'no_room' },
  { resourceMetadata, held, maxMessageBytes }: ReplyFacts,
): HttpReply | undefined {
  switch (outcome.outcome) {
    case 'insufficient_scope':
      // SEP-2350: everything the operation needs, and what is held already, in one challenge.
      return insufficientScope({ resourceMetadata, scope: [...new Set([...held, ...outcome.scope])] });
    case 'too_large':
      return problem(413, 'payload_too_large', `A message may have ${maxMessageBytes} bytes.`);
    case 'no_room':
      return problem(503, 'busy', 'Too many large messages are on their way: send this one again in a moment.');
    case 'unreachable':
      return problem(502, 'target_unreachable', 'The server behind this gateway does not answer.');
    case 'away':
      return problem(503, 'target_away', 'The server behind this gateway is away: try again in a moment.', 10);
    case 'target_busy':
      return problem(503, 'target_busy', 'The server behind this gateway has as many calls as it takes.');
    case 'timed_out':
      return problem(504, 'target_timed_out', 'The server behind this gateway did not answer in time.');
    case 'redirected':
      return problem(502, 'target_redirects', 'The server behind this gateway answers at another address.');
    case 'unfit_answer':
      return problem(502, 'target_unreadable', 'The server behind this gateway answered what cannot be passed on.');
    case 'refused_by_target':
      return problem(502, 'target_refused', 'The server behind this gateway did not accept the gateway.');
    default:
      return undefined;
  }
}
