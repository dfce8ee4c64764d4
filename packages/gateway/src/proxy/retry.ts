/**
 * Whether a request to a target may be sent once more (RFC 9110 §9.2.2, RFC 9112 §9.3.1). A `tools/call` must never run
 * twice, so what may have reached the target is repeated only where its method promises that nothing happens by it.
 */
import { errorCode } from './target-errors.ts';

export interface FailedAttempt {
  /** 1 for the first. */
  readonly attempt: number;
  readonly error: unknown;
  /** Whether writing it had begun: undici says so before the first byte leaves. */
  readonly begun: boolean;
  /** Whether anything of an answer has come, an interim one included. */
  readonly heard: boolean;
  readonly method: string;
  readonly hasBody: boolean;
}

/** A target that restarts has been away for about this long; who waits must not notice much of it. Milliseconds. */
const pausesMs = [50, 250];

/** What passes by itself. No certificate gets better within a second, and after a timeout the caller has waited enough. */
const passing: ReadonlySet<string | undefined> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  // A socket in the file system, while the target that made it starts again.
  'ENOENT',
]);

/** The target closed the connection or reset it, in silence: undici calls by one code also what it did not want to hear. */
function broke(error: unknown): boolean {
  const code = errorCode(error);
  if (code === 'UND_ERR_SOCKET') return error instanceof Error && /^(other side )?closed$/.test(error.message);
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** Safe by RFC 9110 §9.2.1. DELETE is idempotent too, but the second answer would be another: the session is gone. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Milliseconds until it is sent once more; undefined: never. */
export function retryPauseMs({ attempt, error, begun, heard, method, hasBody }: FailedAttempt): number | undefined {
  if (heard) return undefined;
  // Nothing left us, so whatever the method and however its body comes, the target knows nothing of it.
  if (!begun) return passing.has(errorCode(error)) ? pausesMs[attempt - 1] : undefined;
  // A kept connection that the target closed as we wrote: the usual way, and once is enough.
  return attempt === 1 && safeMethods.has(method) && !hasBody && broke(error) ? 0 : undefined;
}
