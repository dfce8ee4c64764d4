/** Where the words of a finding decide what an operator does: how bad it is, what was seen, and which clients are named. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allRules } from '../../src/doctor/diagnose.ts';
import { answers, at, doctor, headers, members, messages, resourceRoutes } from './broken/broken.ts';
import { type Change, type GoodServer, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeEach(async () => {
  server = await startGoodServer();
});
afterEach(() => server.close());

async function finding(id: string, change: Change) {
  const { findings } = await doctor(server, { change });
  const found = findings.filter((one) => one.id === id);
  expect(found).toHaveLength(1);
  return found[0];
}

const why = (id: string) => allRules.find((rule) => rule.id === id)?.why;

/** An answer at the client’s own address without the state, to requests with PKCE or to those without. */
const stateless = (pkce: boolean): Change =>
  at('authorize', (_, { query }, { origin }) =>
    query.has('code_challenge') === pkce && query.get('redirect_uri')?.includes('/gatehouse-doctor/')
      ? {
          status: 302,
          headers: { location: `${query.get('redirect_uri')}?error=invalid_request&iss=${origin}` },
          body: '',
        }
      : undefined,
  );

it('state that is lost for what clients send is a fault; in the refusal of what none sends, a warning about errors', async () => {
  expect(await finding('authorize.state', stateless(true))).toMatchObject({ severity: 'fault' });
  expect(await finding('authorize.state-in-errors', stateless(false))).toMatchObject({
    severity: 'warning',
    title: expect.stringMatching(/^Its error answers/),
    saw: 'state is “absent” beside error=invalid_request.',
  });
});

it('a sign-in that comes late is documented by a vendor, and a warning', async () => {
  server.open = true;
  expect(await finding('challenge.lets-in', () => undefined)).toMatchObject({
    severity: 'warning',
    why: expect.stringContaining('lazy authentication'),
  });
});

it.each<[what: string, answer: Readonly<Record<string, unknown>>, saw: string]>([
  [
    'a secret, and the way to send it',
    { client_secret: 'hush', token_endpoint_auth_method: 'client_secret_post' },
    'A client_secret was issued for a client that asked for none; token_endpoint_auth_method is "client_secret_post".',
  ],
  [
    'a secret beside “none”',
    { client_secret: 'hush' },
    'A client_secret was issued for a client that asked for none; token_endpoint_auth_method is "none".',
  ],
  [
    'another method, and no secret for it',
    { token_endpoint_auth_method: 'private_key_jwt' },
    'token_endpoint_auth_method is "private_key_jwt", none was asked for.',
  ],
])('a registration with %s', async (_, answer, saw) => {
  const found = await finding('registration.secret', at('register', members(answer)));
  expect(found).toMatchObject({ severity: 'warning', saw });
  expect(JSON.stringify(found)).not.toContain('hush');
});

it('of documents that pages cannot read the answer is shown, not the question before it', async () => {
  const found = await finding(
    'browser.resource-metadata',
    at(resourceRoutes, headers({ 'access-control-allow-origin': undefined })),
  );
  expect(found?.saw).toMatch(/^GET \S+ → 200 application\/json, access-control-allow-origin “absent”$/);
});

it('403 names the client that signs in on it', async () => {
  const found = await finding('challenge.forbidden', at(messages, answers(403)));
  expect(found).toMatchObject({ severity: 'fault', why: expect.stringMatching(/^VS Code signs in on 403, too\./) });
});

it.each([
  [
    'server.no-iss',
    /^ChatGPT then uses a redirect URI and a document for each connector\. Clients with several servers/,
  ],
  ['challenge.resource-metadata-form', /Claude\.ai refuses it.*claude-ai-mcp#136.*The SDKs ignore it/],
  ['resource.challenge-url-dead', /VS Code and the SDKs .* take the origin for the authorization server/],
  ['resource.legacy', /VS Code and the SDKs then take the origin for the authorization server/],
  ['resource.mismatch', /Gemini CLI.*VS Code drops the document and goes on.*claude-code#69917/],
  ['server.issuer', /SDK v2 and ChatGPT compare.*VS Code and the SDK v1 do not compare/],
  ['resource.no-servers', /VS Code and the SDKs take the origin/],
  ['server.endpoint-missing', /SDKs refuse the whole document/],
  ['browser.server-metadata', /tries again without.*only a missing Access-Control-Allow-Origin stops it/],
])('%s says which clients, and what they do', (id, words) => {
  expect(why(id)).toMatch(words);
});
