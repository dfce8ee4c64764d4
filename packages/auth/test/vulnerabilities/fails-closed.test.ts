/** A fault anywhere opens nothing (sign-in that succeeds on an error: GHSA-8fpg-xm3f-6cx3, CVE-2026-41070). */
import { describe, expect, it } from 'vitest';
import { type HttpReply, isReply } from '../../src/gatehouse.ts';
import {
  authorizePath,
  consented,
  form,
  type Harness,
  hidden,
  parsed,
  pkce,
  registerClient,
  request,
  resource,
  sameOrigin,
  startHarness,
  withCode,
  withTokens,
} from '../harness.ts';

const verbs = ['get', 'create', 'replace', 'take', 'list'] as const;

/** From now on the verb fails, for whatever kind, in a way nobody has thought of. */
function breakEverything({ records }: Harness, verb: (typeof verbs)[number]): { readonly hit: () => boolean } {
  let hit = false;
  records.interfere = (called) => {
    if (called !== verb) return undefined;
    hit = true;
    throw new TypeError('a fault nobody has thought of');
  };
  return { hit: () => hit };
}

/** Nothing in it that anybody could go on with. */
function expectClosed(reply: HttpReply | undefined): void {
  expect(reply?.body ?? '').not.toMatch(/access_token"|refresh_token"|"active":true/);
  const { location } = reply?.headers ?? {};
  if (typeof location !== 'string') {
    expect(reply?.status).toBeGreaterThanOrEqual(400);
    return;
  }
  const url = new URL(location);
  // Back to the client: then as an error; never on to the identity provider, never with a code.
  expect([url.searchParams.has('error'), url.searchParams.has('code')]).toEqual([true, false]);
}

/** Each step of a sign-in, ready to be taken once. */
const steps: ReadonlyArray<[string, (harness: Harness) => Promise<() => Promise<HttpReply | undefined>>]> = [
  [
    'consent',
    async (harness) => {
      const { client_id } = await registerClient(harness);
      const person = harness.browser();
      const page = await person.send(request(authorizePath(client_id, pkce().challenge)));
      return () => person.send(form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin));
    },
  ],
  [
    'the callback',
    async (harness) => {
      const { client_id } = await registerClient(harness);
      const { person, state } = await consented(harness, client_id, pkce().challenge);
      return () => person.send(request(`/callback?code=idp-code&state=${state}`));
    },
  ],
  ['a code', async (harness) => (await withCode(harness)).redeem],
  ['a refresh token', async (harness) => (await withTokens(harness)).refresh],
];

describe.each(steps)('%s', (name, prepare) => {
  it('succeeds where nothing fails', async () => {
    const harness = startHarness();
    const reply = await (await prepare(harness))();
    expect(reply?.status).toBeLessThan(400);
    expect(() => expectClosed(reply)).toThrow();
  });

  it.each(verbs)('is closed while %s fails', async (verb) => {
    const harness = startHarness();
    const step = await prepare(harness);
    const broken = breakEverything(harness, verb);
    const reply = await step();
    if (broken.hit()) expectClosed(reply);
    else expect(reply?.status, `${name} needs no ${verb}`).toBeLessThan(400);
  });
});

it('a token is not believed while the state of its grant cannot be read, whatever the fault', async () => {
  const harness = startHarness();
  const { tokens } = await withTokens(harness);
  harness.records.interfere = () => {
    throw new TypeError('a fault nobody has thought of');
  };
  const judge = () => harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
  const verdict = await judge().catch((error: unknown) => error);
  expect(verdict instanceof Error || (isReply(verdict as HttpReply) && (verdict as HttpReply).status >= 500)).toBe(
    true,
  );
});

it.each(['', 'Allow', 'ALLOW', 'yes', 'true', '1', 'allow ', 'deny\u0000allow'])(
  'a decision that is not exactly the one word allows nothing: %j',
  async (decision) => {
    const harness = startHarness();
    const { client_id } = await registerClient(harness);
    const person = harness.browser();
    const page = await person.send(request(authorizePath(client_id, pkce().challenge)));
    expectClosed(await person.send(form('/consent', { request: hidden(page, 'request'), decision }, sameOrigin)));
    expect(harness.identityProvider.started).toEqual([]);
  },
);

it('an answer of the identity provider with both a code and an error is an error', async () => {
  const harness = startHarness();
  const { client_id } = await registerClient(harness);
  const { person, state } = await consented(harness, client_id, pkce().challenge);
  expectClosed(await person.send(request(`/callback?code=idp-code&error=access_denied&state=${state}`)));
  expect((await harness.records.list('grant')).items).toEqual([]);
});

it('the refusal of a token is no token', async () => {
  const { redeem } = await withCode(startHarness());
  expect(parsed(await redeem({ code_verifier: undefined }))).toEqual({
    error: expect.any(String),
    error_description: expect.any(String),
  });
});
