/** Every endpoint, a good request to each, and everything that can be made wrong with one. */
import { endpointPaths } from '@mcp-gatehouse/auth';
import { hostile, type Random } from './random.ts';
import { authorizeFields, type Fields, type Scene } from './scene.ts';
import type { Sent } from './wire.ts';

/** What a refusal must look like: JSON for programs, a page for people, or JSON with a challenge at a resource. */
export type Face = 'api' | 'page' | 'resource';

interface Endpoint {
  readonly name: string;
  readonly path: string;
  readonly method: string;
  /** One of several good requests: where its parameters stand, and what comes with them. */
  readonly good?: (random: Random) => Good;
}

interface Good {
  readonly query?: Fields;
  readonly form?: Fields;
  readonly json?: unknown;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
}

export interface Fuzzed {
  readonly endpoint: string;
  readonly face: Face;
  readonly sent: Sent;
}

export function requestsFor(scene: Scene): (random: Random) => Fuzzed {
  const all = endpoints(scene);
  const { authorize, consent, callback, connections, connectionsChange } = endpointPaths(scene.issuer);
  const pages = new Set<string>([authorize, consent, callback, connections, connectionsChange]);
  return (random) => {
    const endpoint = random.pick(all);
    const sent = broken(endpoint, scene, random);
    // Where it goes in the end says what answers it.
    const [path = ''] = sent.target.split('?', 1);
    return { endpoint: endpoint.name, face: pages.has(path) ? 'page' : path === '/mcp' ? 'resource' : 'api', sent };
  };
}

