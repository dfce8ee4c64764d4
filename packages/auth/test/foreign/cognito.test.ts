/** Cognito's own tokens, from the local pool, and what is known of Cognito's and Auth0's issuers. */
import { describe, expect, it } from 'vitest';
import { API, basic, MACHINE_SECRET, startPool } from '../../../local-cognito/test/support/pool.ts';
import { subjectOf } from '../../src/identity-providers/identity-provider.ts';
import { foreignTokens } from '../../src/resource-server/foreign/foreign-tokens.ts';
import {
  auth0Issuer,
  type CognitoIssuerOptions,
  cognitoIssuer,
  oidcIssuer,
} from '../../src/resource-server/foreign/profiles.ts';
import { judged, startIssuer, startVerifier, tokenOf, verdict } from './loopback-issuer.ts';

const pool = { userPoolId: 'eu-central-1_Test0001', clientIds: ['public'], resource: API };

async function scene(changes: Partial<CognitoIssuerOptions> = {}) {
  const cognito = await startPool();
  const entry = cognitoIssuer({ ...pool, issuerOrigin: cognito.origin, ...changes });
  const verify = foreignTokens({ issuers: [entry], now: () => cognito.clock.now });
  return { cognito, judge: (token: string | undefined) => judged(verify, token ?? '') };
}
const scopes = `openid ${API}/read`;

describe('a pool on this computer', () => {
  it('the access token of a person, with groups and without the prefix of its scopes', async () => {
    const { cognito, judge } = await scene({
      scopePrefix: `${API}/`,
      roleRules: { groups: { admins: ['admin'] }, roles: { admin: ['read:schemas', 'write:schemas'] } },
    });
    const tokens = await cognito.tokens({ scope: scopes });
    const token = await judge(tokens.access_token);
    const { sub } = JSON.parse(Buffer.from(tokens.access_token?.split('.')[1] ?? '', 'base64url').toString());
    expect(token).toMatchObject({
      subject: subjectOf({ issuer: cognito.issuer, subject: sub }),
      identity: { issuer: cognito.issuer, subject: sub },
      clientId: 'public',
      scope: ['read'],
      audience: API,
      issuer: cognito.issuer,
      roles: ['admin'],
      permissions: ['read:schemas', 'write:schemas'],
    });
  });

  it('groups are roles where no rules are, and scopes are whole where no prefix is', async () => {
    const { cognito, judge } = await scene();
    const token = await judge((await cognito.tokens({ scope: scopes })).access_token);
    expect(token).toMatchObject({ roles: ['admins', 'readers'], scope: ['openid', `${API}/read`] });
    expect(token).not.toHaveProperty('permissions');
  });

  it('the id token of the same person is refused, and so is a changed token', async () => {
    const { cognito, judge } = await scene();
    const tokens = await cognito.tokens({ scope: scopes });
    expect(await judge(tokens.id_token)).toBe('token.use');
    const [head, body, signature = ''] = tokens.access_token?.split('.') ?? [];
    expect(await judge(`${head}.${body}.${signature.replace(/^./, (one) => (one === 'A' ? 'B' : 'A'))}`)).toBe(
      'token.signature',
    );
    expect(await judge(tokens.refresh_token)).toMatch(/^token\./);
  });

  it('a token of the same pool for another client is refused', async () => {
    const { cognito, judge } = await scene();
    const machine = await cognito.token(
      { grant_type: 'client_credentials', scope: `${API}/read` },
      basic('machine', MACHINE_SECRET),
    );
    expect(await judge(String(machine.body.access_token))).toBe('token.client');
    const both = foreignTokens({
      issuers: [cognitoIssuer({ ...pool, issuerOrigin: cognito.origin, clientIds: ['public', 'machine'] })],
      now: () => cognito.clock.now,
    });
    expect(await judged(both, String(machine.body.access_token))).toMatchObject({ clientId: 'machine', roles: [] });
  });

  it('a token bound to our resource is taken, one bound to another is not', async () => {
    const { cognito, judge } = await scene();
    const { access_token: token } = await cognito.tokens({ scope: scopes, resource: API });
    expect(await judge(token)).toMatchObject({ audience: API });
    const other = foreignTokens({
      issuers: [cognitoIssuer({ ...pool, issuerOrigin: cognito.origin, resource: 'https://other.example/mcp' })],
      now: () => cognito.clock.now,
    });
    expect(await judged(other, token ?? '')).toBe('token.audience');
  });

  it('expires', async () => {
    const { cognito, judge } = await scene();
    const { access_token: token } = await cognito.tokens({ scope: scopes });
    cognito.clock.now += 3600 + 30;
    expect(await judge(token)).toBe('token.expired');
  });
});

