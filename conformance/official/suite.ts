/** Runs the official conformance suite, at the version pinned in package.json, and reads what it wrote about its checks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, root } from '../harness/stack.ts';

const bin = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

export interface Check {
  readonly id: string;
  readonly name?: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO';
  readonly errorMessage?: string;
  /** What it saw, in its own form. */
  readonly details?: unknown;
}

export interface SuiteRun {
  readonly exitCode: number | null;
  readonly output: string;
  /** By scenario. What the suite ran, not what it says that it ran. */
  readonly checks: ReadonlyMap<string, readonly Check[]>;
  /** Scenarios that it began and of which it wrote nothing: an exception ended them. */
  readonly brokenOff: readonly string[];
}

type SuiteCommand = 'server' | 'authorization';

export interface SuiteOptions {
  /** Given all that was written so far, whenever more was. */
  readonly onOutput?: (text: string) => void;
  /** Ends the run at once. */
  readonly signal?: AbortSignal;
}

/** A run that is aborted, or takes longer than two minutes, has the exit code null. */
export async function runSuite(
  command: SuiteCommand,
  args: readonly string[],
  { onOutput, signal }: SuiteOptions = {},
): Promise<SuiteRun> {
  const results = mkdtempSync(join(tmpdir(), 'conformance-'));
  try {
    const child = spawn(process.execPath, [bin, command, ...args, '-o', results], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    const output = collect(child);
    if (onOutput) child.stdout.on('data', () => onOutput(output()));
    const limit = AbortSignal.any([AbortSignal.timeout(120_000), ...(signal ? [signal] : [])]);
    limit.addEventListener('abort', () => child.kill('SIGKILL'));
    await once(child, 'close');
    return { exitCode: child.exitCode, output: output(), ...readChecks(results, command) };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

/** What the suite puts in front of a scenario's name. */
const folderPrefix = { server: 'server-', authorization: 'authorization-server-' } as const;

function readChecks(results: string, command: SuiteCommand): Pick<SuiteRun, 'checks' | 'brokenOff'> {
  const checks = new Map<string, readonly Check[]>();
  const brokenOff: string[] = [];
  for (const folder of readdirSync(results)) {
    const scenario = folder.slice(folderPrefix[command].length).replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    const file = join(results, folder, 'checks.json');
    if (existsSync(file)) checks.set(scenario, JSON.parse(readFileSync(file, 'utf8')) as Check[]);
    else brokenOff.push(scenario);
  }
  return { checks, brokenOff: brokenOff.sort() };
}

/** How many checks of these scenarios ended how. */
export function countChecks(
  { checks }: SuiteRun,
  scenarios: Iterable<string> = checks.keys(),
): Record<Check['status'], number> {
  const counts = { SUCCESS: 0, FAILURE: 0, WARNING: 0, SKIPPED: 0, INFO: 0 };
  for (const scenario of scenarios) for (const { status } of checks.get(scenario) ?? []) counts[status]++;
  return counts;
}

/** The scenarios a revision requires of a server, from the suite's own frozen list. */
export function requiredScenarios(revision: string): readonly string[] {
  const file = join(root, 'node_modules/@modelcontextprotocol/conformance/requirements', `${revision}.yaml`);
  const server = /^server:\n((?: {2}- \S+\n)+)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  return [...server.matchAll(/- (\S+)/g)].map(([, name]) => name as string);
}
