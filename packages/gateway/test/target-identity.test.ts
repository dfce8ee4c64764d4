/** How a target learns who calls, in every form of the setting `identity`; the operator's own headers; and that a client's token never gets there (SEC-07, SEC-11). */
import { readIdentityAssertion } from '@mcp-gatehouse/auth/identity-assertion';
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { type Seen, startTarget, type Target } from './target.ts';

const secretEnv = 'GATEHOUSE_TEST_IDENTITY_SECRET';
const keyEnv = 'GATEHOUSE_TEST_IDENTITY_KEY';
const machineEnv = 'GATEHOUSE_TEST_IDENTITY_MACHINE';
const [secret, apiKey, machineSecret] = [
  'how-targets-know-us-0123',
  'k-of-the-operator-4711',
  'a-machine-s-own-secret-0123456789',
];
Object.assign(process.env, { [secretEnv]: secret, [keyEnv]: apiKey, [machineEnv]: machineSecret });

const paths = ['/headers', '/none', '/notes', '/tasks', '/provider'] as const;
type Path = (typeof paths)[number];

let target: Target;
let gateway: TestGateway;
const people = new Map<Path, SignedIn>();

beforeAll(async () => {
  target = await startTarget();
  const targetSecret = { env: secretEnv };
  gateway = await startGateway(
    [
      { path: '/headers', target: `${target.url}/headers`, targetSecret },
      {
        path: '/none',
        target: {
          url: `${target.url}/none`,
          headers: { 'X-Api-Key': { env: keyEnv }, Authorization: 'Basic b3BlcmF0b3I6b3Blbg==', 'X-Team': 'blue' },
        },
        ...{ identity: 'none', targetSecret },
      },
      { path: '/notes', target: `${target.url}/notes`, identity: { assertion: { audience: 'notes' } }, targetSecret },
      { path: '/tasks', target: `${target.url}/tasks`, identity: { assertion: { audience: 'tasks' } } },
      { path: '/provider', target: `${target.url}/provider`, identity: 'providerToken', targetSecret },
    ],
    {
      roles: { groups: { staff: ['editor'] }, roles: { editor: ['write:notes'] } },
      clients: [{ id: 'machine', secret: { env: machineEnv }, grantTypes: ['client_credentials'] }],
    },
  );
  for (const path of paths) people.set(path, await signIn({ issuer: gateway.issuer, path }));
});
afterAll(async () => {
  await gateway?.close();
  await target?.close();
});

/** What nobody but the target and us may ever read: filled by the tests, looked for after each of them. */
const secrets = new Set([secret, apiKey, 'b3BlcmF0b3I6b3Blbg==']);
afterEach(() => {
  const logged = JSON.stringify(gateway.events);
  for (const one of secrets) expect(logged.includes(one), one.slice(0, 12)).toBe(false);
  target.seen.length = 0;
});

const person = (path: Path) => people.get(path) as SignedIn;
/** What a client sends that would be somebody else. */
const forged: ReadonlyArray<readonly [string, string]> = [
  ['X-Gatehouse-Subject', 'root'],
  ['x-gatehouse-secret', 'guessed'],
  ['x_gatehouse_subject', 'root'],
  ['X-Api-Key', 'of-the-client'],
  ['x-api-key', 'of-the-client-again'],
  ['x_api_key', 'of-the-client-too'],
  ['X-TEAM', 'red'],
  ['Proxy-Authorization', 'Bearer of-the-client'],
  ['Cookie', 'token=of-the-client'],
];

async function send(path: Path, token = person(path).accessToken) {
  const answer = await ask(gateway.port, message(`POST ${path}`, [['Authorization', `Bearer ${token}`], ...forged]));
  return { answer, seen: target.seen.at(-1) };
}

async function seenAt(path: Path): Promise<Seen> {
  const { answer, seen } = await send(path);
  expect([answer.status, seen?.url]).toEqual([200, path]);
  return seen as Seen;
}

const bearerOf = ({ headers }: Seen) => /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
const own = (seen: Seen) => Object.keys(seen.headers).filter((name) => name.startsWith('x-gatehouse-'));

