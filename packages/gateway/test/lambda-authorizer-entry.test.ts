/** The Lambda function itself: a process of its own, the environment it gets, cold start and the calls that follow. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';

let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  gateway = await startGateway([{ path: '/mcp', target: 'http://127.0.0.1:1/mcp' }]);
  person = await signIn(gateway);
});
afterAll(() => gateway.close());

const entry = new URL('../src/lambda-authorizer-entry.ts', import.meta.url).href;

/** Runs the handler once for each event, as the platform does, and gives what it answered or the error's words. */
async function invoke(config: string | undefined, handler: 'rest' | 'http', events: readonly object[]) {
  const script = `
    import { createInterface } from 'node:readline';
    const module = await import(${JSON.stringify(entry)});
    for await (const line of createInterface({ input: process.stdin })) {
      const answer = await module[process.argv[1]](JSON.parse(line)).catch((error) => ({ error: error.message }));
      console.log(JSON.stringify(answer));
    }`;
  const { GATEHOUSE_CONFIG: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, handler], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...env, ...(config !== undefined && { GATEHOUSE_CONFIG: config }) },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const closed = once(child, 'close');
  const answers: Array<Record<string, unknown>> = [];
  createInterface({ input: child.stdout }).on('line', (line) => answers.push(JSON.parse(line)));
  child.stdin.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  await closed;
  return answers;
}

const restEvent = (authorization?: string) => ({
  type: 'REQUEST',
  methodArn: 'arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod/POST/mcp',
  headers: { Host: 'example.com', ...(authorization !== undefined && { Authorization: authorization }) },
});
const config = () => JSON.stringify({ issuer: gateway.issuer, resources: [{ path: '/mcp' }] });
const fetches = () => gateway.events.filter(({ path }) => path === '/.well-known/jwks.json').length;

it('a REST API: one fetch of the keys for all calls of the process, none for a call without a token', async () => {
  const before = fetches();
  const good = restEvent(`Bearer ${person.accessToken}`);
  const answers = await invoke(config(), 'rest', [restEvent(), good, good, restEvent('Bearer x.y.z'), good]);
  expect(answers.map(({ principalId, error }) => principalId ?? error)).toEqual([
    'Unauthorized',
    expect.stringMatching(/^[\w-]{43}$/),
    expect.stringMatching(/^[\w-]{43}$/),
    'Unauthorized',
    expect.stringMatching(/^[\w-]{43}$/),
  ]);
  expect(fetches()).toBe(before + 1);
});

it('an HTTP API', async () => {
  const authorization = `Bearer ${person.accessToken}`;
  const event = { version: '2.0', type: 'REQUEST', identitySource: [authorization], headers: { authorization } };
  const [allowed, refused] = await invoke(config(), 'http', [event, { ...event, identitySource: [], headers: {} }]);
  expect(allowed).toMatchObject({ isAuthorized: true, context: { scope: 'mcp' } });
  expect(refused).toEqual({ isAuthorized: false, context: {} });
});

it('without a configuration every call says what is missing', async () => {
  const answers = await invoke(undefined, 'rest', [restEvent(), restEvent()]);
  expect(answers).toHaveLength(2);
  for (const { error } of answers) expect(error).toMatch(/GATEHOUSE_CONFIG[\s\S]*is not set/);
});
