/** Which provider's word counts for an e-mail address, and that of the address nothing but its domain leaves this folder. */
import { afterEach, describe, expect, it } from 'vitest';
import { cognito, entra, google, type OidcOptions, oidc } from '../../src/gatehouse.ts';
import { type EmailProof, verifiedEmailDomain } from '../../src/identity-providers/verified-email.ts';
import { binding, callbackUrl, client, idToken, json, type Running, startMisbehaving } from './servers.ts';

const email = 'Somebody@Example.com';

describe('an address', () => {
  it.each<[EmailProof | undefined, Readonly<Record<string, unknown>>, string | null | undefined]>([
    [undefined, { email, email_verified: true }, 'example.com'],
    [undefined, { email, email_verified: 'true' }, null],
    [undefined, { email, email_verified: 'false' }, null],
    [undefined, { email, email_verified: 1 }, null],
    [undefined, { email, email_verified: false }, null],
    [undefined, { email }, null],
    [undefined, { email, xms_edov: true }, null],
    [undefined, { email: 'a@b@example.com', email_verified: true }, null],
    [undefined, { email: [email], email_verified: true }, null],
    [undefined, { email: '', email_verified: true }, null],
    [undefined, { email_verified: true }, undefined],
    [undefined, {}, undefined],
    ['cognito', { email, email_verified: true }, 'example.com'],
    ['cognito', { email, email_verified: 'true' }, 'example.com'],
    ['cognito', { email, email_verified: 'false' }, null],
    ['cognito', { email, email_verified: 'TRUE' }, null],
    ['cognito', { email }, null],
    ['google', { email, email_verified: true, hd: 'example.com' }, 'example.com'],
    ['google', { email, email_verified: true, hd: 'another.example' }, 'example.com'],
    ['google', { email, email_verified: true }, null],
    ['google', { email, email_verified: true, hd: '' }, null],
    ['google', { email, email_verified: true, hd: true }, null],
    ['google', { email: 'a@gmail.com', email_verified: true }, 'gmail.com'],
    ['google', { email: 'a@gmail.com', email_verified: false }, null],
    ['google', { email: 'a@gmail.com.evil.example', email_verified: true }, null],
    ['google', { email, email_verified: 'true', hd: 'example.com' }, null],
    ['entra', { email, xms_edov: true }, 'example.com'],
    ['entra', { email, xms_edov: '1' }, 'example.com'],
    ['entra', { email, xms_edov: false }, null],
    ['entra', { email, xms_edov: '0' }, null],
    ['entra', { email, xms_edov: 'false' }, null],
    ['entra', { email, xms_edov: {} }, null],
    ['entra', { email }, null],
    ['entra', { email, email_verified: true }, null],
  ])('by %s: %j', (proof, claims, domain) => {
    expect(verifiedEmailDomain(claims, proof)).toBe(domain);
  });

  it('is judged by each preset in its own way', () => {
    const common = { clientId: 'c', clientSecret: 's' };
    expect(google(common).emailProof).toBe('google');
    expect(entra({ ...common, tenant: '00000000-0000-4000-8000-000000000000' }).emailProof).toBe('entra');
  });
});

describe('at a provider', () => {
  let provider: Awaited<ReturnType<typeof startMisbehaving>> | undefined;
  afterEach(async () => {
    await provider?.close();
    provider = undefined;
  });

  async function connect(options: Partial<OidcOptions> = {}) {
    provider = await startMisbehaving();
    const { issuer, behaviour } = provider;
    const ours = oidc({ issuer, clientId: client.id, clientSecret: client.secret, ...options });
    const answer = (claims: Readonly<Record<string, unknown>> | undefined, more: object = {}) => {
      behaviour.token = async () =>
        json({
          access_token: 'x',
          token_type: 'Bearer',
          refresh_token: 'r',
          ...(claims && { id_token: await idToken(issuer, claims) }),
          ...more,
        });
    };
    return { ours, answer, behaviour, identity: { issuer, subject: 'person-1' } };
  }

  it('a sign-in and a renewal give the domain, and nothing of the address', async () => {
    const { ours, answer, identity } = await connect();
    const bound = binding();
    answer({ nonce: bound.nonce, email, email_verified: true });
    const query = new URLSearchParams({ code: 'c', state: bound.state });
    const signedIn = await ours.finish(query, bound, callbackUrl);
    expect(signedIn.emailDomain).toBe('example.com');
    expect(JSON.stringify(signedIn)).not.toMatch(/somebody/i);
    answer({ email, email_verified: false });
    const renewed = await ours.renew?.(String(signedIn.session), identity);
    expect(renewed?.emailDomain).toBeNull();
    answer({});
    expect(await ours.renew?.(String(signedIn.session), identity)).not.toHaveProperty('emailDomain');
  });

  it('that gives no id_token with a refresh is asked at its userinfo where the address was asked for', async () => {
    const { ours, answer, behaviour, identity } = await connect({ scope: ['email'] });
    const { discovery } = behaviour;
    behaviour.discovery = (issuer) => {
      const found = JSON.parse(discovery(issuer).body) as object;
      return json({ ...found, userinfo_endpoint: `${issuer}/userinfo` });
    };
    behaviour.routes['/userinfo'] = () => json({ sub: 'person-1', email, email_verified: true });
    answer(undefined);
    const session = JSON.stringify({ issuer: identity.issuer, refreshToken: 'r' });
    expect((await ours.renew?.(session, identity))?.emailDomain).toBe('example.com');
    behaviour.routes['/userinfo'] = () => json({ sub: 'person-2', email, email_verified: true });
    await expect(ours.renew?.(session, identity)).rejects.toMatchObject({ reason: 'idp.renew.other_person' });
  });

  it('an access token that is bound to a key is not passed on', async () => {
    const { ours, answer, identity } = await connect();
    const session = JSON.stringify({ issuer: identity.issuer, refreshToken: 'r' });
    answer({}, { expires_in: 300 });
    expect((await ours.renew?.(session, identity))?.accessToken).toEqual({ token: 'x', expiresIn: 300 });
    answer({}, { token_type: 'DPoP' });
    const answered = await ours.renew?.(session, identity).catch((error: unknown) => error);
    expect(answered).not.toHaveProperty('accessToken');
  });
});

it('Cognito’s userinfo says "true" in text, and the pool’s preset knows', async () => {
  const pool: Running & Awaited<ReturnType<typeof startMisbehaving>> = await startMisbehaving();
  const userPoolId = 'eu-central-1_AbCdEf123';
  const local = cognito({ userPoolId, clientId: client.id, domain: pool.issuer, issuerOrigin: pool.issuer });
  const identity = { issuer: `${pool.issuer}/${userPoolId}`, subject: 'person-1' };
  pool.behaviour.token = async () => json({ access_token: 'x', token_type: 'Bearer' });
  pool.behaviour.routes['/oauth2/userInfo'] = () => json({ sub: 'person-1', email, email_verified: 'true' });
  const session = JSON.stringify({ issuer: identity.issuer, refreshToken: 'r' });
  expect((await local.renew?.(session, identity))?.emailDomain).toBe('example.com');
  await pool.close();
});