describe.each(paths)('at %s', (path) => {
  it('the client’s token does not arrive, whole or in pieces, nor anything it says of itself', async () => {
    const seen = await seenAt(path);
    const all = [...seen.rawHeaders, seen.url, seen.body.toString()].join('\n');
    const { accessToken } = person(path);
    const [head = '', payload = '', signature = ''] = accessToken.split('.');
    const forms = [accessToken, payload, signature, `${head}.${payload}`, Buffer.from(accessToken).toString('base64')];
    for (const form of forms) expect(all.includes(form), form.slice(0, 20)).toBe(false);
    // Not under a name of its own either.
    expect(all).not.toContain(decodeJwt(accessToken).jti);
    for (const words of ['root', 'guessed', 'token=of-the-client']) expect(all).not.toContain(words);
    expect(seen.headers['proxy-authorization']).toBeUndefined();
  });
});

describe('headers', () => {
  it('name the person, and nothing stands in Authorization', async () => {
    const seen = await seenAt('/headers');
    expect(readIdentityHeaders(seen.headers, secret)).toMatchObject({
      subject: decodeJwt(person('/headers').accessToken).sub,
      roles: ['editor'],
      permissions: ['write:notes'],
    });
    expect(seen.headers.authorization).toBeUndefined();
  });
});

describe('none', () => {
  it('tells that it is the gateway, and of the person nothing', async () => {
    const seen = await seenAt('/none');
    expect(own(seen)).toEqual(['x-gatehouse-secret']);
    expect(seen.headers['x-gatehouse-secret']).toBe(secret);
    const { sub = '', client_id: clientId } = decodeJwt(person('/none').accessToken);
    for (const one of [sub, String(clientId), 'ada']) expect(seen.rawHeaders.join('\n')).not.toContain(one);
  });

  it('the operator’s headers are there, once each, in place of the client’s', async () => {
    const { headers, rawHeaders } = await seenAt('/none');
    expect(headers).toMatchObject({
      ...{ 'x-api-key': apiKey, 'x-team': 'blue', authorization: 'Basic b3BlcmF0b3I6b3Blbg==' },
    });
    const named = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase().replaceAll('_', '-'));
    for (const name of ['x-api-key', 'x-team', 'authorization'])
      expect(named.filter((one) => one === name)).toHaveLength(1);
    expect(rawHeaders.join('\n')).not.toContain('of-the-client');
  });

  it('are of that target alone, and no answer holds them', async () => {
    expect((await seenAt('/tasks')).headers['x-api-key']).toBe('of-the-client, of-the-client-again');
    const { answer } = await send('/none');
    expect(JSON.stringify([answer.headers, answer.body.toString()])).not.toContain(apiKey);
  });
});

describe('an assertion', () => {
  const verify = (assertion: string, audience: string) =>
    jwtVerify(assertion, createRemoteJWKSet(new URL(gateway.url('/.well-known/jwks.json'))), {
      ...{ issuer: gateway.issuer, audience, typ: 'gatehouse-identity+jwt', maxTokenAge: '60s' },
    });

  it('is verified by the keys that are published, and says who calls', async () => {
    const assertion = bearerOf(await seenAt('/notes'));
    secrets.add(assertion);
    const { payload } = await verify(assertion, 'notes');
    const { sub, client_id: clientId } = decodeJwt(person('/notes').accessToken);
    expect(payload).toMatchObject({ sub, client_id: clientId, roles: ['editor'], permissions: ['write:notes'] });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    expect(payload).not.toHaveProperty('jti', decodeJwt(person('/notes').accessToken).jti);
  });

  it('is for one target: another, by its audience, refuses it', async () => {
    const [notes, tasks] = [bearerOf(await seenAt('/notes')), bearerOf(await seenAt('/tasks'))];
    await expect(verify(notes, 'tasks')).rejects.toThrow('unexpected "aud" claim value');
    await expect(verify(tasks, 'notes')).rejects.toThrow('unexpected "aud" claim value');
    expect((await verify(tasks, 'tasks')).payload.aud).toBe('tasks');
  });

  it('is read by the library, from the headers as they came', async () => {
    const { headers } = await seenAt('/notes');
    const read = readIdentityAssertion({ issuer: gateway.issuer, audience: 'notes' });
    expect(await read(headers)).toMatchObject({ roles: ['editor'], identitySubject: expect.any(String) });
    expect(await readIdentityAssertion({ issuer: gateway.issuer, audience: 'tasks' })(headers)).toBeUndefined();
    expect(await read({ authorization: `Bearer ${person('/notes').accessToken}` })).toBeUndefined();
  });

  it('is no token for the gateway, at any resource', async () => {
    const assertion = bearerOf(await seenAt('/notes'));
    target.seen.length = 0;
    for (const path of paths) expect((await send(path, assertion)).answer.status, path).toBe(401);
    expect(target.seen).toEqual([]);
    expect(decodeProtectedHeader(assertion).typ).not.toBe(decodeProtectedHeader(person('/notes').accessToken).typ);
  });

  it('stands alone: no identity headers beside it', async () => {
    expect(own(await seenAt('/notes'))).toEqual(['x-gatehouse-secret']);
    expect(own(await seenAt('/tasks'))).toEqual([]);
  });
});

