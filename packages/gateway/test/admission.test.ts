/** Who may speak to the gateway: Host, Origin and preflight (RS-15, SEC-11), as a table and on the wire. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { admission } from '../src/admission.ts';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

const common = { allowedOrigins: ['https://app.example'], allowedHosts: ['Health.Internal:8080'] };
const publicSite = admission({ ...common, issuer: 'https://auth.example' });
const laptop = admission({
  issuer: 'http://localhost:8080',

  allowedOrigins: [],
  allowedHosts: [],
});

describe('Host', () => {
  it.each([
    ['auth.example', true],
    ['AUTH.example', true],
    ['health.internal:8080', true],
    [undefined, false],
    ['', false],
    // A default port may be written out (RFC 9110 §4.2).
    ['auth.example:443', true],
    ['auth.example:80', false],
    ['auth.example:8443', false],
    ['auth.example.evil.com', false],
    ['evil.com', false],
    ['evil-auth.example', false],
    ['auth.example@evil.com', false],
    ['auth.example, evil.com', false],
    ['auth.example/', false],
    ['auth.example#', false],
    [' auth.example', false],
    ['localhost', false],
    ['localhost:8080', false],
    ['127.0.0.1', false],
    ['[::1]', false],
    ['health.internal', false],
  ])('%j at a public site: %s', (host, expected) => expect(publicSite.host(host)).toBe(expected));

  it.each([
    ['localhost:8080', true],
    ['LOCALHOST:8080', true],
    ['127.0.0.1:8080', true],
    ['[::1]:8080', true],
    ['localhost', true],
    ['localhost:9999', true],
    [undefined, false],
    ['', false],
    // DNS rebinding: a name of the attacker's that points here.
    ['rebind.evil.com:8080', false],
    ['localhost.evil.com:8080', false],
    ['127.0.0.1.nip.io:8080', false],
    ['localhost:8080@evil.com', false],
    ['evil.com#localhost', false],
    ['evil.com/localhost', false],
    ['evil.com\\localhost', false],
    ['localhost,evil.com', false],
    ['localhost evil.com', false],
    ['localhost:99999', false],
    ['0.0.0.0:8080', false],
    ['[::]:8080', false],
    ['169.254.169.254', false],
    ['192.168.0.10:8080', false],
    ['[fe80::1]:8080', false],
    ['[::1%25eth0]', false],
  ])('%j on a laptop: %s', (host, expected) => expect(laptop.host(host)).toBe(expected));
});

describe('Origin', () => {
  it.each([
    [undefined, true],
    ['https://auth.example', true],
    ['https://app.example', true],
    ['http://auth.example', false],
    ['https://auth.example:8443', false],
    ['https://auth.example.evil.com', false],
    ['https://evil.com', false],
    ['https://app.example.evil.com', false],
    ['https://sub.app.example', false],
    ['null', false],
    ['', false],
    ['http://localhost:3000', false],
    ['http://127.0.0.1', false],
    ['chrome-extension://abcdef', false],
    ['file://', false],
    ['https://auth.example, https://evil.com', false],
  ])('%j at a public site: %s', (origin, expected) => expect(publicSite.origin(origin)).toBe(expected));

  it.each([
    [undefined, true],
    ['http://localhost:8080', true],
    ['http://localhost:6274', true],
    ['http://127.0.0.1:3000', true],
    ['http://[::1]:3000', true],
    ['https://localhost', true],
    ['null', false],
    ['', false],
    ['http://localhost.evil.com', false],
    ['http://localhost:8080.evil.com', false],
    ['http://localhost@evil.com', false],
    ['http://evil.com', false],
    ['http://192.168.0.10:8080', false],
    ['ftp://localhost', false],
    ['http://localhost:8080/path', false],
    ['http://localhost evil', false],
    ['javascript://localhost', false],
  ])('%j on a laptop: %s', (origin, expected) => expect(laptop.origin(origin)).toBe(expected));
});

describe('on the wire', () => {
  let target: Target;
  let gateway: TestGateway;
  let person: SignedIn;

  beforeAll(async () => {
    target = await startTarget();
    gateway = await startGateway([
      { path: '/mcp', target: `${target.url}/mcp`, open: [{ path: '/exports', target: `${target.url}/files` }] },
    ]);
    person = await signIn(gateway);
  });
  afterAll(async () => {
    await gateway.close();
    await target.close();
  });
  beforeEach(() => {
    target.seen.length = 0;
  });

  const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];

  it.each([
    'GET /mcp',
    'GET /',
    'GET /exports/a',
    'GET /authorize',
    'GET /.well-known/oauth-authorization-server',
    'POST /token',
    'POST /register',
    'GET /nowhere',
  ])('%s with a stranger’s Host is 403 in JSON', async (line) => {
    const answer = await ask(gateway.port, message(line, [['Host', 'rebind.evil.example'], bearer()]));
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({ error: 'forbidden' });
    expect(answer.body.toString()).not.toContain('evil');
    expect(target.seen).toEqual([]);
  });

  it('without a Host there is no service: 400 in HTTP/1.1, 403 in HTTP/1.0', async () => {
    const plain = `Authorization: Bearer ${person.accessToken}\r\nConnection: close\r\n\r\n`;
    expect((await ask(gateway.port, `GET /mcp HTTP/1.1\r\n${plain}`)).status).toBe(400);
    expect((await ask(gateway.port, `GET /mcp HTTP/1.0\r\n${plain}`)).status).toBe(403);
    expect(target.seen).toEqual([]);
  });

  it('a load balancer asks for health by any name', async () => {
    for (const host of ['10.0.0.7:8080', 'anything.example', '']) {
      const answer = await ask(gateway.port, message('GET /healthz', [['Host', host]]));
      expect(answer.status).toBe(200);
      expect(answer.json()).toEqual({ status: 'ok' });
    }
    expect(target.seen).toEqual([]);
  });

  it.each(['http://evil.example', 'null', 'http://localhost.evil.example', 'chrome-extension://abc'])(
    'a page of %s may neither call nor ask, whatever token it holds',
    async (origin) => {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
        const headers = [bearer(), ['Origin', origin], ['Content-Length', '0']] as const;
        const answer = await ask(gateway.port, message(`${method} /mcp`, headers));
        expect(answer.status).toBe(403);
        expect(answer.json().error).toBe('forbidden');
        expect(answer.header('access-control-allow-origin')).toBeUndefined();
      }
      expect(target.seen).toEqual([]);
    },
  );

  it('a preflight is never 401, and allows what MCP clients send', async () => {
    const origin = 'http://localhost:6274';
    const asked = 'authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-param-city, Mcp-Param-X-Y';
    const answer = await ask(
      gateway.port,
      message('OPTIONS /mcp', [
        ['Origin', origin],
        ['Access-Control-Request-Method', 'POST'],
        ['Access-Control-Request-Headers', asked],
      ]),
    );
    expect(answer.status).toBe(204);
    expect(answer.body).toHaveLength(0);
    expect(answer.header('access-control-allow-origin')).toBe(origin);
    expect(answer.header('vary')).toContain('Origin');
    const allowed = (answer.header('access-control-allow-headers') ?? '').toLowerCase().split(/, */);
    for (const name of asked.toLowerCase().split(', ')) expect(allowed).toContain(name);
    for (const method of ['GET', 'POST', 'DELETE']) {
      expect(answer.header('access-control-allow-methods')).toContain(method);
    }
    expect(answer.header('access-control-allow-credentials')).toBeUndefined();
    expect(target.seen).toEqual([]);
  });

  it.each([
    ['no list', undefined],
    ['a broken list', 'authorization;DROP, \x01'],
    ['an endless list', `x-${'a'.repeat(5000)}`],
    ['something to be quoted', '"><script>'],
  ])('a preflight with %s gets the usual headers', async (_, asked) => {
    const headers = asked === undefined ? [] : [['Access-Control-Request-Headers', asked] as const];
    const answer = await ask(gateway.port, message('OPTIONS /mcp', headers));
    if (answer.status === 400) return expect(asked).toContain('\x01');
    expect(answer.status).toBe(204);
    expect(answer.header('access-control-allow-headers')).toBe(
      'authorization, content-type, mcp-protocol-version, mcp-session-id',
    );
    return undefined;
  });

  it('what is refused can be read by the page that asked', async () => {
    const origin = 'http://localhost:6274';
    const answer = await ask(
      gateway.port,
      message('POST /mcp', [
        ['Origin', origin],
        ['Content-Length', '0'],
      ]),
    );
    expect(answer.status).toBe(401);
    expect(answer.header('access-control-allow-origin')).toBe(origin);
    expect(answer.header('access-control-expose-headers')?.toLowerCase()).toContain('www-authenticate');
  });

  it.each(['Authorization', 'Host', 'Content-Length', 'Content-Type', 'Origin'])(
    'a repeated %s is refused before anything is decided',
    async (name) => {
      const values: Record<string, readonly [string, string]> = {
        Authorization: [`Bearer ${person.accessToken}`, 'Bearer other'],
        Host: [`localhost:${gateway.port}`, 'evil.example'],
        'Content-Length': ['2', '0'],
        'Content-Type': ['application/json', 'text/plain'],
        Origin: ['http://localhost:1', 'http://evil.example'],
      };
      const [one, two] = values[name] as readonly [string, string];
      for (const pair of [
        [one, two],
        [two, one],
        [one, one],
      ] as const) {
        const headers: Array<readonly [string, string]> = pair.map((value) => [name, value]);
        if (name !== 'Authorization') headers.push(bearer());
        const answer = await ask(gateway.port, message('POST /mcp', headers, name === 'Content-Length' ? '{}' : ''));
        expect(answer.status).toBe(400);
        const upper = headers.map(([header, value], at): [string, string] => [
          at ? header.toUpperCase() : header,
          value,
        ]);
        const spelled = await ask(gateway.port, message('POST /mcp', upper, name === 'Content-Length' ? '{}' : ''));
        expect(spelled.status).toBe(400);
      }
      expect(target.seen).toEqual([]);
    },
  );
});
