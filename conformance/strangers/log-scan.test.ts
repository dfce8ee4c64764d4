/** After whole flows, good and bad, no secret that took part stands in the output or in a database (SEC-08). */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redirectUri, register, type Tokens, token } from '../harness/client.ts';
import { walkThrough } from '../harness/person.ts';
import { type Stack, startStack } from '../harness/stack.ts';
import { deckArguments, expectDeckBehind } from './deck.ts';
import { expectRefused } from './expiry.ts';
import { pageOrigins } from './scenario.ts';

/** By what each is, so that a find says where to look. */
type Secrets = Map<string, string>;

const password = 'Never-To-Be-Seen-7';
const secrets: Secrets = new Map([['password', password]]);
let confirmationCode: string;
let stack: Stack;
let output: string;
/** The output without the two things that are printed on purpose. */
let unexpected: string;

beforeAll(async () => {
  stack = await startStack();
  await wholeFlow();
  await clumsyFlow();
  for (const name of ['gatehouse.secret', 'cognito-client.secret', 'ankify/link.key']) {
    secrets.set(name, readFileSync(join(stack.dataDir, name), 'utf8').trim());
  }
  secrets.set('demo password', 'Gatehouse-Demo-1');
  // The last line of a request is written after its answer.
  while (!/"path":"\/the-end"/.test(stack.output())) {
    await fetch(`${stack.issuer}/the-end`);
    await sleep(20);
  }
  output = stack.output();
  unexpected = output.replace('  Password    Gatehouse-Demo-1\n', '');
});

afterAll(() => stack?.stop());

it('took part: the flow left its public traces', () => {
  expect([...secrets.keys()]).toEqual(
    expect.arrayContaining(['code', 'verifier', 'client state', 'client secret', 'access token 2', 'refresh token 2']),
  );
  for (const value of secrets.values()) expect(value.length).toBeGreaterThanOrEqual(16);
  for (const event of [
    'user.signed_up',
    'consent.given',
    'code.issued',
    'token.issued',
    'deck.stored',
    'grant.replayed',
  ]) {
    expect(output).toContain(event);
  }
  // The scan can find what is there.
  const [grantId = ''] = /(?<="grant":")[^"]+/.exec(output) ?? [];
  const there = finds(
    new Map([
      ['deck', 'Scanned'],
      ['grant', grantId],
      ['user', 'newcomer'],
    ]),
    databases(),
  );
  expect(there.map((find) => find.replace(/-wal$/, '')).sort()).toEqual([
    'deck in ankify/ankify.sqlite',
    'grant in gatehouse.sqlite',
    'user in user-pool.json',
  ]);
});

it('writes none of them to its output', () => {
  expect(finds(secrets, new Map([['output', Buffer.from(unexpected)]]))).toEqual([]);
});

it('writes the confirmation code once, where it stands for the e-mail', () => {
  const lines = output.split('\n').filter((line) => line.includes(`"${confirmationCode}"`));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '{}')).toMatchObject({
    event: 'sign_in.confirmation_code.created',
    code: confirmationCode,
  });
});

it('writes none of them to a database', () => {
  expect(finds(secrets, databases())).toEqual([]);
});

/** A new person signs up and in; a confidential client redeems, works, refreshes, and is replayed. */
async function wholeFlow(): Promise<void> {
  const { client_id: clientId, client_secret: clientSecret = '' } = await register(stack.issuer, {
    token_endpoint_auth_method: 'client_secret_post',
  });
  const client = { client_id: clientId, client_secret: clientSecret };
  secrets.set('client secret', clientSecret);
  const { code, verifier } = await signIn(clientId);
  const redeem = {
    ...client,
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  };
  const first = await tokensOf(await token(stack.issuer, redeem), 1);
  await makeDeck(first.access_token);
  const rotate = { ...client, grant_type: 'refresh_token', refresh_token: first.refresh_token };
  const second = await tokensOf(await token(stack.issuer, rotate), 2);
  await tokensOf(await token(stack.issuer, { ...rotate, refresh_token: second.refresh_token }), 3);
  expect((await token(stack.issuer, rotate)).status).toBe(400);
}

