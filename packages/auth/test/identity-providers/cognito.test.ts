/** The Cognito preset: endpoints that follow from the user pool, in both forms of its issuer. */
import { describe, expect, it } from 'vitest';
import { type CognitoOptions, cognito } from '../../src/gatehouse.ts';
import { binding, callbackUrl, client, idToken, json, rsaKey, startMisbehaving } from './servers.ts';

const options: CognitoOptions = {
  userPoolId: 'eu-central-1_AbCdEf123',
  domain: 'https://login.example.com',
  clientId: 'app-client',
};

describe('the way there needs no request', () => {
  it.each([
    'https://login.example.com',
    'https://login.example.com/',
    'https://prefix.auth.eu-central-1.amazoncognito.com',
  ])('to %s', async (domain) => {
    const url = new URL(await cognito({ ...options, domain }).start(binding(), callbackUrl));
    expect(url.origin + url.pathname).toBe(`${domain.replace(/\/$/, '')}/oauth2/authorize`);
    expect(url.searchParams.get('scope')).toBe('openid');
    expect(url.searchParams.get('client_id')).toBe('app-client');
  });

  it('with the scopes that were chosen, and a name', async () => {
    const provider = cognito({ ...options, scope: ['openid', 'email'], name: 'Work' });
    expect(new URL(await provider.start(binding(), callbackUrl)).searchParams.get('scope')).toBe('openid email');
    expect(provider.name).toBe('Work');
    expect(cognito(options).name).toBe('login.example.com');
  });
});

describe('the issuer', () => {
  const iss = (query: string, changes: Partial<CognitoOptions>) => {
    const bound = binding();
    const parameters = new URLSearchParams(`state=${bound.state}&error=access_denied&iss=${encodeURIComponent(query)}`);
    return cognito({ ...options, ...changes })
      .finish(parameters, bound, callbackUrl)
      .catch((error: { reason: string }) => error.reason);
  };
  // RFC 9207: an answer that names another issuer is refused before it is read, so the right name shows itself.
  it.each<[string, Partial<CognitoOptions>]>([
    ['https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123', {}],
    ['https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123', { issuerForm: 'original' }],
    ['https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123', { issuerForm: 'updated' }],
    ['https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_x', { userPoolId: 'us-gov-west-1_x' }],
    ['http://localhost:8081/eu-central-1_AbCdEf123', { issuerOrigin: 'http://localhost:8081' }],
  ])('%s', async (issuer, changes) => {
    expect(await iss(issuer, changes)).toBe('idp.answered.access_denied');
    expect(await iss(`${issuer}/`, changes)).toBe('idp.invalid.oauth_invalid_response');
  });
});

it('a sign-in at a pool on this computer: token and keys come from where they should', async () => {
  const pool = await startMisbehaving();
  const issuer = `${pool.issuer}/${options.userPoolId}`;
  const bound = binding();
  const token = await idToken(issuer, { nonce: bound.nonce, token_use: 'id' }, rsaKey.privateKey);
  pool.behaviour.token = async () => json({ access_token: 'x', token_type: 'Bearer', id_token: token });
  const local = cognito({ ...options, clientId: client.id, domain: pool.issuer, issuerOrigin: pool.issuer });
  const answer = new URLSearchParams({ code: 'c', state: bound.state });
  expect(await local.finish(answer, bound, callbackUrl)).toEqual({
    identity: { issuer, subject: 'person-1' },
    groups: [],
    accessToken: { token: 'x' },
  });
  expect(pool.behaviour.requests.map(({ path }) => path)).toEqual([
    '/oauth2/token',
    `/${options.userPoolId}/.well-known/jwks.json`,
  ]);
  await pool.close();
});

it.each([
  '',
  'AbCdEf123',
  'eu-central-1',
  'eu-central-1_',
  'eu-central-1_a b',
  'eu-central_x',
  '../eu-central-1_x',
  'eu-central-1_x/../y',
  'eu-central-1_x\n',
  'evil.example/eu-central-1_x',
  `eu-central-1_${'x'.repeat(56)}`,
])('the user pool id %j is refused at start', (userPoolId) => {
  expect(() => cognito({ ...options, userPoolId })).toThrow(/^userPoolId: /);
});