export function endpoints(scene: Scene): readonly Endpoint[] {
  const paths = endpointPaths(scene.issuer);
  const basic = ({ id, secret }: { id: string; secret: string }): readonly [string, string] => [
    'authorization',
    `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  ];
  const sameOrigin: ReadonlyArray<readonly [string, string]> = [
    ['origin', scene.issuer],
    ['sec-fetch-site', 'same-origin'],
  ];
  const { spent, kept, confidential, introspector } = scene;
  const refreshes: Fields = {
    grant_type: 'refresh_token',
    client_id: spent.clientId,
    refresh_token: spent.tokens.refresh_token,
    scope: 'read',
    resource: scene.resource,
  };
  const redeems: Fields = {
    grant_type: 'authorization_code',
    client_id: scene.clientId,
    code: spent.code,
    code_verifier: scene.verifier,
    redirect_uri: scene.redirectUri,
  };
  const assertion: Fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: kept.access_token,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: kept.access_token,
  };
  const documents = [
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp',
    paths.jwks,
    '/healthz',
    '/nowhere',
  ].map((path): Endpoint => ({ name: path, path, method: 'GET' }));
  const bearer = [['authorization', `Bearer ${kept.access_token}`] as const];
  return [
    ...documents,
    { name: 'front page', path: '/', method: 'GET' },
    { name: 'open path', path: '/files/a/b.apkg', method: 'GET' },
    {
      name: 'mcp',
      path: '/mcp',
      method: 'POST',
      good: (random) => ({
        json: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', arguments: {} } },
        headers: [['accept', 'application/json, text/event-stream'], ...(random.chance(0.7) ? bearer : [])],
      }),
    },
    {
      name: 'register',
      path: paths.register,
      method: 'POST',
      good: () => ({
        json: {
          client_name: 'Fuzz',
          redirect_uris: [scene.redirectUri, 'https://app.example/callback'],
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          token_endpoint_auth_method: 'none',
          scope: 'read write',
          contacts: ['a@example.com'],
        },
      }),
    },
    {
      name: 'authorize',
      path: paths.authorize,
      method: 'GET',
      good: (random) => ({
        query: { ...authorizeFields(scene), ...(random.chance(0.2) && { redirect_uri: random.pick(hostile) }) },
        headers: random.chance(0.3) ? [['cookie', scene.consent.cookie]] : [],
      }),
    },
    {
      name: 'consent',
      path: paths.consent,
      method: 'POST',
      good: () => ({ form: scene.consent.fields, headers: [...sameOrigin, ['cookie', scene.consent.cookie]] }),
    },
    {
      name: 'callback',
      path: paths.callback,
      method: 'GET',
      good: (random) => ({
        query: { code: 'idp-code', state: `${random.pick(['', 'person.'])}${random.bytes(32).toString('base64url')}` },
        headers: [['cookie', random.pick([scene.consent.cookie, scene.person.cookie])]],
      }),
    },
    {
      name: 'token',
      path: paths.token,
      method: 'POST',
      good: (random) => ({
        form: random.pick([refreshes, redeems, assertion, { grant_type: 'client_credentials', scope: 'read' }]),
        headers: random.chance(0.2) ? [basic(random.pick([confidential, introspector]))] : [],
      }),
    },
    {
      name: 'revoke',
      path: paths.revoke,
      method: 'POST',
      good: (random) => ({
        form: {
          client_id: random.pick([scene.clientId, spent.clientId]),
          token: random.pick([spent.tokens.access_token, spent.tokens.refresh_token, 'none']),
          token_type_hint: 'refresh_token',
        },
      }),
    },
    {
      name: 'introspect',
      path: paths.introspect,
      method: 'POST',
      good: () => ({ form: { token: kept.access_token }, headers: [basic(introspector)] }),
    },
    {
      name: 'connections',
      path: paths.connections,
      method: 'GET',
      good: () => ({ query: { page: '1', done: 'one', proof: 'x' }, headers: [['cookie', scene.person.cookie]] }),
    },
    {
      name: 'change connections',
      path: paths.connectionsChange,
      method: 'POST',
      // A made-up grant: the button that is really there would end what the guard's part needs.
      good: () => ({
        form: { ...scene.person.fields, grant: 'none' },
        headers: [...sameOrigin, ['cookie', scene.person.cookie]],
      }),
    },
  ];
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'SEARCH'];
const types = [
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=utf-16',
  'APPLICATION/JSON;x="',
  'application/json',
  'text/plain',
  'multipart/form-data; boundary=x',
  'application/xml',
  '',
  ';',
];

interface Draft {
  method: string;
  path: string;
  query: Array<[string, string]>;
  form: Array<[string, string]> | undefined;
  json: unknown;
  headers: Array<[string, string]>;
  /** Replaces what form or JSON would say. */
  body: Buffer | undefined;
  encode: (text: string) => string;
}

function broken({ path, method, good }: Endpoint, scene: Scene, random: Random): Sent {
  const { query = {}, form, json, headers = [] } = good?.(random) ?? {};
  const draft: Draft = {
    method,
    path,
    query: Object.entries(query),
    form: form && Object.entries(form),
    json,
    headers: [['host', new URL(scene.issuer).host], ...headers.map(([name, value]): [string, string] => [name, value])],
    body: undefined,
    encode: percent,
  };
  if (form) draft.headers.push(['content-type', 'application/x-www-form-urlencoded']);
  if (json !== undefined) draft.headers.push(['content-type', 'application/json']);
  const places = [
    ...(form || good?.(random).query ? [parameters, parameters, parameters, encoding] : []),
    ...(json === undefined ? [] : [jsonValue, jsonValue, jsonText]),
    ...(form || json !== undefined ? [body] : []),
    header,
    credentials(scene),
    target,
    methodChange,
  ];
  for (let faults = 1 + random.below(3); faults > 0; faults--) random.pick(places)(draft, random);
  return written(draft, random);
}

function written({ method, path, query, form, json, headers, body: given, encode }: Draft, random: Random): Sent {
  const pairs = (list: ReadonlyArray<readonly [string, string]>) =>
    list.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  const text = query.length > 0 ? `${path}?${pairs(query)}` : path;
  const body = given ?? Buffer.from(form ? pairs(form) : json === undefined ? '' : String(JSON.stringify(json)));
  const chunks =
    body.length > 0 && random.chance(0.05) ? Array.from({ length: 3 }, () => random.below(100)) : undefined;
  return {
    method,
    // What would make another request of it is the raw connections' business.
    target: text.replace(/[\r\n ]/g, '%20'),
    headers: headers.map(([name, value]) => [name, value.replace(/[\r\n]/g, ' ')]),
    body,
    ...(chunks && { chunks }),
  };
}

function parameters(draft: Draft, random: Random): void {
  const list = draft.form ?? draft.query;
  const at = random.below(Math.max(1, list.length));
  const [name, value] = list[at] ?? ['x', 'y'];
  const other = random.pick(hostile);
  const faults: ReadonlyArray<() => unknown> = [
    () => list.splice(at, 1),
    () => list.push([name, value]),
    () => list.push([name, other]),
    () => list.unshift([name, other]),
    () => list.splice(at, 1, [name, other]),
    () => list.splice(at, 1, [name, value + other]),
    () => list.splice(at, 1, [name, value.slice(0, random.below(value.length + 1))]),
    () => list.splice(at, 1, [name, flipped(value, random)]),
    () => list.splice(at, 1, [name, random.pick(list)?.[1] ?? '']),
    () => list.splice(at, 1, [random.pick([`${name}[]`, name.toUpperCase(), `${name} `, other]), value]),
    () => list.push([other, other]),
    () => list.push([other, 'x'], [other, 'y']),
    () => list.push(...Array.from({ length: 70 }, (_, i): [string, string] => [`p${i}`, ''])),
    () => draft.form && random.chance(0.1) && list.push(['x', 'y'.repeat(70_000)]),
    () => draft.form && draft.query.push([name, value]),
    () => list.splice(0, list.length),
  ];
  random.pick(faults)();
}

function flipped(text: string, random: Random): string {
  const at = random.below(Math.max(1, text.length));
  return text.slice(0, at) + random.pick(['A', 'a', '0', '.', '_', '-', '~', '\u0000', 'é']) + text.slice(at + 1);
}

function encoding(draft: Draft, random: Random): void {
  const hex = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const tail = random.pick([
    '%',
    '%f',
    '%zz',
    '%ff',
    '%c0%af',
    '%ed%a0%80',
    '%00',
    '+',
    ';',
    '&&',
    '=',
    '&=&',
    '%u0041',
  ]);
  draft.encode = random.pick([
    hex,
    (text) => percent(percent(text)),
    (text) => percent(text) + tail,
    (text) => tail + percent(text),
    (text) => Buffer.from(text).toString('latin1'),
    (text) => percent(text).toLowerCase(),
  ]);
}

const many = Array.from({ length: 300 }, (_, i) => hostile[i % 20]);
const odd: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    -1,
    1e308,
    {},
    [],
    [[]],
    [null],
    [{}],
    { toString: 1 },
    { length: 9 },
    '\ud800',
    'x'.repeat(20_000),
  ],
  many,
  ...hostile,
  ...hostile.map((text) => [text]),
];

function jsonValue(draft: Draft, random: Random): void {
  if (typeof draft.json !== 'object' || draft.json === null || random.chance(0.1)) {
    draft.json = random.pick(odd);
    return;
  }
  const value = draft.json as Record<string, unknown>;
  const names = [...Object.keys(value), 'jwks', 'logo_uri', 'client_uri', '__proto__', random.pick(hostile)];
  // `__proto__` as a member and not as the prototype, as a parser makes it.
  draft.json = { ...value, ...Object.fromEntries([[random.pick(names), random.pick(odd)]]) };
}

function jsonText(draft: Draft, random: Random): void {
  const text = JSON.stringify(draft.json) ?? '';
  draft.body = random.pick<() => Buffer>([
    () => Buffer.from(text.slice(0, random.below(text.length + 1))),
    () => Buffer.from(text + random.pick(['}', ',', '\u0000', ' x', text])),
    () => Buffer.from('['.repeat(20_000)),
    () => Buffer.from(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`),
    () => Buffer.from(text.replace('{', '{"client_name":"a","redirect_uris":["https://evil.example/"],')),
    () => Buffer.from(text.replaceAll('"', "'")),
    () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([Buffer.from('{"client_name":"'), random.bytes(20), Buffer.from('"}')]),
    () => Buffer.from(`{"client_name":${'9'.repeat(5000)}}`),
    () => Buffer.from('{"client_name":"\\ud800","redirect_uris":["\\u0000"]}'),
  ])();
}

