/** The log: its two forms, and that a whole flow leaves no secret in either (SEC-13; security.md, rule 11). */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, type LogFormat } from '../src/log.ts';
import { poolSecretEnv, type SignedIn, secretEnv, signIn, startGateway, type TestGateway } from './harness.ts';
import { message, speak } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const targetSecretEnv = 'GATEHOUSE_TEST_LOG_TARGET_SECRET';
process.env[targetSecretEnv] = 'a-secret-for-the-target-of-the-log-test';

function lines(format: LogFormat): { log: ReturnType<typeof createLog>; written: string[] } {
  const written: string[] = [];
  return { log: createLog(format, (line) => written.push(line)), written };
}

function written(format: LogFormat, event: { event: string; [field: string]: unknown }): string {
  const { log, written: all } = lines(format);
  log(event);
  return all.join('');
}

// JSON escapes U+0000–U+001F and no more. U+009B is CSI to a terminal that reads eight bits, and direction marks change
// what a person sees.
it.each([
  ['CSI in one character', '\u009b31m'],
  ['OSC in one character', '\u009d0;owned\u009c'],
  ['delete', 'a\u007f'],
  ['right to left', 'a\u202eb'],
  ['isolate', 'a\u2066b'],
  ['line separator', 'a\u2028b'],
])('text holds nothing a terminal acts on: %s', (_, value) => {
  const line = written('text', { event: 'e', value });
  expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u);
});

it.each(['json', 'text'] as const)('%s says what an Error says', (format) => {
  const line = written(format, { event: 'guard.refused', cause: new Error('the database is away') });
  expect(line).toContain('the database is away');
});

// A log that throws would throw inside the guard and inside the last handler of a request.
it.each(['json', 'text'] as const)('%s writes a line whatever the value', (format) => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const angry = {
    toJSON() {
      throw new Error('no');
    },
  };
  for (const cause of [circular, 1n, angry, Symbol('s'), () => 1]) {
    expect(written(format, { event: 'e', cause })).toMatch(/\be\b.*\n$/);
  }
});

describe('json', () => {
  it('is one object a line, with the time, whatever the values', () => {
    const { log, written } = lines('json');
    log({
      event: 'odd',
      text: 'a\nb\u2028c\u001b[31m"',
      number: 1,
      nothing: undefined,
      list: [1, 'x'],
      nested: { a: 1 },
    });
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/^[^\n\u001b]*\n$/);
    expect(JSON.parse(written[0] ?? '')).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: 'odd',
      text: 'a\nb\u2028c\u001b[31m"',
      number: 1,
      list: [1, 'x'],
      nested: { a: 1 },
    });
  });
});

describe('text', () => {
  it('is one short line, plain values as they are', () => {
    const { log, written } = lines('text');
    log({ event: 'http.request', requestId: 'r', method: 'GET', path: '/mcp', status: 200, cause: undefined });
    expect(written[0]).toMatch(/^\d\d:\d\d:\d\d http\.request method=GET path=\/mcp status=200\n$/);
  });

  it.each([
    ['colour', '\u001b[31mred'],
    ['title', '\u001b]0;owned\u0007'],
    ['clear', '\u001bc'],
    ['line', 'a\r\nhttp.request status=200'],
    ['backspace', 'ab\b\b'],
    ['wide', '日本'],
    ['empty', ''],
    ['space', 'a b=c'],
  ])('what a terminal would act on stays text: %s', (_, value) => {
    const { log, written } = lines('text');
    log({ event: 'e', value, list: [value], nested: { value } });
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/^[^\u0000-\u0009\u000b-\u001f\u007f]*\n$/);
    expect(written[0]?.split('\n')).toHaveLength(2);
  });
});

it('none writes nothing', () => {
  const { log, written } = lines('none');
  log({ event: 'e' });
  expect(written).toEqual([]);
});

