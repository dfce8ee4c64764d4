/** What a metadata document may say (AS-13, AS-15, AS-22, AS-23), and what becomes of it. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DocumentError, readDocument } from '../../src/authorization-server/clients/metadata-document/document.ts';

const url = 'https://client.example/client.json';
const rules = {
  privateUseSchemes: ['cursor'],
  grantTypes: ['authorization_code', 'refresh_token'],
  isFetchable: (text: string) => text.startsWith('https://') && !text.includes('denied'),
};
const minimal = { client_id: url, client_name: 'Example', redirect_uris: ['https://client.example/callback'] };
const bytes = (document: unknown) => Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
const read = (changes: Readonly<Record<string, unknown>> = {}) =>
  readDocument(url, bytes({ ...minimal, ...changes }), rules);

function refusal(document: unknown): string {
  try {
    readDocument(url, bytes(document), rules);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return error.reason.replace('cimd.document.', '');
  }
}

const jwk = (type: 'ec' | 'rsa' | 'weak' | 'ed25519' | 'x25519', extra: object = {}) => {
  const pair =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : type === 'rsa' || type === 'weak'
        ? generateKeyPairSync('rsa', { modulusLength: type === 'weak' ? 1024 : 2048 })
        : type === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('x25519');
  return {
    public: { ...pair.publicKey.export({ format: 'jwk' }), ...extra },
    private: pair.privateKey.export({ format: 'jwk' }),
  };
};

it('the minimum is a public client', () => {
  expect(read()).toEqual({
    clientId: url,
    name: 'Example',
    redirectUris: ['https://client.example/callback'],
    grantTypes: ['authorization_code', 'refresh_token'],
    authMethods: ['none'],
  });
});

it.each<[string, unknown, string]>([
  ['nothing', '', 'json'],
  ['HTML', '<!doctype html>', 'json'],
  ['null', 'null', 'json'],
  ['a list', [minimal], 'json'],
  ['text', '"x"', 'json'],
  ['cut off', '{"client_id":', 'json'],
  ['no client_id', { ...minimal, client_id: undefined }, 'client_id'],
  ['another client_id', { ...minimal, client_id: 'https://client.example/other.json' }, 'client_id'],
  ['a slash more', { ...minimal, client_id: `${url}/` }, 'client_id'],
  ['an upper-case host', { ...minimal, client_id: 'https://CLIENT.example/client.json' }, 'client_id'],
  ['a client_id in a list', { ...minimal, client_id: [url] }, 'client_id'],
  ['no name', { ...minimal, client_name: undefined }, 'client_name'],
  ['an empty name', { ...minimal, client_name: '  ' }, 'client_name'],
  ['a name that is no text', { ...minimal, client_name: { en: 'x' } }, 'client_name'],
  ['a name too long', { ...minimal, client_name: 'x'.repeat(201) }, 'client_name'],
  ['no redirect_uris', { ...minimal, redirect_uris: undefined }, 'redirect_uris'],
  ['empty redirect_uris', { ...minimal, redirect_uris: [] }, 'redirect_uris'],
  ['redirect_uris as text', { ...minimal, redirect_uris: 'https://client.example/callback' }, 'redirect_uris'],
  ['redirect_uris of numbers', { ...minimal, redirect_uris: [1] }, 'redirect_uris'],
  ['too many', { ...minimal, redirect_uris: Array(51).fill('https://client.example/callback') }, 'redirect_uris'],
  ['none that we accept', { ...minimal, redirect_uris: ['http://client.example/', 'javascript:x'] }, 'redirect_uris'],
  ['a secret', { ...minimal, client_secret: 'x' }, 'secret'],
  ['an empty secret', { ...minimal, client_secret: '' }, 'secret'],
  ['the end of a secret', { ...minimal, client_secret_expires_at: 0 }, 'secret'],
  ['basic', { ...minimal, token_endpoint_auth_method: 'client_secret_basic' }, 'secret_method'],
  ['post', { ...minimal, token_endpoint_auth_method: 'client_secret_post' }, 'secret_method'],
  ['a JWT of a secret', { ...minimal, token_endpoint_auth_method: 'client_secret_jwt' }, 'secret_method'],
  [
    'a secret among several',
    { ...minimal, token_endpoint_auth_methods_supported: ['none', 'client_secret_post'] },
    'secret_method',
  ],
  ['mutual TLS', { ...minimal, token_endpoint_auth_method: 'tls_client_auth' }, 'auth_method'],
  ['a method that is no text', { ...minimal, token_endpoint_auth_method: 7 }, 'auth_method'],
  ['several that are no list', { ...minimal, token_endpoint_auth_methods_supported: 'none' }, 'auth_method'],
  ['an empty list of methods', { ...minimal, token_endpoint_auth_methods_supported: [] }, 'auth_method'],
  ['private_key_jwt without keys', { ...minimal, token_endpoint_auth_method: 'private_key_jwt' }, 'keys_missing'],
  [
    'private_key_jwt with keys that may not be fetched',
    { ...minimal, token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://denied.example/' },
    'keys_missing',
  ],
  ['keys twice', { ...minimal, jwks: { keys: [] }, jwks_uri: 'https://client.example/jwks' }, 'jwks_twice'],
  ['keys that are no set', { ...minimal, jwks: [] }, 'jwks'],
  ['a key that is no object', { ...minimal, jwks: { keys: ['x'] } }, 'jwks'],
  ['a symmetric key', { ...minimal, jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }, 'jwks'],
  ['a private key', { ...minimal, jwks: { keys: [jwk('ec').private] } }, 'jwks'],
  ['too many keys', { ...minimal, jwks: { keys: Array(33).fill({ kty: 'x' }) } }, 'jwks'],
  ['grant types without the code', { ...minimal, grant_types: ['refresh_token'] }, 'grant_types'],
  ['grant types as text', { ...minimal, grant_types: 'authorization_code' }, 'grant_types'],
  ['response types without code', { ...minimal, response_types: ['token'] }, 'response_types'],
])('%s is refused', (_, document, reason) => {
  expect(refusal(document)).toBe(reason);
});

it('text that is not UTF-8 is refused', () => {
  expect(() => readDocument(url, Buffer.from([0x7b, 0xff, 0x7d]), rules)).toThrow(DocumentError);
});

describe('what we do not support is left out', () => {
  it('grant types', () => {
    const grant_types = [
      'authorization_code',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
    ];
    expect(read({ grant_types }).grantTypes).toEqual(['authorization_code']);
    expect(read({ grant_types: [...grant_types, 'refresh_token'] }).grantTypes).toEqual(rules.grantTypes);
  });

  it('redirect URIs, and nothing is widened', () => {
    const good = [
      'https://client.example/callback',
      'http://localhost/callback',
      'cursor://a/b',
      'com.example.app:/cb',
    ];
    const bad = [
      'http://client.example/',
      'javascript:alert(1)',
      'zed://a',
      'https://u@client.example/',
      'https://0x7f.1/',
    ];
    expect(read({ redirect_uris: [...bad, ...good, good[0]] }).redirectUris).toEqual(good);
  });

  it('logos that cannot be fetched', () => {
    const logo = (logo_uri: unknown) => read({ logo_uri }).logoUri;
    expect(logo('https://client.example/logo.png')).toBe('https://client.example/logo.png');
    for (const bad of ['data:image/png;base64,AA', 'https://denied.example/', 7, '', `https://a/${'x'.repeat(2000)}`]) {
      expect(logo(bad)).toBeUndefined();
    }
  });
});

describe('authentication', () => {
  const key = jwk('ec', { kid: 'a' });
  const methods = (changes: object) => read({ jwks: { keys: [key.public] }, ...changes }).authMethods;

  it.each<[string, object, readonly string[]]>([
    ['nothing said', {}, ['none']],
    ['none', { token_endpoint_auth_method: 'none' }, ['none']],
    ['private_key_jwt, and then nothing else', { token_endpoint_auth_method: 'private_key_jwt' }, ['private_key_jwt']],
    [
      'several, any of which will do',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      },
      ['none', 'private_key_jwt'],
    ],
    [
      'a list alone',
      { token_endpoint_auth_methods_supported: ['private_key_jwt', 'tls_client_auth'] },
      ['private_key_jwt'],
    ],
  ])('%s', (_, changes, expected) => {
    expect(methods(changes)).toEqual(expected);
  });

  it('without keys only what needs none is left of several', () => {
    const several = { token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'] };
    expect(read(several).authMethods).toEqual(['none']);
  });

  it('keys: those that sign and are strong; only their public members travel on', () => {
    const rsa = jwk('rsa', { kid: 'r', alg: 'RS256', use: 'sig', x5u: 'https://evil.example/', jku: 'x' });
    const ed = jwk('ed25519');
    const keys = [
      key.public,
      rsa.public,
      ed.public,
      jwk('weak').public,
      jwk('x25519').public,
      { ...key.public, use: 'enc' },
      { ...key.public, x: 'AAAA' },
      { kty: 'unknown' },
      { kty: '__proto__' },
    ];
    const { jwks } = read({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } });
    expect(jwks).toEqual([
      { ...key.public, use: 'sig' },
      { kty: 'RSA', n: rsa.public.n, e: rsa.public.e, kid: 'r', alg: 'RS256', use: 'sig' },
      { ...ed.public, use: 'sig' },
    ]);
  });
});

it('any JSON is read or refused, nothing else', () => {
  const names = [
    'client_id',
    'client_name',
    'redirect_uris',
    'grant_types',
    'jwks',
    'jwks_uri',
    'logo_uri',
    'response_types',
    'token_endpoint_auth_method',
    'token_endpoint_auth_methods_supported',
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.jsonValue()), (changes) => {
      expect(refusal({ ...minimal, ...changes })).toBeTypeOf('string');
    }),
  );
});
