/** `gatehouse tail`: the log for people, from a file or from a pipe. */
import { visible } from '../log.ts';
import { type Entry, entryOf } from '../tail/entry.ts';
import { filterFrom } from '../tail/filter.ts';
import { fileBytes } from '../tail/follow.ts';
import { linesOf } from '../tail/lines.ts';
import { renderer } from '../tail/render.ts';
import { summary } from '../tail/summary.ts';
import { exitCodes, readArguments, UsageError, wholeNumber } from './usage.ts';

export const tailHelp = `gatehouse tail – a gateway's log as lines that people can read

  gatehouse serve --config gatehouse.yaml 2>&1 | gatehouse tail
      As it happens: time, status, request, how long, what came of it, who.

  gatehouse tail /var/log/gatehouse.log --since 1h --status 5xx --status 4xx
      What went wrong in the last hour.

  gatehouse tail /var/log/gatehouse.log --follow --min-level notice
      The last lines, then whatever comes, also after the file was rotated.

  journalctl -u gatehouse -o cat | gatehouse tail --person SUBJECT --summary
      Everything about one person, and what it comes to.

It reads the JSON lines of gatehouse serve --log json, also behind the prefix
of systemd and inside the JSON of Docker's own files.

Which: several of one kind widen it, different kinds narrow it
  --event NAME         of this name, or tool.* for all that begin so
  --reason REASON      token.expired; token stands for all of token.…
  --person SUBJECT     the subject as MCP servers see it, or its first 8 characters
  --client ID          the client id, or the 8 characters that events show
  --tool NAME          calls of this tool, or search* for all that begin so
  --status STATUS      404, or 4xx for the class
  --min-level LEVEL    info, notice, warning or fault; a request that was
                       refused is a notice, one that failed (5xx) a warning
  --since TIME         from then: 30s, 10m, 24h, 7d, or 2026-07-28T10:00:00Z

Options
  --follow, -f         do not stop at the end of the file
  --lines N, -n N      the last N of what is there   (all; 20 with --follow)
  --summary            at the end: counts by outcome, and what took longest
  --json               the matching events as they are, for a program
  --no-color           plain; also with NO_COLOR, and where no terminal reads
  --help               this text

Times are UTC. What each event means: docs/events.md.

Exit codes: 0 done, also where nothing matched and after Ctrl+C; 1 could not
read; 2 wrong usage.
`;

