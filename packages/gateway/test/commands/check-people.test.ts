/** `gatehouse check` on a list of people by the domain of their e-mail: a provider that tells no address admits nobody, and it says so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run } from '../command.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-check-people-'));
afterAll(() => rmSync(folder, { recursive: true }));
const env = { GATEHOUSE_CHECK_PEOPLE: 'an operator secret of thirty-two bytes or more' };
const secret = { env: 'GATEHOUSE_CHECK_PEOPLE' };

let files = 0;
/** What it says of people and is no success; settings and secrets alone, nobody is reached. */
async function said(people: object, identityProvider: object) {
  const file = join(folder, `${++files}.json`);
  const config = {
    issuer: 'https://mcp.example.com',
    listen: { port: 8080 },
    resources: [{ path: '/mcp', target: 'http://127.0.0.1:1/mcp' }],
    identityProvider: { clientId: 'gatehouse', clientSecret: secret, ...identityProvider },
    records: { type: 'sqlite', file: join(folder, 'none.sqlite') },
    secrets: [{ id: 'k1', secret }],
    people,
  };
  writeFileSync(file, JSON.stringify(config));
  const { code, stdout } = await run(['check', '--config', file, '--json', '--offline'], { env });
  expect(code, stdout).toBe(0);
  const { checks } = JSON.parse(stdout) as { checks: ReadonlyArray<{ check: string; outcome: string }> };
  return checks.filter(({ outcome }) => outcome !== 'ok');
}

const emailDomains = ['example.com'];
const oidc = { type: 'oidc', issuer: 'https://login.example.com' };
const cognito = {
  type: 'cognito',
  userPoolId: 'eu-central-1_AbCdEf123',
  domain: 'https://login.example.com',
};
const entra = { type: 'entra', tenant: '0760b6cf-170e-4a14-91b3-4b78e0739963' };
const keycloak = { type: 'keycloak', baseUrl: 'https://sso.example.com', realm: 'example' };

it.each<[what: string, people: object, provider: object, says: RegExp, cure: RegExp]>([
  ['OpenID without the scope', {}, oidc, /so nobody comes in unless the provider tells/, /scope: \[email\]$/],
  ['Google without it', {}, { type: 'google' }, /does not ask for email, so nobody comes in$/, /scope: \[email\]$/],
  ['Auth0 without it', {}, { type: 'auth0', domain: 'example.eu.auth0.com' }, /does not ask for email/, /\[email\]$/],
  ['Okta without it', {}, { type: 'okta', domain: 'example.okta.com' }, /does not ask for email/, /\[email\]$/],
  [
    'other ways in',
    { groups: ['staff'] },
    { type: 'google', scope: ['profile'] },
    /does not ask for email, so nobody comes in by their domain$/,
    /scope: \[profile, email\]$/,
  ],
  [
    'Cognito, and scopes that leave addresses out',
    {},
    { ...cognito, scope: ['profile'] },
    /does not ask for email, so nobody comes in$/,
    /\[profile, email\]$/,
  ],
  [
    'GitHub, whatever the scope',
    {},
    { type: 'github', scope: ['email'] },
    /GitHub is asked for no e-mail address, so nobody comes in$/,
    /people\.groups/,
  ],
])('%s: a warning', async (_, people, provider, says, cure) => {
  expect(await said({ emailDomains, ...people }, provider)).toEqual([
    { check: 'people', outcome: 'warning', says: expect.stringMatching(says), cure: expect.stringMatching(cure) },
  ]);
});

it.each<[what: string, people: object, provider: object]>([
  ['the scope is asked for', { emailDomains }, { ...oidc, scope: ['email'] }],
  ['Cognito, which tells every attribute for openid alone', { emailDomains }, cognito],
  ['Entra, which has claims of its own for it', { emailDomains }, entra],
  ['Keycloak, which gives the scope to every client', { emailDomains }, keycloak],
  ['no domain is listed', { groups: ['staff'] }, oidc],
])('%s: nothing', async (_, people, provider) => {
  expect(await said(people, provider)).toEqual([]);
});
