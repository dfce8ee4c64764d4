/** One question to a person at a terminal; nobody is asked where there is none. */

/** Undefined: there is no terminal to ask at. Cancelled is no. */
export async function agreed(question: string): Promise<boolean | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  const { confirm } = await import('@clack/prompts');
  // Standard output stays free for what the command answers.
  return (await confirm({ message: question, initialValue: false, output: process.stderr })) === true;
}