const flags = {
  event: { type: 'string', multiple: true },
  reason: { type: 'string', multiple: true },
  person: { type: 'string' },
  client: { type: 'string' },
  tool: { type: 'string', multiple: true },
  status: { type: 'string', multiple: true },
  'min-level': { type: 'string' },
  since: { type: 'string' },
  follow: { type: 'boolean', short: 'f' },
  lines: { type: 'string', short: 'n' },
  summary: { type: 'boolean' },
  json: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** How far before the end of a file that is followed the last lines are looked for. */
const lastBytes = 1024 * 1024;

/** After the first Ctrl+C what a gateway in the same pipe still says is waited for, in milliseconds. */
const lastWordsMs = 3000;

interface Held {
  readonly text: string;
  readonly entry: Entry | undefined;
}

/** Characters of the lines that are held. */
const maxHeld = 32 * 1024 * 1024;

/** Resolves to the exit code. */
export async function tailCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments({ args: [...args], options: flags, allowPositionals: true });
  const { stdin, stdout } = process;
  if (values.help) {
    stdout.write(tailHelp);
    return exitCodes.done;
  }
  const [path, ...more] = positionals;
  if (more.length > 0) throw new UsageError('One file at a time.');
  const follow = values.follow ?? false;
  if (path === undefined && follow)
    throw new UsageError('--follow is for a file; a pipe is read until it ends anyway.');
  if (path === undefined && stdin.isTTY) {
    throw new UsageError('Say which log: gatehouse tail FILE, or pipe one into it.');
  }
  const keep =
    values.lines === undefined
      ? follow && values.since === undefined
        ? 20
        : undefined
      : wholeNumber('--lines', values.lines, 0, 10_000);
  const wanted = filterFrom(values, Date.now());
  const color = stdout.isTTY === true && !values['no-color'] && !process.env.NO_COLOR;
  const render = renderer(color);
  const total = summary();

  const stop = new AbortController();
  const interrupted = () => {
    if (stop.signal.aborted) process.exit(exitCodes.done);
    if (path !== undefined) return stop.abort();
    const timer = setTimeout(() => stop.abort(), lastWordsMs);
    timer.unref();
    return process.once('SIGINT', () => stop.abort());
  };
  process.once('SIGINT', interrupted);
  // `gatehouse tail FILE | head`: who reads no more ends it.
  stdout.once('error', () => stop.abort());

  /** The last ones, until the end of what is there is reached. */
  const held: Held[] = [];
  let heldLength = 0;
  let holding = keep !== undefined;
  const written = ({ text, entry }: Held) => stdout.write((entry && !values.json ? render.day(entry) : '') + text);
  const release = () => {
    holding = false;
    for (const one of held.splice(0)) written(one);
  };
  const source =
    path === undefined
      ? pipeBytes(stdin, stop.signal)
      : fileBytes(path, {
          follow,
          onEnd: release,
          signal: stop.signal,
          // Only where nothing earlier can be asked for.
          ...(follow && keep !== undefined && wanted === undefined && { lastBytes }),
        });
  for await (const line of linesOf(source)) {
    if (stop.signal.aborted) break;
    const entry = line === undefined ? undefined : entryOf(line);
    let text: string | undefined;
    if (!entry) {
      total.skip();
      // Beside events other programs speak, and stacks have lines of their own; none of them is what was asked for.
      if (line === undefined || line.trim() === '' || wanted || values.json) continue;
      text = `${render.other(line)}\n`;
    } else {
      if (wanted && !wanted(entry)) continue;
      total.add(entry);
      text = `${values.json ? passed(entry.json) : render.entry(entry)}\n`;
    }
    const shown = { text, entry };
    if (holding) {
      held.push(shown);
      heldLength += text.length;
      while (held.length > (keep ?? 0) || heldLength > maxHeld) heldLength -= held.shift()?.text.length ?? heldLength;
    } else if (!written(shown) && !stdout.destroyed) {
      // Slower readers hold us back, and nothing piles up here.
      await takenUp(stdout);
    }
  }
  release();
  process.off('SIGINT', interrupted);
  if (values.summary && !stdout.destroyed) stdout.write(`${values.json ? passed(total.json()) : total.text()}\n`);
  return exitCodes.done;
}

/** Resolves when its reader has taken what was written, or reads no more: either is no fault of ours. */
function takenUp(stream: NodeJS.WritableStream): Promise<void> {
  const ends = ['drain', 'error', 'close'];
  return new Promise((resolve) => {
    const taken = () => {
      for (const end of ends) stream.off(end, taken);
      resolve();
    };
    for (const end of ends) stream.on(end, taken);
  });
}

/** JSON as it came, in one line: what a terminal would act on stands in strings alone, and is written as JSON may. */
function passed(json: string): string {
  if (visible(json) === json) return json;
  return json
    .replaceAll(/[\t\r]/g, ' ')
    .replaceAll(/[^\x20-\x7e\p{L}\p{N}\p{P}\p{S}\p{Zs}]/gu, (character) =>
      [...Array(character.length).keys()]
        .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
        .join(''),
    );
}

async function* pipeBytes(stdin: NodeJS.ReadStream, signal: AbortSignal): AsyncGenerator<Buffer> {
  const end = () => stdin.destroy();
  signal.addEventListener('abort', end);
  try {
    for await (const chunk of stdin) yield chunk as Buffer;
  } catch (error) {
    // Ended by ourselves.
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}
