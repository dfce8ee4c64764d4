/** A client by metadata document through the whole flow, from a real HTTPS origin: consent, code, token (CIMD; AS-10 … AS-27). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isReply } from '../../src/gatehouse.ts';
import {
  authorizePath,
  form,
  hidden,
  parsed,
  pkce,
  refusal,
  request,
  resource,
  sameOrigin,
  startHarness,
} from '../harness.ts';
import { type Certificate, certificate, json, type Origin, startOrigin } from '../net/servers.ts';

/** One pixel. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

let tls: Certificate;
let origin: Origin;
let base: string;

beforeAll(async () => {
  tls = certificate('client.example');
  origin = await startOrigin(tls);
  base = `https://client.example:${origin.port}`;
  const document = {
    client_id: `${base}/client.json`,
    client_name: 'Notes <b>app</b>',
    redirect_uris: [`${base}/callback`, 'http://localhost/callback'],
    logo_uri: `${base}/logo.png`,
  };
  origin.answer = (incoming, response) => {
    if (incoming.url === '/client.json') return json(document)(incoming, response);
    if (incoming.url === '/logo.png') return response.writeHead(200, { 'content-type': 'image/png' }).end(png);
    return response.writeHead(404).end();
  };
});
afterAll(() => origin.close());

const switchedOn = () => ({
  resolveHost: async () => ['127.0.0.1'],
  dangerouslyAllowLoopback: true,
  extraCertificates: [tls.cert],
});

it('signs in at its own origin: its host vouches for the name, the logo is shown from within the page', async () => {
  const harness = startHarness({ metadataDocuments: switchedOn() });
  const { verifier, challenge } = pkce();
  const person = harness.browser();
  const asked = { redirect_uri: `${base}/callback` };
  const page = await person.send(request(authorizePath(`${base}/client.json`, challenge, asked)));
  expect(page.status).toBe(200);
  expect(page.body).toContain('Notes &#60;b&#62;app&#60;/b&#62;');
  expect(page.body).toContain(`published by <strong>client.example:${origin.port}</strong>`);
  expect(page.body).toContain('src="data:image/png;base64,');
  expect(page.body).not.toContain(`${base}/logo.png`);

  const sent = await person.send(form('/consent', { request: hidden(page, 'request'), decision: 'allow' }, sameOrigin));
  const state = new URL(String(sent.headers.location)).searchParams.get('state');
  const back = new URL(String((await person.send(request(`/callback?code=x&state=${state}`))).headers.location));
  expect(back.origin + back.pathname).toBe(`${base}/callback`);
  const fields = {
    grant_type: 'authorization_code',
    client_id: `${base}/client.json`,
    code: back.searchParams.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: `${base}/callback`,
  };
  const tokens = parsed(await harness.server.handle(form('/token', fields)));
  const token = await harness.server.guard(resource)({ authorization: `Bearer ${tokens.access_token}` });
  if (isReply(token)) throw new Error(token.body);
  expect(token.clientId).toBe(`${base}/client.json`);
});

it('on a loopback port anybody can say that it is this client: nobody vouches, and no logo is shown', async () => {
  const harness = startHarness({ metadataDocuments: switchedOn() });
  const asked = { redirect_uri: 'http://localhost:7777/callback' };
  const page = await harness.server.handle(request(authorizePath(`${base}/client.json`, pkce().challenge, asked)));
  expect(page?.status).toBe(200);
  expect(page?.body).not.toContain('published by');
  expect(page?.body).not.toContain('<img');
});

it('is unknown where documents are not switched on, and nothing is fetched', async () => {
  const harness = startHarness();
  const before = origin.requests.length;
  const reply = await harness.server.handle(request(authorizePath(`${base}/client.json`, pkce().challenge)));
  expect(refusal(harness, reply)).toEqual([400, 'invalid_client', 'authorize.client_unknown']);
  expect(origin.requests).toHaveLength(before);
});
