/** Nothing that a stranger wrote comes back as markup (reflected script in error and callback pages; CVE-2025-62800, CVE-2019-8400). */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  authorizePath,
  consented,
  form,
  type Harness,
  pkce,
  registerClient,
  request,
  sameOrigin,
  startHarness,
} from '../harness.ts';

const marks = [
  '"><script>alert(1)</script>',
  "' onfocus=alert(2) x='",
  '<img src=x onerror=alert(3)>',
  '</title><svg/onload=alert(4)>',
];
const { challenge } = pkce();

let harness: Harness;
let clientId: string;
beforeAll(async () => {
  harness = startHarness();
  clientId = (
    await registerClient(harness, { client_name: marks.join(' '), redirect_uris: ['https://app.example/cb'] })
  ).client_id;
});

/** What a browser would make of the page beyond text: elements with handlers, scripts, and what is out of its quotes. */
function live(body: string): readonly string[] {
  const tags = body.match(/<[a-z!/](?:"[^"]*"|[^">])*>/gi) ?? [];
  return tags.filter((tag) =>
    /^<(?:script|svg|img|iframe|object|embed)|\son\w+\s*=|javascript:/i.test(tag.replace(/"[^"]*"/g, '""')),
  );
}

function expectHarmless(reply: { body: string; headers: object } | undefined): void {
  expect(reply).toBeDefined();
  expect(live(reply?.body ?? '')).toEqual([]);
  for (const mark of marks) expect(reply?.body).not.toContain(mark);
}

it('the check itself sees what it looks for', () => {
  for (const mark of marks) expect(live(`<p title="${mark}"></p><p>${mark}</p><p x='${mark}'></p>`)).not.toEqual([]);
});

describe.each(marks)('%s', (mark) => {
  it.each([
    'client_id',
    'redirect_uri',
    'response_type',
    'response_mode',
    'state',
    'scope',
    'resource',
    'code_challenge',
    'code_challenge_method',
    'prompt',
    'error_description',
  ])('as %s of an authorization request', async (name) => {
    const path = authorizePath(clientId, challenge, { redirect_uri: 'https://app.example/cb', [name]: mark });
    expectHarmless(await harness.server.handle(request(path)));
    expectHarmless(
      await harness.server.handle(request(`${path}&${encodeURIComponent(mark)}=1&${encodeURIComponent(mark)}=2`)),
    );
  });

  it.each(['state', 'code', 'error', 'error_description', 'error_uri', 'iss'])(
    'as %s of the callback',
    async (name) => {
      expectHarmless(
        await harness.server.handle(request(`/callback?${new URLSearchParams({ state: 'x', [name]: mark })}`)),
      );
      const { person, state } = await consented(harness, clientId, challenge, {
        redirect_uri: 'https://app.example/cb',
      });
      const query = new URLSearchParams({ state, error: 'access_denied', ...(name !== 'state' && { [name]: mark }) });
      const reply = await person.send(request(`/callback?${query}`));
      expectHarmless(reply);
      expect(decodeURIComponent(JSON.stringify(reply.headers))).not.toContain('alert(');
    },
  );

  it.each(['request', 'decision'])('as %s of the consent form', async (name) => {
    const person = harness.browser();
    expectHarmless(await person.send(form('/consent', { request: 'x', decision: 'allow', [name]: mark }, sameOrigin)));
  });

  it.each(['page', 'done', 'proof', 'revoke', 'action', 'token', 'grant'])(
    'as %s of the person’s page',
    async (name) => {
      const person = harness.browser();
      expectHarmless(await person.send(request(`/connections?${new URLSearchParams({ [name]: mark })}`)));
      expectHarmless(await person.send(form('/connections/change', { action: 'sign-in', [name]: mark }, sameOrigin)));
    },
  );
});
