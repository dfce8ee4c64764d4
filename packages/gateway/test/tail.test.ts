/** `gatehouse tail` as people run it: a process that reads files and pipes, hostile ones among them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Command, gatehouse, run } from './command.ts';

const bin = fileURLToPath(new URL('../bin/gatehouse.js', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-tail-'));
});
const piped = new Set<ChildProcess>();
afterAll(() => {
  for (const child of piped) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

let files = 0;
function file(...lines: readonly string[]): string {
  const path = join(folder, `${files++}.log`);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

const at = (second: number) => `2026-07-28T10:00:${String(second).padStart(2, '0')}.000Z`;
const subject = 'AbCdEfGh23456789012345678901234567890123456';
const request = (second: number, more: object = {}) =>
  JSON.stringify({
    time: at(second),
    event: 'http.request',
    requestId: 'r',
    method: 'POST',
    path: '/mcp',
    status: 200,
    ms: 12,
    outcome: 'answered',
    subject,
    ...more,
  });
const denied = JSON.stringify({
  time: at(30),
  event: 'tool.denied',
  resource: 'https://mcp.example.com/mcp',
  person: 'AbCdEfGh',
  client: 'client00',
  reason: 'token.scope',
  tool: 'store',
});

/** Runs it to its end with the pipe's bytes on standard input. */
async function pipe(args: readonly string[], ...parts: ReadonlyArray<string | Buffer>) {
  const child = spawn(process.execPath, [bin, 'tail', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  piped.add(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  for (const part of parts) child.stdin.write(part);
  child.stdin.end();
  const [code] = await once(child, 'close');
  piped.delete(child);
  return { code: code as number, stdout, stderr };
}

describe('a line for each event', () => {
  it('is aligned, with what matters in the same columns', async () => {
    const lines = [request(1), request(2, { status: 502, ms: 30_211, outcome: 'unreachable', tool: 'search' }), denied];
    const { code, stdout } = await run(['tail', file(...lines)]);
    expect(code).toBe(0);
    const [day, first = '', second = '', third = ''] = stdout.split('\n');
    expect(day).toBe('── 2026-07-28 UTC');
    expect(first).toMatch(/^10:00:01 {2}200 {6}POST +\/mcp +12 ms {2}answered +AbCdEfGh$/);
    expect(second).toMatch(/^10:00:02 {2}502 {6}POST +\/mcp +30\.2 s {2}unreachable +AbCdEfGh {2}search$/);
    expect(third).toMatch(/^10:00:30 {2}notice {3}tool\.denied +token\.scope +AbCdEfGh {2}store {2}client=client00 /);
    // The catalogue's own sentence, and the fields that have no column.
    expect(third).toContain('resource=https://mcp.example.com/mcp  – A good token was denied a tool');
    expect(first.indexOf('answered')).toBe(second.indexOf('unreachable'));
    expect(first.indexOf('answered')).toBe(third.indexOf('token.scope'));
    expect(first.indexOf('AbCdEfGh')).toBe(third.indexOf('AbCdEfGh'));
    expect(stdout).not.toContain(subject);
  });

  it('a cause stands below it, indented', async () => {
    const cause = 'Error: connect ECONNREFUSED\n    at one\n    at two';
    const { stdout } = await run(['tail', file(request(1, { cause }))]);
    expect(stdout.split('\n').slice(2, 5)).toEqual([
      '          Error: connect ECONNREFUSED',
      '              at one',
      '              at two',
    ]);
  });

  it('says a new day', async () => {
    const { stdout } = await run(['tail', file(request(1), request(2), request(3, { time: '2026-07-29T00:00:01Z' }))]);
    expect(stdout.match(/^── .*$/gm)).toEqual(['── 2026-07-28 UTC', '── 2026-07-29 UTC']);
  });

  it.each([
    ['systemd’s prefix', `Jul 28 10:00:01 host gatehouse[71]: ${request(1)}`],
    ['journalctl -o json', JSON.stringify({ MESSAGE: request(1), PRIORITY: '6' })],
    ['a file of Docker’s', JSON.stringify({ log: `${request(1)}\n`, stream: 'stderr', time: at(1) })],
    ['Windows line ends', `${request(1)}\r`],
  ])('reads %s', async (_, line) => {
    const { stdout } = await run(['tail', file(line), '--json']);
    expect(stdout).toBe(`${request(1)}\n`);
  });

  it('other lines pass, escaped, unless something is asked for', async () => {
    const path = file('node: some words\u001b]0;owned\u0007', '', request(1));
    expect((await run(['tail', path])).stdout).toMatch(/^node: some words\\u\{1b\}\]0;owned\\u\{7\}\n── /);
    expect((await run(['tail', path, '--status', '2xx'])).stdout).toMatch(/^── /);
  });
});

describe('which events', () => {
  const lines = [
    request(1),
    request(2, { status: 401, outcome: 'challenged', subject: undefined }),
    request(3, { status: 502, outcome: 'unreachable', tool: 'search_pages' }),
    request(4, { subject: 'somebodyelse', tool: 'store' }),
    denied,
    JSON.stringify({ time: at(40), event: 'guard.refused', resource: 'r', status: 401, reason: 'token.expired' }),
    JSON.stringify({ time: at(50), event: 'fault', cause: 'x' }),
  ];
  it.each<[string[], number[]]>([
    [['--event', 'tool.denied'], [30]],
    [
      ['--event', 'tool.*', '--event', 'guard.*'],
      [30, 40],
    ],
    [
      ['--reason', 'token'],
      [30, 40],
    ],
    [['--reason', 'token.expired'], [40]],
    [
      ['--person', subject],
      [1, 3, 30],
    ],
    [
      ['--person', 'AbCdEfGh'],
      [1, 3, 30],
    ],
    [['--client', 'client00'], [30]],
    [['--tool', 'search*'], [3]],
    [
      ['--tool', 'store'],
      [4, 30],
    ],
    [
      ['--status', '4xx'],
      [2, 40],
    ],
    [
      ['--status', '401', '--status', '502'],
      [2, 3, 40],
    ],
    [
      ['--min-level', 'notice'],
      [2, 3, 30, 40, 50],
    ],
    [
      ['--min-level', 'warning'],
      [3, 50],
    ],
    [
      ['--since', at(30)],
      [30, 40, 50],
    ],
    [['--since', '5m'], []],
    [['--person', subject, '--status', '5xx'], [3]],
    [
      ['--lines', '2'],
      [40, 50],
    ],
    [['--lines', '1', '--tool', 'store'], [30]],
  ])('%j', async (args, seconds) => {
    const { code, stdout } = await run(['tail', file(...lines), '--json', ...args]);
    expect(code).toBe(0);
    const times = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { time: string }).time);
    expect(times).toEqual(seconds.map(at));
  });

  it('--since counts back from now', async () => {
    const ago = (minutes: number) => request(1, { time: new Date(Date.now() - minutes * 60_000).toISOString() });
    const { stdout } = await run(['tail', file(ago(90), ago(30)), '--since', '1h', '--json']);
    expect(stdout.match(/\n/g)).toHaveLength(1);
  });

  it('a client is found by its whole id', async () => {
    // The beginning of the SHA-256 of `https://client.example/doc`, base64url.
    const id = 'https://client.example/doc';
    const { logName } = await import('@mcp-gatehouse/auth');
    const line = JSON.stringify({ time: at(1), event: 'consent.denied', client: logName(id), resource: 'r' });
    expect((await run(['tail', file(line), '--client', id, '--json'])).stdout).toBe(`${line}\n`);
  });

  it.each([
    [['--event', 'tool.denyed'], '--help'],
    [['--status', '4x'], '--status takes'],
    [['--min-level', 'loud'], 'info, notice, warning, fault'],
    [['--since', 'yesterday'], '--since takes'],
    [['--person', 'ada'], '--person takes'],
    [['--lines', 'many'], '--lines takes'],
    [['--follow'], '--follow is for a file'],
    [['a.log', 'b.log'], 'One file at a time.'],
    [['--colour'], '--colour'],
  ])('%j is wrong usage', async (args, words) => {
    const { code, stdout, stderr } = await run(['tail', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
  });

  it('whoever reads no more ends it, without a word: gatehouse tail FILE | head', async () => {
    // More than any pipe holds.
    const path = file(...Array.from({ length: 20_000 }, (_, at) => request(at % 60)));
    const child = spawn(process.execPath, [bin, 'tail', path], { stdio: ['ignore', 'pipe', 'pipe'] });
    piped.add(child);
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it.each([
    ['nowhere.log', 'There is no file'],
    ['.', 'is a directory'],
  ])('%s cannot be read', async (path, words) => {
    const { code, stderr } = await run(['tail', join(folder, path)]);
    expect({ code, words: stderr.includes(words), stack: stderr.includes('    at ') }).toEqual({
      code: 1,
      words: true,
      stack: false,
    });
  });

  it('teaches', async () => {
    const { code, stdout } = await run(['tail', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('gatehouse serve --config gatehouse.yaml 2>&1 | gatehouse tail');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(85);
  });
});

describe('hostile lines', () => {
  it('longer than a line may be, too deep, broken, half UTF-8, and the next event is still read', async () => {
    const { code, stdout } = await pipe(
      ['--summary'],
      `${'x'.repeat(3 * 1024 * 1024)}\n`,
      `{"event":"http.request","a":${'['.repeat(500_000)}\n`,
      `{"event":"http.request","time":"${at(1)}","path":${'['.repeat(5000)}${']'.repeat(5000)}}\n`,
      Buffer.from([0x7b, 0xff, 0xfe, 0x0a, 0x00, 0x0a]),
      `{"event":7}\n[]\nnull\n{"event":"http.request","time":1e308,"ms":"x","status":{}}\n`,
      request(9),
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^10:00:09 {2}200 /m);
    expect(stdout).toContain('3 requests');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(3000);
  });

  // JSON leaves U+007F to U+009F as they are, and what changes the direction of text.
  const evil = '\u001b[2J\u009b31m\u202e\u2028\u0007\n\r';
  it('show a terminal nothing it would act on', async () => {
    const fields = { path: evil, tool: evil, method: evil, outcome: evil, reason: evil, cause: evil, subject: evil };
    const line = request(1, { ...fields, [evil]: evil });
    const event = JSON.stringify({ event: evil, time: at(2), [evil]: { [evil]: evil } });
    for (const args of [[], ['--json'], ['--summary'], ['--json', '--summary']]) {
      const { stdout } = await pipe(args, `${line}\n${event}\n${evil}`);
      expect(stdout.replaceAll('\n', '')).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u);
    }
    const { stdout } = await pipe(['--json'], `${line}\n`);
    expect(JSON.parse(stdout)).toEqual(JSON.parse(line));
  });

  it('a summary names no more than it can hold', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => request(1, { outcome: `o${i}`, ms: i }));
    const { stdout } = await pipe(['--json', '--summary', '--tool', 'none'], `${lines.join('\n')}\n`);
    expect(JSON.parse(stdout).summary.requests).toBe(0);
    const all = await pipe(['--json', '--summary'], `${lines.join('\n')}\n`);
    const { summary } = JSON.parse(all.stdout.trimEnd().split('\n').at(-1) ?? '');
    expect(Object.keys(summary.outcomes)).toHaveLength(101);
    expect(summary.outcomes.other).toBe(2900);
    expect(summary.slowest.map(({ ms }: { ms: number }) => ms)).toEqual([2999, 2998, 2997, 2996, 2995]);
  });
});

describe('colour', () => {
  it('is for terminals alone, and NO_COLOR and --no-color keep it from them', async () => {
    const path = file(request(1, { status: 500 }));
    const terminal = (args: string, env = '') =>
      new Promise<string>((resolve, reject) => {
        // `script` gives it a terminal.
        const words = `${env} '${process.execPath}' '${bin}' tail '${path}' ${args}`;
        const child = spawn('script', ['-qec', words, '/dev/null'], { stdio: ['ignore', 'pipe', 'pipe'] });
        piped.add(child);
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += String(chunk);
        });
        child.once('error', reject);
        child.once('close', () => resolve(text));
      });
    expect((await run(['tail', path])).stdout).not.toContain('\u001b');
    const colored = await terminal('');
    expect(colored).toContain('\u001b[1m\u001b[31m500');
    for (const plain of [await terminal('--no-color'), await terminal('', 'NO_COLOR=1')]) {
      expect(plain).toBe(stripVTControlCharacters(plain));
      expect(plain).toContain('500');
    }
  });
});

describe('--follow', () => {
  it('shows the last lines, then what comes, also after the file was renamed or cut off, until it is told to end', async () => {
    const path = file(...Array.from({ length: 50 }, (_, i) => request(i)));
    const tail: Command = gatehouse(['tail', path, '--follow', '--summary']);
    await tail.said('10:00:49');
    expect(tail.stdout().match(/^10:00:/gm)).toHaveLength(20);
    appendFileSync(path, request(1, { outcome: 'appended' }).slice(0, 40));
    appendFileSync(path, `${request(1, { outcome: 'appended' }).slice(40)}\n`);
    await tail.said('appended');
    renameSync(path, `${path}.1`);
    // Whoever writes still has the old one, for a while.
    appendFileSync(`${path}.1`, `${request(2, { outcome: 'late' })}\n`);
    writeFileSync(path, `${request(3, { outcome: 'renamed' })}\n`);
    await tail.said('renamed');
    expect(tail.stdout().indexOf('late')).toBeLessThan(tail.stdout().indexOf('renamed'));
    expect(tail.stdout()).toContain('late');
    truncateSync(path);
    // Shorter than what was there, so that it can be told from more of the same.
    appendFileSync(path, '{"event":"fault"}\n');
    await tail.said('A request failed on our side.');
    tail.child.kill('SIGINT');
    const { code, stdout } = await tail.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/\n {2}by outcome\n +50 {2}answered\n/);
  });
});

it('ends when nobody reads it any more', async () => {
  const path = file(...Array.from({ length: 20_000 }, (_, i) => request(i % 60)));
  const child = spawn(process.execPath, [bin, 'tail', path, '--follow', '--lines', '10000'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  piped.add(child);
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
