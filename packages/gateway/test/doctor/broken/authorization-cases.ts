/** Servers whose registration, authorization endpoint, token endpoint or MCP behind the token is wrong. */
import { answers, at, type Broken, headers, members, messages } from './broken.ts';
import { type Change, goodToken, mcpPath, page, type Reply } from './good-server.ts';

const registers = (changes: Readonly<Record<string, unknown>>) => at('register', members(changes));

export const registrationCases: readonly Broken[] = [
  { is: 'registration for the few', change: at('register', answers(401)), finds: ['registration.closed'] },
  { is: 'no more registrations today', change: at('register', answers(429)), finds: ['registration.limited'] },
  {
    is: 'no loopback clients',
    change: at('register', answers(400, { error: 'invalid_redirect_uri' })),
    finds: ['registration.refused'],
  },
  { is: 'registration that breaks', change: at('register', answers(500)), finds: ['registration.server-error'] },
  { is: 'no client id', change: registers({ client_id: undefined }), finds: ['registration.no-client-id'] },
  { is: '200 for 201', change: at('register', (reply) => ({ ...reply, status: 200 })), finds: ['registration.status'] },
  {
    is: 'a registration as text',
    change: at('register', headers({ 'content-type': 'text/plain' })),
    finds: ['registration.content-type'],
  },
  { is: 'no echo', change: registers({ redirect_uris: undefined }), finds: ['registration.echo'] },
  {
    is: 'a secret for all',
    change: registers({ client_secret: 'secret', token_endpoint_auth_method: 'client_secret_basic' }),
    finds: ['registration.secret'],
  },
  {
    is: 'clients without refresh',
    change: registers({ grant_types: ['authorization_code'] }),
    finds: ['registration.no-refresh'],
  },
  {
    is: 'one client for all',
    change: at('register', (reply) => {
      const uris = [
        'http://127.0.0.1:33418/gatehouse-doctor/callback',
        'http://localhost:33418/gatehouse-doctor/callback',
      ];
      return {
        ...reply,
        body: { ...(reply.body as object), client_id: `id-${Buffer.from(JSON.stringify(uris)).toString('base64url')}` },
      };
    }),
    finds: ['registration.shared-client'],
  },
  {
    is: 'no schemes of programs',
    change: at('register', (_, { body }) =>
      body.includes('cursor://') ? json(400, { error: 'invalid_redirect_uri' }) : undefined,
    ),
    finds: ['registration.cursor'],
  },
  {
    is: 'no clients of the web',
    change: at('register', (_, { body }) =>
      body.includes('claude.ai') ? json(400, { error: 'invalid_redirect_uri' }) : undefined,
    ),
    finds: ['registration.hosted'],
  },
];

function json(status: number, body: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'access-control-allow-origin': '*' },
    body,
  };
}

/** An authorization request that differs from what clients send. */
const authorizes = (change: Change) => at('authorize', change);
const redirect = (location: string): Reply => ({ status: 302, headers: { location }, body: '' });
const consent = page(200, '<form method="post"><button>Allow</button></form>');

/** Edits what goes back to the client. */
const goesBack = (edit: (to: URL) => void) =>
  authorizes((reply) => {
    const { location } = reply.headers;
    if (typeof location !== 'string') return undefined;
    const to = new URL(location);
    edit(to);
    return redirect(to.href);
  });

export const authorizeCases: readonly Broken[] = [
  { is: 'a sign-in that breaks', change: authorizes(answers(500)), finds: ['authorize.server-error'] },
  { is: 'a sign-in for nobody', change: authorizes(() => page(400, 'invalid_scope')), finds: ['authorize.refused'] },
  {
    is: 'an identity provider that wants no resource',
    change: authorizes((_, { query }) =>
      redirect(`https://idp.example.test/error?error=AADSTS9010010&state=${query.get('state')}`),
    ),
    finds: ['authorize.refused'],
  },
  {
    is: 'a code for the asking',
    change: authorizes((reply, { query }, { origin }) =>
      reply.status === 200
        ? redirect(`${query.get('redirect_uri')}?code=1&state=${query.get('state')}&iss=${origin}`)
        : undefined,
    ),
    finds: ['authorize.no-sign-in'],
  },
  {
    is: 'PKCE if you like',
    change: authorizes((_, { query }) => (query.has('code_challenge') ? undefined : consent)),
    finds: ['authorize.pkce-optional'],
  },
  {
    is: 'a fixed port',
    change: authorizes((_, { query }) =>
      !query.get('client_id')?.startsWith('id-') || query.get('redirect_uri')?.includes(':33418/')
        ? undefined
        : page(400, 'Not registered.'),
    ),
    finds: ['authorize.fixed-port'],
  },
  {
    is: 'a redirect for anybody',
    change: authorizes((_, { query }) => {
      const to = query.get('redirect_uri') ?? '';
      return to.includes('.invalid') ? redirect(`${to}?error=invalid_request`) : undefined;
    }),
    finds: ['authorize.open-redirect'],
  },
  {
    is: 'any redirect URI',
    change: authorizes((_, { query }) => (query.get('redirect_uri')?.includes('.invalid') ? consent : undefined)),
    finds: ['authorize.strange-redirect'],
  },
  {
    is: 'any resource',
    change: authorizes((_, { query }) => (query.get('resource')?.includes('.invalid') ? consent : undefined)),
    finds: ['authorize.resource-ignored'],
  },
  {
    is: 'no document that it can fetch',
    change: authorizes((_, { query }) =>
      query.get('client_id')?.startsWith('https://claude.ai')
        ? page(400, 'The document could not be fetched.')
        : undefined,
    ),
    finds: ['authorize.documents'],
  },
  { is: 'no iss in an answer', change: goesBack((to) => to.searchParams.delete('iss')), finds: ['authorize.iss'] },
  {
    is: 'another iss in an answer',
    change: goesBack((to) => to.searchParams.set('iss', 'https://other.example.test')),
    finds: ['authorize.iss'],
  },
  {
    is: 'no state in an answer to what clients send',
    change: authorizes(({ status }, { query }, { origin }) =>
      status === 200 ? redirect(`${query.get('redirect_uri')}?error=access_denied&iss=${origin}`) : undefined,
    ),
    finds: ['authorize.refused', 'authorize.state'],
  },
  {
    is: 'another state in an answer to what clients send',
    change: authorizes(({ status }, { query }, { origin }) =>
      status === 200 ? redirect(`${query.get('redirect_uri')}?code=1&state=mine&iss=${origin}`) : undefined,
    ),
    finds: ['authorize.no-sign-in', 'authorize.state'],
  },
  {
    is: 'no state in an error',
    change: goesBack((to) => to.searchParams.delete('state')),
    finds: ['authorize.state-in-errors'],
  },
  {
    is: 'no state in the error for a request without PKCE, as the SDK v1 has it',
    change: authorizes((_, { query }, { origin }) =>
      query.get('client_id')?.startsWith('id-') && !query.has('code_challenge')
        ? redirect(`${query.get('redirect_uri')}?error=invalid_request&iss=${origin}`)
        : undefined,
    ),
    finds: ['authorize.state-in-errors'],
  },
  {
    is: 'a page in a frame',
    change: authorizes(headers({ 'content-security-policy': undefined })),
    finds: ['authorize.framable'],
  },
  {
    is: 'a page whose form goes nowhere',
    change: authorizes(headers({ 'content-security-policy': "form-action 'self'; frame-ancestors 'none'" })),
    finds: ['authorize.form-action'],
  },
];

