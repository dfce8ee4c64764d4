/** What may stand between a target's answer and the client, where it must not pass as it is. */

export interface Rewriter {
  /** Nothing goes out before the end, so that an answer that turns out unfit is none at all. */
  readonly whole: boolean;
  /** What may go out now. Throws `UnfitAnswer`. */
  push(chunk: Buffer): string;
  /** What is left. Throws `UnfitAnswer`. */
  end(): string;
}

/** Undefined: the answer passes as it is. Throws `UnfitAnswer`. */
export type Rewrite = (
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
) => Rewriter | undefined;

/** The target's answer must not reach the client; the message is for the log. */
export class UnfitAnswer extends Error {
  override readonly name = 'UnfitAnswer';
}
