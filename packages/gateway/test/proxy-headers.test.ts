/** Which headers cross the proxy, seen on the wire from both ends (RFC 9110 §7.6.1; SEC-07, SEC-11). */
import { readIdentityHeaders } from '@mcp-gatehouse/auth/identity-headers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { type Answer, ask, message } from './raw-http.ts';
import { type Seen, startTarget, type Target } from './target.ts';

const targetSecretEnv = 'GATEHOUSE_TEST_TARGET_SECRET';
const targetSecret = 'only-the-gateway-knows-this-much';
process.env[targetSecretEnv] = targetSecret;

let target: Target;
let gateway: TestGateway;
let person: SignedIn;
let echo: Target['answer'];

beforeAll(async () => {
  target = await startTarget();
  echo = target.answer;
  gateway = await startGateway([
    {
      path: '/mcp',
      target: `${target.url}/inner/mcp`,
      scopes: { read: 'read', write: 'write' },
      targetSecret: { env: targetSecretEnv },
      open: [{ path: '/exports', target: `${target.url}/files` }],
    },
    { path: '/bare/mcp', target: `${target.url}/bare?tenant=7` },
  ]);
  person = await signIn({ ...gateway, scope: 'read write' });
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});
beforeEach(() => {
  target.answer = echo;
  target.seen.length = 0;
});

const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];

/** What the target saw of a request with these headers. */
async function seenWith(headers: ReadonlyArray<readonly [string, string]>, line = 'GET /mcp'): Promise<Seen> {
  const answer = await ask(gateway.port, message(line, [...(line.includes('/mcp') ? [bearer()] : []), ...headers]));
  expect(answer.status).toBe(200);
  expect(target.seen).toHaveLength(1);
  return target.seen[0] as Seen;
}

/** What the client gets when the target sends these headers. */
async function answerWith(headers: Array<string | string[]>, status = 200, path = '/mcp'): Promise<Answer> {
  target.answer = (req, res) => {
    req.resume();
    res.writeHead(status, headers as string[]).end('hello');
  };
  return ask(gateway.port, message(`GET ${path}`, path === '/mcp' ? [bearer()] : []));
}