function body(draft: Draft, random: Random): void {
  const kind = random.below(6);
  if (kind === 0) draft.body = random.bytes(random.below(300));
  else if (kind === 1) draft.body = Buffer.alloc(0);
  else if (kind === 2 && random.chance(0.02)) draft.body = Buffer.alloc(1_000_000, 'a=b&');
  else if (kind === 3) draft.headers.push(['content-encoding', random.pick(['gzip', 'br', 'identity', 'x'])]);
  else {
    draft.headers = draft.headers.filter(([name]) => name !== 'content-type');
    if (random.chance(0.9)) draft.headers.push(['content-type', random.pick(types)]);
  }
}

function header(draft: Draft, random: Random): void {
  const value = latin1(random.pick(hostile));
  const faults: ReadonlyArray<readonly [string, string]> = [
    ['host', random.pick(['evil.example', 'localhost', '', 'localhost:99999', value])],
    ['origin', random.pick(['https://evil.example', 'null', '', value])],
    ['sec-fetch-site', random.pick(['cross-site', 'none', value])],
    ['accept', value],
    ['accept-encoding', 'gzip, br'],
    ['expect', random.pick(['100-continue', '200-ok'])],
    ['x-forwarded-host', 'evil.example'],
    ['x-forwarded-proto', value],
    ['forwarded', 'for=1;host=evil.example'],
    ['x-original-url', '/mcp'],
    ['x-http-method-override', 'DELETE'],
    ['x-gatehouse-secret', value],
    ['x-gatehouse-subject', 'root'],
    ['mcp-session-id', value],
    ['mcp-protocol-version', value],
    ['connection', random.pick(['keep-alive', 'authorization', 'x, close', 'te'])],
    ['te', 'trailers'],
    ['trailer', 'x'],
    ['keep-alive', 'timeout=9'],
    ['range', 'bytes=0-'],
    ['if-none-match', '*'],
    ['access-control-request-method', 'POST'],
    ['access-control-request-headers', value],
    ['content-type', random.pick(types)],
    ['x-long', 'x'.repeat(8000)],
    [random.pick(['x_y', '__proto__', 'constructor', 'x-ü'.replace('ü', '')]), value],
    ...draft.headers.slice(0, 1),
  ];
  const [name, text] = random.pick(faults);
  if (random.chance(0.5)) draft.headers = draft.headers.filter(([given]) => given !== name);
  draft.headers.push([name, text]);
  if (random.chance(0.02)) for (let i = 0; i < 120; i++) draft.headers.push([`x-${i}`, '']);
}