/** Clients that put secrets where they do not belong, and people who mistype. */
async function clumsyFlow(): Promise<void> {
  const [accessToken, refreshToken, code, clientSecret] = [
    'access token 1',
    'refresh token 1',
    'code',
    'client secret',
  ].map((name) => secrets.get(name) ?? '') as [string, string, string, string];
  const query = new URLSearchParams({
    access_token: accessToken,
    refresh_token: refreshToken,
    code,
    state: secrets.get('client state') ?? '',
    client_secret: clientSecret,
    password,
  });
  for (const path of ['/authorize', '/callback', '/token', '/register', '/ankify/mcp', '/ankify/exports/x.apkg', '/']) {
    for (const method of ['GET', 'POST']) {
      await fetch(`${stack.issuer}${path}?${query}`, { method, ...(method === 'POST' && { body: query }) });
    }
  }
  const [, signInOrigin] = pageOrigins(stack);
  for (const path of ['/login', '/oauth2/authorize', '/oauth2/token', '/oauth2/userInfo', '/oauth2/revoke']) {
    await fetch(`${signInOrigin}${path}?${query}`, { method: 'POST', body: query });
  }
  for (const authorization of [
    `Bearer ${accessToken} `,
    `Bearer "${accessToken}"`,
    `Basic ${refreshToken}`,
    clientSecret,
  ]) {
    await fetch(stack.mcp, { method: 'POST', headers: { authorization }, body: '{}' });
  }
  await token(stack.issuer, { grant_type: refreshToken, client_id: clientSecret, client_secret: accessToken });
  await expectRefused(stack.mcp, `${accessToken}x`);
}

async function signIn(clientId: string): Promise<{ code: string; verifier: string }> {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    resource: stack.mcp,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const journey = await walkThrough(`${stack.issuer}/authorize?${query}`, pageOrigins(stack), {
    username: 'newcomer',
    password,
    signUp: { email: 'newcomer@example.com', confirmation },
  });
  const code = journey.callback.searchParams.get('code') ?? '';
  secrets.set('verifier', verifier).set('client state', state).set('code', code);
  for (const [index, value] of journey.secrets.entries()) {
    if (value !== state && value !== code) secrets.set(`browser ${index}`, value);
  }
  return { code, verifier };
}

/** The code of the sign-up, from the line that stands for the e-mail. */
async function confirmation(): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const code = /confirmation_code\.created".*"code":"(\d+)"/.exec(stack.output())?.[1];
    if (code !== undefined) {
      confirmationCode = code;
      return code;
    }
    await sleep(20);
  }
  throw new Error(`no confirmation code:\n${stack.output()}`);
}

async function makeDeck(accessToken: string): Promise<void> {
  const transport = new StreamableHTTPClientTransport(new URL(stack.mcp), {
    authProvider: { token: async () => accessToken },
  });
  const client = new Client({ name: 'scanned', version: '1' });
  await client.connect(transport);
  const result = await client.callTool({ name: 'create_deck', arguments: { ...deckArguments, name: 'Scanned' } });
  const link = await expectDeckBehind(result.structuredContent);
  secrets.set('download link', new URL(link).pathname.split('/').at(-1)?.replace('.apkg', '') ?? '');
  await client.close();
}

async function tokensOf(response: Response, number: number): Promise<Tokens> {
  expect(response.status).toBe(200);
  const tokens = (await response.json()) as Tokens;
  secrets.set(`access token ${number}`, tokens.access_token);
  // Its signature alone would do, for who knows the rest.
  secrets.set(`signature ${number}`, tokens.access_token.split('.')[2] ?? '');
  secrets.set(`refresh token ${number}`, tokens.refresh_token);
  return tokens;
}

function finds(wanted: Secrets, places: ReadonlyMap<string, Buffer>): string[] {
  return [...places].flatMap(([place, bytes]) =>
    [...wanted].filter(([, value]) => bytes.includes(value)).map(([name]) => `${name} in ${place}`),
  );
}

/** Every file of every SQLite database, with what is in its write-ahead log, and the accounts of the local sign-in. */
function databases(): Map<string, Buffer> {
  const files = readdirSync(stack.dataDir, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.sqlite(-wal|-shm|-journal)?$|^user-pool\.json$/.test(file),
  );
  return new Map(files.map((file) => [file, readFileSync(join(stack.dataDir, file))]));
}
