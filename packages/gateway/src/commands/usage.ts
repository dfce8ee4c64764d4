/** What every command shares: how its arguments are read, its exit codes, and where its words go. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** What every command ends with; docs/commands.md says it once for all of them. */
export const exitCodes = {
  /** Done, or there was nothing to do. */
  done: 0,
  /** It could not: the message says why, and what to do. */
  failed: 1,
  /** What was typed is no command; nothing was touched. */
  usage: 2,
  /** `check` and `doctor` did their work, and found faults. */
  faults: 3,
} as const;

export const exitCodesHelp = 'Exit codes: 0 done, 1 could not, 2 wrong usage.';

/** What the person typed was not a command; the message says what to type. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** As `parseArgs` of Node, strictly; what is wrong is a `UsageError`. */
export function readArguments<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs({ ...config, ...(config.args && { args: joined(config.args, config.options ?? {}) }) } as T);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** A value may begin with a dash, as one subject in sixty-four does: it belongs to the option before it unless it is one itself. */
function joined(args: readonly string[], options: NonNullable<ParseArgsConfig['options']>): string[] {
  const isOption = (text: string) =>
    text === '--' || Object.entries(options).some(([name, { short }]) => text === `--${name}` || text === `-${short}`);
  const result: string[] = [];
  for (const text of args) {
    const last = result.at(-1) ?? '';
    const takesText = last.startsWith('--') && options[last.slice(2)]?.type === 'string';
    if (takesText && /^-[A-Za-z0-9_-]{7,}$/.test(text) && !isOption(text))
      result[result.length - 1] = `${last}=${text}`;
    else result.push(text);
  }
  return result;
}

/** A whole number from `least` to `most`; a `UsageError` that names the flag. */
export function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new UsageError(`${flag} takes a whole number from ${least} to ${most}.`);
  }
  return number;
}

/** Answers go here, and nothing else: what is said beside them goes to standard error. */
export function say(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function sayJson(value: unknown): void {
  process.stdout.write(`${jsonLine(value)}\n`);
}

/** A value as JSON in one line, of which a terminal acts on nothing: JSON itself escapes no C1 controls and no directions. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[^\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/gu, (character) =>
    // Above the first plane JSON writes both halves.
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

export function note(text: string): void {
  process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
}