describe('to the target', () => {
  it.each(['Authorization', 'authorization', 'AUTHORIZATION', 'aUtHoRiZaTiOn'])(
    'the token does not cross, spelled %s',
    async (name) => {
      const answer = await ask(gateway.port, message('GET /mcp', [[name, `Bearer ${person.accessToken}`]]));
      expect(answer.status).toBe(200);
      expect(target.seen[0]?.rawHeaders.join('\n')).not.toContain(person.accessToken);
      expect(target.seen[0]?.headers).not.toHaveProperty('authorization');
    },
  );

  it.each([
    ['Cookie', 'gatehouse=abc; session=1'],
    ['COOKIE', 'a=b'],
    ['cookie', 'a=b'],
    ['Proxy-Authorization', 'Basic abc'],
    ['Keep-Alive', 'timeout=5'],
    ['Proxy-Connection', 'close-please'],
    ['TE', 'trailers'],
    ['Trailer', 'X-Sum'],
    ['Upgrade', 'h2c'],
    ['Referer', 'http://localhost/secret?code=1'],
    ['Forwarded', 'for=1.2.3.4;host=evil'],
    ['X-Real-IP', '1.2.3.4'],
    ['X-Gatehouse-Roles', 'admin'],
    ['X_Gatehouse_Roles', 'admin'],
    ['x-gatehouse_roles', 'admin'],
    ['X_GATEHOUSE-roles', 'admin'],
    ['X-Forwarded-Port', '666'],
    ['X_Forwarded_Prefix', '/evil'],
    ['X-Forwarded-User', 'root'],
    // HTTP_PROXY to a CGI target (CVE-2016-5385).
    ['Proxy', 'http://evil.example:3128'],
    ['X_Real_IP', '1.2.3.4'],
    // A target that lets these override the request line answers another request than the one that was judged.
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-HTTP-Method', 'DELETE'],
    ['X-Method-Override', 'DELETE'],
    ['X_HTTP_Method_Override', 'DELETE'],
    ['X-Original-URL', '/admin'],
    ['X-Rewrite-URL', '/admin'],
    // What front doors say of whom they signed in, and of where somebody comes from.
    ['Remote-User', 'root'],
    ['X-Remote-User', 'root'],
    ['X-Remote-Group', 'system:masters'],
    ['Impersonate-User', 'root'],
    ['X-Auth-Request-Email', 'root@example.com'],
    ['X-Amzn-Oidc-Identity', 'root'],
    ['X-Goog-Authenticated-User-Email', 'root@example.com'],
    ['X-MS-CLIENT-PRINCIPAL', 'cm9vdA=='],
    ['CF-Access-Authenticated-User-Email', 'root@example.com'],
    ['CF-Connecting-IP', '1.2.3.4'],
    ['True-Client-IP', '1.2.3.4'],
    ['X-Client-IP', '1.2.3.4'],
    ['Tailscale-User-Login', 'root@example.com'],
    ['X-SSL-Client-Verify', 'SUCCESS'],
    ['X-Envoy-Original-Path', '/admin'],
    ['X-Original-Host', 'admin.internal'],
  ])('%s does not cross, to the MCP endpoint or an open path', async (name, value) => {
    await ask(gateway.port, message('GET /exports/a', [[name, value]]));
    expect(target.seen.pop()?.rawHeaders).not.toContain(value);
    const { rawHeaders } = await seenWith([[name, value]]);
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((text) => text.toLowerCase());
    expect(names).not.toContain(name.toLowerCase());
    expect(rawHeaders).not.toContain(value);
  });

  it.each([
    ['X-Gatehouse-Subject', 'root'],
    ['x_gatehouse_subject', 'root'],
    ['X-GATEHOUSE-SCOPE', 'admin'],
    ['X-Gatehouse-Client-Id', 'someone'],
    ['X-Gatehouse-Secret', 'guess'],
    ['X-Gatehouse-Identity-Subject', 'root'],
  ])('an identity header %s of a stranger is replaced by ours', async (name, value) => {
    const { rawHeaders, headers } = await seenWith([[name, value]]);
    expect(rawHeaders).not.toContain(value);
    expect(rawHeaders.filter((text) => text.toLowerCase() === 'x-gatehouse-subject')).toHaveLength(1);
    expect(readIdentityHeaders(headers, targetSecret)?.subject).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('what Connection names belongs to the connection and does not cross', async () => {
    const { headers } = await seenWith([
      ['Connection', 'close, X-Only-Here ,x-lower'],
      ['X-Only-Here', '1'],
      ['X-LOWER', '2'],
      ['X-Stays', '3'],
    ]);
    expect(headers).not.toHaveProperty('x-only-here');
    expect(headers).not.toHaveProperty('x-lower');
    expect(headers['x-stays']).toBe('3');
  });

  it('Connection cannot name our own headers away (CVE-2021-class: hop-by-hop strips identity)', async () => {
    const { headers } = await seenWith([
      ['Connection', 'close, x-gatehouse-subject, x-gatehouse-secret, x-forwarded-for, x-forwarded-host, host'],
    ]);
    expect(readIdentityHeaders(headers, targetSecret)).toBeDefined();
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(headers['x-forwarded-host']).toBe(`localhost:${gateway.port}`);
    expect(headers.host).toBe(`127.0.0.1:${target.port}`);
  });

  it('identity, secret, request id and forwarding facts are ours, each once', async () => {
    const { headers, rawHeaders } = await seenWith([
      ['X-Forwarded-For', '6.6.6.6'],
      ['X-Forwarded-Host', 'evil.example'],
      ['X-Forwarded-Proto', 'gopher'],
      ['X-Request-Id', 'chosen-by-a-stranger'],
    ]);
    expect(readIdentityHeaders(headers, targetSecret)).toEqual({
      subject: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      clientId: person.clientId,
      scope: ['read', 'write'],
      identityIssuer: `${gateway.signInOrigin}/eu-central-1_Test00001`,
      identitySubject: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(headers).toMatchObject({
      'x-gatehouse-secret': targetSecret,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': `localhost:${gateway.port}`,
      'x-forwarded-proto': 'http',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      host: `127.0.0.1:${target.port}`,
    });
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((text) => text.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });

  it('a resource without targetSecret sends no secret, and a token of one resource does not open the other', async () => {
    const refused = await ask(gateway.port, message('GET /bare/mcp', [bearer()]));
    expect(refused.status).toBe(401);
    expect(target.seen).toHaveLength(0);
    const other = await signIn({ ...gateway, path: '/bare/mcp' });
    const answer = await fetch(gateway.url('/bare/mcp'), { headers: other.authorization });
    expect(answer.status).toBe(200);
    expect(target.seen[0]?.headers).not.toHaveProperty('x-gatehouse-secret');
    expect(target.seen[0]?.headers['x-gatehouse-scope']).toBe('mcp');
    // The configured query comes first, and the client's is added to it.
    const pairs = ['tenant=8', 'TENANT=8', '%74enant=8', 'tenant[]=8', 'b=1;tenant=8'].map((one) => `&${one}`).join('');
    const queried = await fetch(gateway.url(`/bare/mcp?a=%2F${pairs}`), { headers: other.authorization });
    expect(queried.status).toBe(200);
    expect(target.seen.map(({ url }) => url)).toEqual(['/bare?tenant=7', '/bare?tenant=7&a=%2F']);
  });

  it('headers of MCP and of content cross, repeated ones too', async () => {
    const { headers, rawHeaders } = await seenWith([
      ['Mcp-Session-Id', 's-1'],
      ['MCP-Protocol-Version', '2026-07-28'],
      ['Mcp-Param-City', '=?base64?WsO8cmljaA==?='],
      ['Last-Event-ID', '7'],
      ['Accept', 'application/json, text/event-stream'],
      ['Accept-Encoding', 'gzip'],
      ['X-Twice', 'a'],
      ['X-Twice', 'b'],
      ['X-Latin', 'caf\xe9'],
    ]);
    expect(headers).toMatchObject({
      'mcp-session-id': 's-1',
      'mcp-protocol-version': '2026-07-28',
      'mcp-param-city': '=?base64?WsO8cmljaA==?=',
      'last-event-id': '7',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'gzip',
      'x-twice': 'a, b',
      'x-latin': 'caf\xe9',
    });
    expect(rawHeaders.filter((text) => text === 'X-Twice')).toHaveLength(2);
  });

  it('an open path sends no identity, no secret and no credentials', async () => {
    const { headers, url } = await seenWith(
      [bearer(), ['Cookie', 'gatehouse=1'], ['X-Gatehouse-Subject', 'root'], ['X_Forwarded_For', '6.6.6.6']],
      'GET /exports/deck.apkg?sig=abc',
    );
    expect(url).toBe('/files/deck.apkg?sig=abc');
    expect(Object.keys(headers).filter((name) => name.includes('gatehouse'))).toEqual([]);
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('cookie');
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
  });
});

describe('from the target', () => {
  it.each([
    ['Set-Cookie', 'gatehouse=stolen; Path=/'],
    ['WWW-Authenticate', 'Basic realm="target"'],
    ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
    ['Access-Control-Allow-Origin', '*'],
    ['Access-Control-Allow-Credentials', 'true'],
    ['Access-Control-Allow-Private-Network', 'true'],
    ['Server', 'uvicorn'],
    ['X-Powered-By', 'Express'],
    ['Alt-Svc', 'h3=":443"'],
    ['Keep-Alive', 'timeout=77'],
    ['Proxy-Authenticate', 'Basic'],
    ['Upgrade', 'h2c'],
    // What browsers let an answer do to a whole origin; on this one people consent, and codes are in its URLs.
    ['NEL', '{"report_to":"x","max_age":86400,"success_fraction":1}'],
    ['Report-To', '{"group":"x","max_age":86400,"endpoints":[{"url":"https://evil.example/"}]}'],
    ['Reporting-Endpoints', 'default="https://evil.example/"'],
    ['Clear-Site-Data', '"cookies"'],
    ['Service-Worker-Allowed', '/'],
    ['Content-Security-Policy-Report-Only', "default-src 'none'; report-uri https://evil.example/"],
    ['Set-Cookie2', 'a=b'],
    ['Refresh', '0;url=https://evil.example/'],
    // Orders to an nginx or Apache at the front door, which would serve files of its own.
    ['X-Accel-Redirect', '/protected/key.pem'],
    ['X-Accel-Buffering', 'yes'],
    ['X-Sendfile', '/etc/passwd'],
    ['X-Lighttpd-Send-File', '/etc/passwd'],
    ['X-Reproxy-URL', 'http://169.254.169.254/'],
    ['X-Frame-Options', 'ALLOWALL'],
    ['X-XSS-Protection', '1'],
    ['X-DNS-Prefetch-Control', 'on'],
    ['X-Gatehouse-Secret', 'echoed'],
  ])('%s does not cross, from the MCP endpoint or an open path', async (name, value) => {
    for (const path of ['/mcp', '/exports/a']) {
      const answer = await answerWith([name, value], 200, path);
      expect(answer.status).toBe(200);
      expect(answer.header(name.toLowerCase())).toBeUndefined();
      expect(answer.body.toString()).toBe('hello');
    }
  });

  it('what its Connection names does not cross', async () => {
    const answer = await answerWith(['Connection', 'close, Mcp-Hop', 'Mcp-Hop', '1', 'Mcp-Stays', '2']);
    expect(answer.header('mcp-hop')).toBeUndefined();
    expect(answer.header('mcp-stays')).toBe('2');
  });

  it('a page of the target is no page on our origin, whatever it says about itself', async () => {
    for (const path of ['/mcp', '/exports/page.html']) {
      const answer = await answerWith(
        ['Content-Type', 'text/html', 'Content-Security-Policy', "script-src 'unsafe-inline'"],
        200,
        path,
      );
      expect(answer.headers.filter(([name]) => name === 'content-security-policy')).toEqual([
        ['content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox"],
      ]);
      expect(answer.header('x-content-type-options')).toBe('nosniff');
      expect(answer.header('content-type')).toBe('text/html');
    }
  });

  it('status, repeated headers and headers of MCP cross', async () => {
    const answer = await answerWith(
      ['Mcp-Session-Id', 's-2', 'Mcp-Twice', 'a', 'Mcp-Twice', 'b', 'ETag', '"1"', 'Retry-After', '3'],
      429,
    );
    expect(answer.status).toBe(429);
    expect(answer.header('mcp-session-id')).toBe('s-2');
    expect(answer.header('etag')).toBe('"1"');
    expect(answer.header('retry-after')).toBe('3');
    expect(answer.headers.filter(([name]) => name === 'mcp-twice').map(([, value]) => value)).toEqual(['a', 'b']);
  });

  it('to a page that may ask, CORS is ours: the origin that asked, and never credentials', async () => {
    const origin = `http://localhost:${gateway.port}`;
    target.answer = (_, res) =>
      res.writeHead(200, { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' }).end();
    const answer = await ask(gateway.port, message('GET /mcp', [bearer(), ['Origin', origin]]));
    expect(answer.header('access-control-allow-origin')).toBe(origin);
    expect(answer.header('access-control-allow-credentials')).toBeUndefined();
    expect(answer.header('vary')).toContain('Origin');
    expect(answer.header('access-control-expose-headers')).toContain('Mcp-Session-Id');
  });

  it('what the target varies its answer by, it still varies it by', async () => {
    target.answer = (_, res) => res.writeHead(200, { vary: 'Accept' }).end();
    const headers = [bearer(), ['Origin', `http://localhost:${gateway.port}`]] as const;
    const answer = await ask(gateway.port, message('GET /mcp', headers));
    const vary = answer.headers.filter(([name]) => name.toLowerCase() === 'vary').map(([, value]) => value);
    expect(vary.join(', ').split(/, */).sort()).toEqual(['Accept', 'Origin']);
  });

  it('what belongs to one person is kept by no cache, unless the target says how', async () => {
    expect((await answerWith([])).header('cache-control')).toBe('no-store');
    expect((await answerWith(['Cache-Control', 'private, max-age=5'])).header('cache-control')).toBe(
      'private, max-age=5',
    );
  });

  it('a front door is told not to hold a stream back', async () => {
    const events = await answerWith(['Content-Type', 'text/event-stream', 'X-Accel-Buffering', 'yes']);
    expect(events.headers.filter(([name]) => name === 'x-accel-buffering')).toEqual([['x-accel-buffering', 'no']]);
  });

  it('x-request-id is ours, so that what a client reports is in the log', async () => {
    const answer = await answerWith(['X-Request-Id', 'of-the-target']);
    const logged = gateway.events.filter(({ event }) => event === 'http.request').map(({ requestId }) => requestId);
    expect(logged).toContain(answer.header('x-request-id'));
  });

  it('a UTF-8 header arrives byte for byte', async () => {
    const name = Buffer.from('attachment; filename="単語€.apkg"');
    target.answer = (_, res) => {
      const head = `HTTP/1.1 200 OK\r\ncontent-disposition: ${name.toString('latin1')}\r\ncontent-length: 0\r\n\r\n`;
      res.socket?.end(Buffer.from(head, 'latin1'));
    };
    const answer = await ask(gateway.port, message('GET /exports/a'));
    expect(answer.status).toBe(200);
    expect(Buffer.from(answer.header('content-disposition') ?? '', 'latin1').toString()).toBe(name.toString());
  });
});