describe('a whole flow', () => {
  let target: Target;
  let gateway: TestGateway;
  let person: SignedIn;

  beforeAll(async () => {
    target = await startTarget();
    gateway = await startGateway([
      {
        path: '/mcp',
        target: `${target.url}/mcp`,
        targetSecret: { env: targetSecretEnv },
        open: [{ path: '/exports', target: `${target.url}/files` }],
      },
    ]);
    person = await signIn(gateway);
  });
  afterAll(async () => {
    await gateway.close();
    await target.close();
  });

  it('with its failures holds no code, token, verifier, cookie, state, signature or secret', async () => {
    const { issuer } = gateway;
    const secrets = new Map([
      ...person.secrets,
      ['the operator’s secret', process.env[secretEnv] as string],
      ['the pool’s secret', process.env[poolSecretEnv] as string],
      ['the target’s secret', process.env[targetSecretEnv] as string],
      ['a signature in a link', 'sig-1234567890-abcdefgh'],
      ['a guessed token', 'guess-1234567890-abcdefgh'],
    ]);
    const form = (fields: Record<string, string>) =>
      fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(fields) });
    const client = { client_id: person.clientId };
    // Used, refreshed, replayed, guessed at, misplaced.
    expect((await fetch(`${issuer}/mcp`, { headers: person.authorization })).status).toBe(200);
    const refreshed = await form({ ...client, grant_type: 'refresh_token', refresh_token: person.refreshToken });
    expect(refreshed.status).toBe(200);
    const tokens = (await refreshed.json()) as { access_token: string; refresh_token: string };
    secrets.set('second access token', tokens.access_token).set('second refresh token', tokens.refresh_token);
    const code = secrets.get('code') as string;
    const code_verifier = secrets.get('verifier') as string;
    await form({ ...client, grant_type: 'authorization_code', code, code_verifier });
    await form({ ...client, grant_type: 'refresh_token', refresh_token: `${person.refreshToken}x` });
    await form({ ...client, grant_type: person.refreshToken, refresh_token: 'guess-1234567890-abcdefgh' });
    await fetch(`${issuer}/callback?code=${code}&state=${secrets.get('state of step 6')}`);
    await fetch(`${issuer}/authorize?client_id=${person.accessToken}&state=${secrets.get('state')}`);
    await fetch(`${issuer}/mcp?access_token=${person.accessToken}`);
    await fetch(`${issuer}/mcp`, { headers: { authorization: 'Bearer guess-1234567890-abcdefgh' } });
    await fetch(`${issuer}/mcp`, { headers: { authorization: `Bearer ${person.accessToken}x` } });
    await fetch(`${issuer}/mcp`, { headers: { authorization: `Basic ${person.accessToken}`, cookie: `a=${code}` } });
    await fetch(`${issuer}/exports/deck/sig-1234567890-abcdefgh?sig=sig-1234567890-abcdefgh`);
    target.answer = (req) => req.socket.destroy();
    await fetch(`${issuer}/mcp?code=${code}`, { headers: { authorization: `Bearer ${tokens.access_token}` } });

    const { log, written } = lines('json');
    const text = lines('text');
    for (const event of gateway.events) {
      log(event);
      text.log(event);
    }
    const all = [...written, ...text.written].join('');
    expect(gateway.events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['client.registered', 'consent.given', 'code.issued', 'token.issued', 'http.request']),
    );
    for (const [name, secret] of secrets) {
      expect(secret.length, name).toBeGreaterThanOrEqual(16);
      expect(all.includes(secret), name).toBe(false);
      // Nor a piece that could be used, nor the usual disguises.
      expect(all.includes(encodeURIComponent(secret)), name).toBe(false);
      expect(all.includes(Buffer.from(secret).toString('base64')), name).toBe(false);
      const [head = ''] = secret.split('.').slice(-1);
      if (head.length >= 20) expect(all.includes(head), `${name}, its last part`).toBe(false);
    }
    expect(all).not.toContain('ada@example.com');
    expect(all).not.toContain(createHash('sha256').update(person.accessToken).digest('base64url'));
  });

  it('every request is one line with its path and never its query', async () => {
    const from = gateway.events.length;
    for (const path of ['/mcp?a=1', '/nowhere?b=2', '/healthz?c=3', '/?d=4', '/authorize?e=5']) {
      await fetch(gateway.url(path));
    }
    const seen = gateway.events.slice(from).filter(({ event }) => event === 'http.request');
    expect(seen.map(({ method, path, status }) => [method, path, status])).toEqual([
      ['GET', '/mcp', 401],
      ['GET', '/nowhere', 404],
      ['GET', '/healthz', 200],
      ['GET', '/', 200],
      ['GET', '/authorize', 400],
    ]);
    for (const event of seen) expect(event.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('a path that is an attack on a terminal, or on the disk, is neither in the log', async () => {
    const from = gateway.events.length;
    for (const path of ['/\u001b[31mred', '/\x9b31m', '/a\u0007b', `/${'x'.repeat(20_000)}`, '/"quoted"\\', '/a\tb']) {
      await speak(gateway.port, message(`GET ${path}`)).catch(() => []);
    }
    await fetch(gateway.url('/healthz'));
    const events = gateway.events.slice(from);
    expect(events.length).toBeGreaterThan(1);
    for (const format of ['json', 'text'] as const) {
      const { log, written } = lines(format);
      for (const event of events) log(event);
      for (const line of written) {
        expect(line).toMatch(/^[\x20-\x7e]*\n$/);
        expect(line.length).toBeLessThan(1000);
      }
    }
  });
});
