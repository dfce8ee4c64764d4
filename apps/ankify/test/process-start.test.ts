/** `npm start` as a process: two people sign in on the page, each makes a deck over the API, and neither sees the other's. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PersonOptions, walkThrough } from '../../../conformance/harness/person.ts';
import { type Stack, startStack } from '../../../conformance/harness/stack.ts';
import { animals, type Json } from './api-caller.ts';

let stack: Stack;
let page: string;
beforeAll(async () => {
  stack = await startStack();
  page = `http://localhost:${Number(new URL(stack.issuer).port) + 2}`;
}, 120_000);
afterAll(() => stack.stop());

const script = { 'ankify-session': '1', 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };

async function session(method: string, path: string, json?: object, cookie = ''): Promise<Response> {
  return fetch(page + path, {
    method,
    headers: { ...script, origin: page, cookie },
    ...(json && { body: JSON.stringify(json) }),
  });
}

async function signIn(person: PersonOptions) {
  const config = (await (await session('GET', '/session/config')).json()) as Record<string, string>;
  const code_verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: config.client_id ?? '',
    redirect_uri: config.redirect_uri ?? '',
    resource: config.resource ?? '',
    scope: config.scope ?? '',
    state: 'state-of-the-test',
    code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const signInOrigin = `http://localhost:${Number(new URL(stack.issuer).port) + 1}`;
  const walk = await walkThrough(`${config.authorization_endpoint}?${query}`, [stack.issuer, signInOrigin], person);
  expect(walk.callback.origin).toBe(page);
  const code = walk.callback.searchParams.get('code') ?? '';
  const reply = await session('POST', '/session', { code, code_verifier, redirect_uri: config.redirect_uri });
  const { access_token } = (await reply.json()) as Record<string, string>;
  const cookie = reply.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
  const api = async (method: string, path: string, json?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${config.api_url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${access_token}`,
        origin: page,
        'content-type': 'application/json',
        ...headers,
      },
      ...(json && { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    const value: Json = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text;
    return { status: response.status, json: value, headers: response.headers };
  };
  return { api, cookie, consent: walk.pages.join('\n') };
}

/** The local sign-in writes the code of a new account to its log. */
async function confirmationCode(): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const code = /"event":"sign_in\.[^"]*".*?"code":"(\d{6})"/.exec(stack.output())?.[1];
    if (code !== undefined) return code;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no confirmation code in\n${stack.output()}`);
}

test('the page is announced, built and served', async () => {
  expect(stack.output()).toContain(`Ankify in your browser: ${page}\n`);
  const response = await fetch(page);
  const html = await response.text();
  expect([response.status, html]).toEqual([200, expect.stringContaining('<!doctype html>')]);
  // Nothing inline, and every file it names is there.
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/i);
  const files = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path);
  expect(files.length).toBeGreaterThan(1);
  for (const path of files) expect([path, (await fetch(page + path)).status]).toEqual([path, 200]);
}, 60_000);

test('two people, each with decks, jobs and exports of their own', async () => {
  const ada = await signIn({});
  expect(ada.consent).toContain('Ankify in your browser');
  const ben = await signIn({
    username: 'ben',
    password: 'Correct-Horse-9-Battery',
    signUp: { email: 'ben@example.com', confirmation: confirmationCode },
  });
  const made = await ada.api('POST', '/decks', { ...animals, audio: 'recorded' }, { 'idempotency-key': 'one' });
  expect([made.status, made.headers.get('access-control-allow-origin')]).toEqual([201, page]);
  const { deck_id } = made.json;
  expect(
    (await ada.api('POST', '/decks', { ...animals, audio: 'recorded' }, { 'idempotency-key': 'one' })).json,
  ).toEqual(made.json);
  const cards = (await ada.api('GET', `/decks/${deck_id}/cards`)).json.cards;
  const started = await ada.api('GET', `/decks/${deck_id}/export`);
  expect([started.status, started.json.status]).toEqual([202, 'working']);
  const job = started.json.job.job_id;
  const progress = await ada.api('GET', `/jobs/${job}`, undefined, { accept: 'text/event-stream' });
  expect(progress.headers.get('content-type')).toBe('text/event-stream');
  expect(progress.json).toMatch(/event: done\ndata: \{"job_id":"[0-9a-f-]+"/);
  const exported = await ada.api('GET', `/decks/${deck_id}/export`);
  const download = await fetch(exported.json.download_url);
  expect([download.status, download.headers.get('content-disposition')]).toEqual([
    200,
    expect.stringContaining('.apkg'),
  ]);

  for (const [method, path, json] of [
    ['GET', `/decks/${deck_id}`],
    ['GET', `/decks/${deck_id}/cards`],
    ['GET', `/decks/${deck_id}/export`],
    ['GET', `/jobs/${job}`],
    ['GET', `/audio?deck_id=${deck_id}&card_id=${cards[0].card_id}&side=front`],
    ['POST', `/decks/${deck_id}/audio`],
    ['POST', `/decks/${deck_id}/cards`, { delete: [cards[0].card_id] }],
    ['PATCH', `/decks/${deck_id}`, { name: 'stolen' }],
    ['DELETE', `/decks/${deck_id}`],
  ] as ReadonlyArray<readonly [string, string, object?]>) {
    expect([method, path, (await ben.api(method, path, json)).status]).toEqual([method, path, 404]);
  }
  expect((await ben.api('GET', '/decks')).json).toEqual({ decks: [] });
  expect((await ada.api('GET', `/decks/${deck_id}/cards`)).json.cards).toEqual(cards);

  // A cookie of hers is no token, and her token no cookie; signed out, both end.
  expect((await session('DELETE', '/session', undefined, ada.cookie)).status).toBe(204);
  expect((await session('POST', '/session/token', {}, ada.cookie)).status).toBe(401);
  expect((await session('POST', '/session/token', {}, ben.cookie)).status).toBe(200);
  expect((await fetch(`${stack.issuer}/ankify/api/decks`)).status).toBe(401);
}, 60_000);

test('the data are private, and no secret is in what was said', () => {
  const folder = join(stack.dataDir, 'ankify');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'link.key')).mode & 0o777).toBe(0o600);
  const key = readFileSync(join(folder, 'link.key'), 'utf8').trim();
  expect(stack.output()).not.toContain(key);
  expect(stack.output()).not.toMatch(/Bearer |ey[A-Za-z0-9_-]{20,}\.ey/);
});