/** The refusals of the token endpoint, one of them changed. */
const refuses = (is: (form: URLSearchParams) => boolean, status: number, error: string) =>
  at('token', (_, { form }) => (is(form) ? json(status, { error }) : undefined));

export const tokenCases: readonly Broken[] = [
  { is: 'a token endpoint that breaks', change: at('token', answers(500)), finds: ['token.server-error'] },
  {
    is: 'tokens for anything',
    change: at('token', () => json(200, { access_token: 'yes', token_type: 'Bearer' })),
    finds: ['token.accepts-anything'],
  },
  { is: 'no more tokens today', change: at('token', answers(429)), finds: ['token.limited'] },
  { is: 'a token endpoint in HTML', change: at('token', () => page(400, 'Bad request')), finds: ['token.not-json'] },
  {
    is: 'no word for a wrong code',
    change: refuses(
      (form) => form.get('code') !== null && form.get('client_id')?.startsWith('id-') === true,
      400,
      'invalid_request',
    ),
    finds: ['token.code-error'],
  },
  {
    is: 'no word for a dead refresh token',
    change: refuses((form) => form.has('refresh_token'), 400, 'invalid_request'),
    finds: ['token.refresh-error'],
  },
  {
    is: '401 for a wrong code',
    change: refuses(
      (form) => form.has('code') && form.get('client_id')?.startsWith('id-') === true,
      401,
      'invalid_grant',
    ),
    finds: ['token.grant-status'],
  },
  {
    is: 'no word for an unknown client',
    change: refuses((form) => form.get('client_id') === 'gatehouse-doctor-unknown-client', 400, 'invalid_grant'),
    finds: ['token.client-error'],
  },
  { is: 'tokens in caches', change: at('token', headers({ 'cache-control': undefined })), finds: ['token.cacheable'] },
];

const token: NonNullable<Broken['token']> = ({ origin }) => goodToken(origin + mcpPath);
/** Only what is asked with the token. */
const signedIn = (routes: Parameters<typeof at>[0], change: Change) =>
  at(routes, (reply, asked, server) =>
    asked.headers.authorization?.startsWith('Bearer eyJ') ? change(reply, asked, server) : undefined,
  );
const rpcError = answers(200, { jsonrpc: '2.0', id: 1, error: { code: -32601, message: 'Method not found' } });

export const sessionCases: readonly Broken[] = [
  {
    is: 'a token that it does not like',
    token,
    change: signedIn(messages, answers(401)),
    finds: ['session.token-refused'],
  },
  { is: 'a token for another', token: () => goodToken('https://other.example.test/mcp'), finds: ['session.audience'] },
  { is: 'nothing behind the token', token, change: signedIn(messages, answers(502)), finds: ['session.broken'] },
  { is: 'the new era alone', token, change: signedIn('initialize', rpcError), finds: ['session.only-modern'] },
  { is: 'the old era alone', token, change: signedIn('discover', rpcError), finds: ['session.only-legacy'] },
  { is: 'sessions that are forgotten', token, change: signedIn('tools', answers(404)), finds: ['session.tools'] },
  {
    is: 'a stream that is held back',
    token,
    options: { streamSeconds: 1, requestSeconds: 3 },
    change: signedIn('stream', () => () => {}),
    finds: ['session.stream-buffered'],
  },
  {
    is: 'a stream that is cut',
    token,
    options: { streamSeconds: 20 },
    change: signedIn('stream', () => (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(': here\n\n');
    }),
    finds: ['session.stream-cut'],
  },
  {
    is: 'a stream that says nothing',
    token,
    options: { streamSeconds: 1 },
    change: signedIn('stream', (_, __, { clock }) => (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      clock.ms += 20_000;
    }),
    finds: ['session.stream-silent'],
  },
];