function credentials(scene: Scene): (draft: Draft, random: Random) => void {
  const access = scene.kept.access_token;
  const [head = '', claims = '', signature = ''] = access.split('.');
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${encoded({ alg: 'none', typ: 'at+jwt' })}.${claims}.`;
  const changed = `${head}.${encoded({ sub: 'root', aud: scene.resource })}.${signature}`;
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  const authorization: ReadonlyArray<(random: Random) => string> = [
    (random) => `Bearer ${flipped(access, random)}`,
    (random) => `Bearer ${access.slice(0, random.below(access.length))}`,
    () => `Bearer ${unsigned}`,
    () => `Bearer ${changed}`,
    (random) => `Bearer ${random.bytes(12).toString('base64url')}.${claims}.${signature}`,
    () => `Bearer ${scene.spent.tokens.refresh_token}`,
    (random) => `Bearer ${random.pick(hostile)}`,
    () => `Bearer ${'a.'.repeat(3000)}`,
    () => 'Bearer',
    () => `bearer  ${access} `,
    () => `DPoP ${access}`,
    (random) => `Basic ${random.bytes(30).toString('base64')}`,
    (random) => basic(`${scene.confidential.id}:${random.pick(hostile)}`),
    () => basic('no colon'),
    () => 'Basic ====',
    (random) => `Negotiate ${random.pick(hostile)}`,
  ];
  const { consent, person } = scene;
  const crowd = Array.from({ length: 60 }, (_, i) => `gatehouse-${String(i).padStart(8, '0')}=${'a'.repeat(43)}`);
  const cookies: ReadonlyArray<(random: Random) => string> = [
    () => `${consent.cookie}; ${consent.cookie}`,
    (random) => flipped(consent.cookie, random),
    (random) => flipped(person.cookie, random),
    (random) => consent.cookie.replace(/=.*/, `=${random.pick(hostile)}`),
    () => crowd.join('; '),
    (random) => `gatehouse-person=${random.bytes(32).toString('base64url')}`,
    () => `${person.cookie}; gatehouse-person=${'a'.repeat(43)}`,
    () => '='.repeat(500),
    () => ';'.repeat(500),
    (random) => random.pick(hostile),
  ];
  return (draft, random) => {
    const [name, all] = random.chance(0.6)
      ? (['authorization', authorization] as const)
      : (['cookie', cookies] as const);
    if (random.chance(0.85)) draft.headers = draft.headers.filter(([given]) => given !== name);
    draft.headers.push([name, latin1(random.pick(all)(random))]);
  };
}

function target(draft: Draft, random: Random): void {
  const { path } = draft;
  draft.path = random.pick<() => string>([
    () => `${path}/`,
    () => `/${path}`,
    () => path.toUpperCase(),
    () => `${path}%20`,
    () => `${path};x=y`,
    () => `${path}/..${path}`,
    () => `/x/..${path}`,
    () => `/.${path}`,
    () => path.replaceAll('/', '/%2e/'),
    () => path.replaceAll('/', '%2f'),
    () => `${path}\\..\\x`,
    () => `${path}?${random.pick(hostile).slice(0, 500)}`,
    () => `${path}?access_token=x&${'a&'.repeat(500)}`,
    () => `${path}#fragment`,
    () => `http://evil.example${path}`,
    () => `/files/${percent(random.pick(hostile).slice(0, 60))}`,
    () => `/files/../mcp`,
    () => `${path}/${'a'.repeat(10_000)}`,
    () => '*',
  ])();
  draft.path = Buffer.from(draft.path).toString('latin1').replaceAll('\u0000', '%00');
}

function methodChange(draft: Draft, random: Random): void {
  draft.method = random.pick(methods);
}

/** UTF-8 bytes as Latin-1 characters: what a header holds on the wire. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** Percent-encoded UTF-8; half of a surrogate pair, left by a cut, becomes U+FFFD. */
function percent(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}