describe('the presets', () => {
  const cognitoPool = { ...pool, userPoolId: 'eu-central-1_AbCdEf123' };
  it('Cognito has two forms of issuer', () => {
    expect(cognitoIssuer(cognitoPool)).toMatchObject({
      issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123',
      jwksUri: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123/.well-known/jwks.json',
    });
    expect(cognitoIssuer({ ...cognitoPool, issuerForm: 'updated' }).issuer).toBe(
      'https://issuer-cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123',
    );
  });

  it.each([
    '',
    'AbC',
    'eu-central-1_',
    '../eu-central-1_x',
    'eu-central-1_x/../y',
    'evil.example/eu-central-1_x',
    'eu-central-1_x\n',
  ])('the user pool id %j is refused', (userPoolId) =>
    expect(() => cognitoIssuer({ ...pool, userPoolId })).toThrow(/^userPoolId: /),
  );

  it('Auth0: the issuer ends with a slash', () => {
    expect(auth0Issuer({ domain: 'Example.eu.auth0.com', audience: 'https://api.example' })).toEqual({
      issuer: 'https://example.eu.auth0.com/',
      resource: 'https://api.example',
      audience: 'https://api.example',
      jwksUri: 'https://example.eu.auth0.com/.well-known/jwks.json',
      algorithms: ['RS256'],
      tokenType: 'jwt',
      permissionsFrom: 'permissions',
    });
  });

  it.each(['', 'localhost', 'https://example.auth0.com', 'example.auth0.com/', 'a.b/../c', 'a b.c', 'u@a.b', 'a.b:8'])(
    'Auth0: the domain %j is refused',
    (domain) => expect(() => auth0Issuer({ domain, audience: 'x' })).toThrow(/^domain: /),
  );

  it('any other issuer says itself where its keys are', () => {
    expect(oidcIssuer({ issuer: 'https://idp.example', audience: 'https://api.example' })).toEqual({
      issuer: 'https://idp.example',
      audience: 'https://api.example',
      resource: 'https://api.example',
    });
  });
});

describe('tokens as Auth0 makes them', () => {
  const api = 'https://api.example/mcp';
  const auth0 = async (changes: object, clientIds?: readonly string[]) => {
    const tenant = await startIssuer();
    const entry = auth0Issuer({
      domain: 'example.eu.auth0.com',
      audience: api,
      issuerOrigin: tenant.issuer,
      ...(clientIds && { clientIds }),
    });
    const token = tokenOf(
      { issuer: `${tenant.issuer}/` },
      {
        header: { typ: 'JWT' },
        claims: {
          aud: [api, `${tenant.issuer}/userinfo`],
          azp: 'app-1',
          client_id: undefined,
          jti: undefined,
          permissions: ['read:schemas'],
          ...changes,
        },
      },
    );
    return startVerifier([entry]).judge(token);
  };

  it('permissions and azp are read', async () => {
    expect(await auth0({})).toMatchObject({ clientId: 'app-1', permissions: ['read:schemas'] });
    expect(await auth0({ permissions: undefined })).toMatchObject({ permissions: [] });
    expect(await auth0({ permissions: 'read:schemas' })).toMatchObject({ permissions: [] });
  });

  it.each<[string, object, string]>([
    ['an id token', { aud: 'app-1', nonce: 'n' }, 'token.use'],
    ['an id token for the API', { nonce: 'n' }, 'token.use'],
    ['an id token of the implicit flow', { at_hash: 'h' }, 'token.use'],
    ['a logout token', { events: {} }, 'token.use'],
    ['a token for the user-info endpoint alone', { aud: 'x/userinfo' }, 'token.audience'],
    ['azp and client_id at odds', { client_id: 'app-2' }, 'token.client'],
  ])('%s is refused', async (_, changes, reason) => {
    expect(verdict(await auth0(changes))).toBe(reason);
  });

  it('of one application only', async () => {
    expect(verdict(await auth0({}, ['app-1']))).toBe('accepted');
    expect(verdict(await auth0({}, ['app-2']))).toBe('token.client');
  });
});