describe('the provider’s token', () => {
  async function machineToken(path: Path): Promise<string> {
    const answer = await fetch(gateway.url('/token'), {
      method: 'POST',
      body: new URLSearchParams({
        ...{ grant_type: 'client_credentials', client_id: 'machine', client_secret: machineSecret },
        resource: gateway.issuer + path,
      }),
    });
    return ((await answer.json()) as { access_token: string }).access_token;
  }

  it('is the pool’s own access token for the person', async () => {
    const token = bearerOf(await seenAt('/provider'));
    secrets.add(token);
    const poolIssuer = `${gateway.signInOrigin}/eu-central-1_Test00001`;
    const keys = createRemoteJWKSet(new URL(`${poolIssuer}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(token, keys, { issuer: poolIssuer });
    expect(payload).toMatchObject({ token_use: 'access', client_id: 'gatehouse', username: 'ada' });
  });

  it('stands alone too, beside what proves that it is us who ask', async () => {
    expect(own(await seenAt('/provider'))).toEqual(['x-gatehouse-secret']);
  });

  it('is no token for the gateway', async () => {
    const token = bearerOf(await seenAt('/provider'));
    for (const path of paths) expect((await send(path, token)).answer.status, path).toBe(401);
  });

  it('a machine has none: it is told so, and its request goes nowhere', async () => {
    const { answer } = await send('/provider', await machineToken('/provider'));
    expect([answer.status, answer.json().error]).toEqual([403, 'access_denied']);
    expect(answer.json().error_description).toContain('there is no sign-in there to act with');
    // No other scope would help: nobody is sent to ask for one.
    expect(answer.header('www-authenticate')).toBeUndefined();
    expect(target.seen).toEqual([]);
    expect(gateway.events.at(-1)).toMatchObject({ event: 'http.request', status: 403, outcome: 'no_identity' });
  });

  it('a machine is told apart by headers and by an assertion like any caller', async () => {
    expect((await send('/headers', await machineToken('/headers'))).seen?.headers['x-gatehouse-client-id']).toBe(
      'machine',
    );
    const { seen } = await send('/notes', await machineToken('/notes'));
    expect(decodeJwt(bearerOf(seen as Seen)).client_id).toBe('machine');
  });

  it('ends with the grant: 401, and the client is sent to sign in', async () => {
    const leaving = await signIn({ issuer: gateway.issuer, path: '/provider' });
    expect((await send('/provider', leaving.accessToken)).answer.status).toBe(200);
    secrets.add(bearerOf(target.seen.at(-1) as Seen));
    const { clientId, refreshToken } = leaving;
    const revoked = await fetch(gateway.url('/revoke'), {
      method: 'POST',
      body: new URLSearchParams({ client_id: clientId, token: refreshToken }),
    });
    expect(revoked.status).toBe(200);
    const { answer } = await send('/provider', leaving.accessToken);
    expect(answer.status).toBe(401);
    expect(answer.header('www-authenticate')).toMatch(/error="invalid_token".*resource_metadata="[^"]+\/provider"/);
    expect(target.seen).toHaveLength(1);
    expect((await send('/provider')).answer.status, 'another grant of the same person').toBe(200);
  });
});
