/** The Lambda authorizer with a real guard and real tokens: events as API Gateway sends them, answers as it takes them. */
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import type { AccessToken } from '@mcp-gatehouse/auth';
import { type Guard, guard } from '@mcp-gatehouse/auth/guard';
import { describe, expect, it } from 'vitest';
import {
  type HttpAuthorizerEvent,
  httpAuthorizer,
  type RestAuthorizerEvent,
  restAuthorizer,
} from '../src/lambda-authorizer.ts';

const start = 1_800_000_000;
const issuer = 'https://auth.example';
const resource = 'https://auth.example/mcp';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(changes: object = {}): string {
  const claims = {
    iss: issuer,
    aud: resource,
    sub: 'person',
    client_id: 'client',
    scope: 'read write',
    iat: start,
    exp: start + 900,
    jti: 'token-1',
    grant_id: 'grant-1',
    sub_id: { format: 'iss_sub', iss: 'https://idp.example', sub: 'Zoë' },
    ...changes,
  };
  const data = `${encoded({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })}.${encoded(claims)}`;
  return `${data}.${sign('sha256', Buffer.from(data), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

interface Scene {
  readonly check: Guard;
  readonly seen: string[];
}

function scene(grantAlive: () => Promise<boolean> = async () => true): Scene {
  const seen: string[] = [];
  const check = guard({
    issuer,
    resource: { uri: resource, scopes: { read: 'read', write: 'write' } },
    keys: {
      verificationKey: () => ({
        algorithm: 'ES256',
        verify: (data, signature) =>
          verify(
            'sha256',
            Buffer.from(data),
            { key: publicKey, dsaEncoding: 'ieee-p1363' },
            Buffer.from(signature, 'base64url'),
          ),
      }),
    },
    grantAlive,
    now: () => start,
    onRefusal: ({ reason }) => seen.push(reason),
  });
  return { check, seen };
}

const arn = 'arn:aws:execute-api:eu-central-1:123456789012:abcdef1234';

/** As documented in "Input to an API Gateway Lambda authorizer", type REQUEST. */
function restEvent(headers: Record<string, string>, changes: object = {}): RestAuthorizerEvent {
  const event = {
    type: 'REQUEST',
    methodArn: `${arn}/prod/POST/mcp`,
    resource: '/mcp',
    path: '/mcp',
    httpMethod: 'POST',
    headers: {
      Accept: 'application/json, text/event-stream',
      Host: 'abcdef1234.execute-api.eu-central-1.amazonaws.com',
      ...headers,
    },
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    queryStringParameters: { access_token: token() },
    multiValueQueryStringParameters: { access_token: [token()] },
    pathParameters: null,
    stageVariables: null,
    requestContext: {
      path: '/prod/mcp',
      accountId: '123456789012',
      stage: 'prod',
      apiId: 'abcdef1234',
      httpMethod: 'POST',
    },
    ...changes,
  };
  return event;
}

/** As documented in "Working with AWS Lambda authorizers for HTTP APIs", payload format 2.0. */
function httpEvent(headers: Record<string, string>, changes: object = {}): HttpAuthorizerEvent {
  return {
    version: '2.0',
    type: 'REQUEST',
    routeArn: `${arn}/$default/POST/mcp`,
    identitySource: headers.authorization === undefined ? null : [headers.authorization],
    routeKey: 'POST /mcp',
    rawPath: '/mcp',
    rawQueryString: `access_token=${token()}`,
    headers: { accept: 'application/json', host: 'abcdef1234.execute-api.eu-central-1.amazonaws.com', ...headers },
    requestContext: {
      accountId: '123456789012',
      apiId: 'abcdef1234',
      stage: '$default',
      http: { method: 'POST', path: '/mcp' },
    },
    ...changes,
  } as HttpAuthorizerEvent;
}

const rest = (event: RestAuthorizerEvent, { check } = scene()) => restAuthorizer({ guard: check })(event);
const http = (event: HttpAuthorizerEvent, { check } = scene()) => httpAuthorizer({ guard: check })(event);

const context = {
  subject: 'person',
  clientId: 'client',
  scope: 'read write',
  tokenId: 'token-1',
  expiresAt: String(start + 900),
  identityIssuer: 'https://idp.example',
  identitySubject: 'Zoë',
};

/** `Unauthorized` is what API Gateway compares with, whole. */
const unauthorized = (promise: Promise<unknown>) =>
  expect(promise.catch((error: Error) => error.message)).resolves.toBe('Unauthorized');

describe('a REST API', () => {
  it('a valid token: a policy for the whole stage, and who it is', async () => {
    expect(await rest(restEvent({ Authorization: `Bearer ${token()}` }))).toEqual({
      principalId: 'person',
      policyDocument: {
        Version: '2012-10-17',
        Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: `${arn}/prod/*` }],
      },
      context,
    });
  });

  it('the policy is the same whichever method was called first: the platform keeps it for all of them', async () => {
    const policies = await Promise.all(
      ['GET/', 'POST/mcp', 'DELETE/a/b/c', 'GET/mcp/*', 'POST/a$b/$'].map((method) =>
        rest(restEvent({ authorization: `Bearer ${token()}` }, { methodArn: `${arn}/prod/${method}` })),
      ),
    );
    const resources = policies.map(({ policyDocument }) => policyDocument.Statement[0].Resource);
    expect(new Set(resources)).toEqual(new Set([`${arn}/prod/*`]));
  });

  it.each([
    'arn:aws-cn:execute-api:cn-north-1:123456789012:abcdef1234/test-invoke-stage/GET/',
    'arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdef1234/v_1/ANY/x',
  ])('%s', async (methodArn) => {
    const { policyDocument } = await rest(restEvent({ authorization: `Bearer ${token()}` }, { methodArn }));
    expect(policyDocument.Statement[0].Resource).toBe(`${methodArn.split('/').slice(0, 2).join('/')}/*`);
  });

  it.each([
    '',
    'arn:aws:lambda:eu-central-1:123456789012:function:x',
    `${arn}/prod`,
    `${arn}/*/GET/`,
    `${arn}/$default/GET/`,
    `${arn}/\${aws:username}/GET/`,
    'arn:aws:execute-api:eu-central-1:123456789012:*/prod/GET/',
    'arn:aws:execute-api:*:123456789012:abcdef1234/prod/GET/',
  ])('no policy is made of the method ARN %j', async (methodArn) => {
    await expect(rest(restEvent({ authorization: `Bearer ${token()}` }, { methodArn }))).rejects.toThrow(/method ARN/);
  });

  it.each(['Authorization', 'authorization', 'AUTHORIZATION', 'aUtHoRiZaTiOn'])('the header %s', async (name) => {
    expect((await rest(restEvent({ [name]: `bearer ${token()}` }))).principalId).toBe('person');
  });

  it.each<[string, Record<string, string>, string]>([
    ['no header', {}, 'token.missing'],
    ['an empty header', { Authorization: '' }, 'token.missing'],
    ['another scheme', { Authorization: 'Basic YTpi' }, 'token.missing'],
    ['a malformed header', { Authorization: 'Bearer a b' }, 'token.header'],
    ['an expired token', { Authorization: `Bearer ${token({ exp: start - 60 })}` }, 'token.expired'],
    ['a token for another resource', { Authorization: `Bearer ${token({ aud: 'https://x' })}` }, 'token.audience'],
    ['a broken token', { Authorization: `Bearer ${token().slice(0, -4)}` }, 'token.signature'],
    ['a huge token', { Authorization: `Bearer ${'a'.repeat(100_000)}` }, 'token.too_long'],
  ])('%s: 401', async (_, headers, reason) => {
    const one = scene();
    await unauthorized(rest(restEvent(headers), one));
    expect(one.seen).toEqual([reason]);
  });

  it.each<[string, object]>([
    ['twice', { multiValueHeaders: { Authorization: [`Bearer ${token()}`, 'Bearer x'] } }],
    ['twice the same', { multiValueHeaders: { Authorization: Array(2).fill(`Bearer ${token()}`) } }],
    ['in two spellings', { headers: { Authorization: `Bearer ${token()}`, authorization: 'Bearer x' } }],
    ['one value here and another there', { multiValueHeaders: { authorization: ['Bearer x'] } }],
  ])('the header %s: 401', async (_, changes) => {
    await unauthorized(rest(restEvent({ Authorization: `Bearer ${token()}` }, changes)));
  });

  it.each<[object]>([
    [{ headers: null, multiValueHeaders: null }],
    [{ headers: undefined, multiValueHeaders: undefined }],
  ])('no headers at all: 401', (changes) => unauthorized(rest(restEvent({}, changes))));

  it('headers in the many-valued form alone', async () => {
    const only = restEvent({}, { headers: null, multiValueHeaders: { authorization: [`Bearer ${token()}`] } });
    expect((await rest(only)).principalId).toBe('person');
  });

  it('an ended grant: 401; a database that is away: 500, because nobody can tell', async () => {
    const event = restEvent({ Authorization: `Bearer ${token()}` });
    await unauthorized(
      rest(
        event,
        scene(async () => false),
      ),
    );
    const away = scene(async () => {
      throw new Error('the database is away');
    });
    const message = await rest(event, away).catch((error: Error) => error.message);
    expect(message).toBe('The authorizer cannot answer right now.');
  });

  it('what a token may not do is denied by policy, for all of the stage', async () => {
    const allows = ({ scope }: AccessToken) => scope.includes('admin');
    const result = await restAuthorizer({ guard: scene().check, allows })(
      restEvent({ Authorization: `Bearer ${token()}` }),
    );
    expect(result.policyDocument.Statement[0]).toMatchObject({ Effect: 'Deny', Resource: `${arn}/prod/*` });
  });

  it('names the API key whose usage plan counts', async () => {
    const event = restEvent({ Authorization: `Bearer ${token()}` });
    const keyOf = (key: string | undefined) =>
      restAuthorizer({ guard: scene().check, usageIdentifierKey: () => key })(event);
    expect(await keyOf('plan-key-of-the-client')).toMatchObject({ usageIdentifierKey: 'plan-key-of-the-client' });
    expect(await keyOf(undefined)).not.toHaveProperty('usageIdentifierKey');
  });

  it('an authorizer of type TOKEN is a mistake in the set-up, and says so', async () => {
    const event = { type: 'TOKEN', authorizationToken: `Bearer ${token()}`, methodArn: `${arn}/prod/GET/` };
    await expect(rest(event)).rejects.toThrow(/type REQUEST/);
  });
});

describe('an HTTP API', () => {
  it('a valid token: authorized, and who it is', async () => {
    expect(await http(httpEvent({ authorization: `Bearer ${token()}` }))).toEqual({ isAuthorized: true, context });
  });

  it.each<[string, Record<string, string>]>([
    ['no header', {}],
    ['a malformed header', { authorization: 'Bearer a b' }],
    ['the header twice, as the platform joins it', { authorization: `Bearer ${token()},Bearer ${token()}` }],
    ['an expired token', { authorization: `Bearer ${token({ exp: start - 60 })}` }],
  ])('%s: not authorized, which the platform makes 403', async (_, headers) => {
    expect(await http(httpEvent(headers))).toEqual({ isAuthorized: false, context: {} });
  });

  it('a token that may not: not authorized', async () => {
    const check = httpAuthorizer({ guard: scene().check, allows: () => false });
    expect(await check(httpEvent({ authorization: `Bearer ${token()}` }))).toEqual({
      isAuthorized: false,
      context: {},
    });
  });

  it('a cache that is keyed by something else than who asks: refused, and says so', async () => {
    const event = httpEvent({ authorization: `Bearer ${token()}` }, { identitySource: ['203.0.113.7'] });
    await expect(http(event)).rejects.toThrow(/identity source/);
    const both = httpEvent({ authorization: `Bearer ${token()}` }, { identitySource: ['x', `Bearer ${token()}`] });
    await expect(http(both)).rejects.toThrow(/identity source/); // signatures differ: another caller's
  });

  it.each([null, undefined, []])('nothing cached (identitySource %o)', async (identitySource) => {
    const event = httpEvent({ authorization: `Bearer ${token()}` }, { identitySource });
    expect((await http(event)).isAuthorized).toBe(true);
  });

  it('payload format 1.0 is a mistake in the set-up, and says so', async () => {
    await expect(http(httpEvent({}, { version: '1.0' }))).rejects.toThrow(/payload format 2.0/);
  });

  it('a database that is away: 500', async () => {
    const away = scene(async () => {
      throw new Error('the database is away');
    });
    await expect(http(httpEvent({ authorization: `Bearer ${token()}` }), away)).rejects.toThrow(/right now/);
  });
});

it('the context is text in every member, and holds nothing of the token', async () => {
  const person: AccessToken = {
    subject: 's',
    clientId: 'c',
    scope: [],
    audience: resource,
    issuer,
    issuedAt: start,
    expiresAt: start + 1,
    tokenId: 't',
    roles: ['a b', 'c,"d"'],
    permissions: [],
    claims: { connector_id: 'c-1', deep: { list: [1, 'Zoë\r\n'] } },
  };
  const secret = token();
  const result = await httpAuthorizer({ guard: async () => person })(httpEvent({ authorization: `Bearer ${secret}` }));
  for (const value of Object.values(result.context)) expect(value).toBeTypeOf('string');
  expect(JSON.parse(result.context.roles ?? '')).toEqual(['a b', 'c,"d"']);
  expect(result.context.permissions).toBe('[]');
  expect(JSON.parse(result.context.claims ?? '')).toEqual({ connector_id: 'c-1', deep: { list: [1, 'Zoë\r\n'] } });
  const good = await rest(restEvent({ Authorization: `Bearer ${secret}` }));
  for (const part of secret.split('.')) expect(JSON.stringify(good)).not.toContain(part);
});
