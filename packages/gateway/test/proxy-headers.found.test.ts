/** Faults found in src/proxy and src/open-path.ts; each test passes once its fault is mended. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from './harness.ts';
import { ask, message } from './raw-http.ts';
import { startTarget, type Target } from './target.ts';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;
let echo: Target['answer'];
let bytes: { server: Server; answer: Buffer };

beforeAll(async () => {
  target = await startTarget();
  echo = target.answer;
  bytes = await byteTarget();
  const { port } = bytes.server.address() as { port: number };
  gateway = await startGateway([
    { path: '/mcp', target: `${target.url}/mcp`, open: [{ path: '/exports', target: `${target.url}/files` }] },
    {
      path: '/bytes/mcp',
      target: `${target.url}/bytes`,
      open: [{ path: '/bytes/open', target: `http://127.0.0.1:${port}/` }],
    },
  ]);
  person = await signIn(gateway);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
  bytes.server.close();
});
beforeEach(() => {
  target.answer = echo;
  target.seen.length = 0;
});

/** A target that answers the same bytes to whoever comes, and closes. */
async function byteTarget() {
  const made = {
    answer: Buffer.alloc(0),
    server: createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(made.answer));
    }).listen(0, '127.0.0.1'),
  };
  await once(made.server, 'listening');
  return made;
}

const bearer = (): [string, string] => ['Authorization', `Bearer ${person.accessToken}`];

describe('found', () => {
  // forward.ts:98: `flushHeaders` makes node:http write the head as UTF-8, so Latin-1 text is encoded twice; an empty
  // `res.write(Buffer.alloc(0))` sends it as Latin-1, which is what undici read.
  it('a UTF-8 header of a target arrives byte for byte', async () => {
    const name = Buffer.from('attachment; filename="単語€.apkg"');
    bytes.answer = Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\ncontent-disposition: '),
      name,
      Buffer.from('\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'),
    ]);
    const answer = await ask(gateway.port, message('GET /bytes/open/a'));
    expect(answer.status).toBe(200);
    expect(Buffer.from(answer.header('content-disposition') ?? '', 'latin1').toString()).toBe(name.toString());
  });

  // headers.ts:40–46: a target that lets these override the request line answers another request than the one judged
  // here (SEC-11 names method override; GHSA for Symfony/Zend, IIS: X-Original-URL). On an open path nobody was judged.
  it.each([
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-HTTP-Method', 'DELETE'],
    ['X-Method-Override', 'DELETE'],
    ['X_HTTP_Method_Override', 'DELETE'],
    ['X-Original-URL', '/mcp'],
    ['X-Rewrite-URL', '/mcp'],
  ])('%s of a stranger does not reach the target', async (name, value) => {
    const answer = await ask(gateway.port, message('GET /exports/a', [[name, value]]));
    expect(answer.status).toBe(200);
    expect(target.seen[0]?.rawHeaders).not.toContain(value);
  });

  // headers.ts:22: `Proxy` becomes HTTP_PROXY in a CGI target (httpoxy, CVE-2016-5385).
  it('Proxy does not reach the target', async () => {
    await ask(gateway.port, message('GET /exports/a', [['Proxy', 'http://evil.example:3128']]));
    expect(target.seen[0]?.headers).not.toHaveProperty('proxy');
  });

  // headers.ts:22: dropped as x-real-ip, believed by a CGI-like target as x_real_ip (the reason isOurs gives).
  it('X_Real_IP does not reach the target', async () => {
    await ask(gateway.port, message('GET /exports/a', [['X_Real_IP', '1.2.3.4']]));
    expect(target.seen[0]?.rawHeaders).not.toContain('1.2.3.4');
  });

  // headers.ts:74: browser features that belong to the whole origin, where people consent. NEL with Report-To sends the
  // URLs of /callback, codes and all, to whom the target names; Clear-Site-Data takes the binding cookie. X-Accel-Redirect
  // and X-Sendfile are orders to an nginx or Apache at the front door: it would serve its own files.
  it.each([
    ['NEL', '{"report_to":"x","max_age":86400,"success_fraction":1}'],
    ['Report-To', '{"group":"x","max_age":86400,"endpoints":[{"url":"https://evil.example/"}]}'],
    ['Reporting-Endpoints', 'default="https://evil.example/"'],
    ['Clear-Site-Data', '"cookies"'],
    ['Service-Worker-Allowed', '/'],
    ['Content-Security-Policy-Report-Only', "default-src 'none'; report-uri https://evil.example/"],
    ['Set-Cookie2', 'a=b'],
    ['X-Accel-Redirect', '/protected/key.pem'],
    ['X-Sendfile', '/etc/passwd'],
    ['X-Frame-Options', 'ALLOWALL'],
    ['X-Gatehouse-Secret', 'echoed'],
    ['Refresh', '0;url=https://evil.example/'],
  ])('%s of the target does not reach the client', async (name, value) => {
    target.answer = (_, res) => res.writeHead(200, { [name]: value }).end();
    const answer = await ask(gateway.port, message('GET /exports/a'));
    expect(answer.status).toBe(200);
    expect(answer.header(name.toLowerCase())).toBeUndefined();
  });

  // forward.ts:97: `extraHeaders` replaces the target's Vary, so a cache mixes what the target told apart.
  it('Vary of the target is kept beside ours', async () => {
    target.answer = (_, res) => res.writeHead(200, { vary: 'Accept' }).end();
    const headers = [bearer(), ['Origin', `http://localhost:${gateway.port}`]] as const;
    const answer = await ask(gateway.port, message('GET /mcp', headers));
    const vary = answer.headers.filter(([name]) => name.toLowerCase() === 'vary').map(([, value]) => value);
    expect(vary.join(', ').split(/, */).sort()).toEqual(['Accept', 'Origin']);
  });

  // forward.ts:97: the answer's x-request-id is the target's, so what a client reports is not in our log.
  it('x-request-id of an answer is the one in the log', async () => {
    target.answer = (_, res) => res.writeHead(200, { 'x-request-id': 'of-the-target' }).end();
    const answer = await ask(gateway.port, message('GET /mcp', [bearer()]));
    const logged = gateway.events.filter(({ event }) => event === 'http.request').map(({ requestId }) => requestId);
    expect(logged).toContain(answer.header('x-request-id'));
  });

  // mcp-endpoint.ts:32: every method goes through. A target that implements TRACE (RFC 9110 §9.3.8) sends the request
  // back, x-gatehouse-secret included; RS-17 knows POST, and GET and DELETE before it.
  it.each(['TRACE', 'PUT', 'PATCH', 'PROPFIND'])('%s is answered with 405 and Allow', async (method) => {
    const answer = await ask(gateway.port, message(`${method} /mcp`, [bearer()]));
    expect(answer.status).toBe(405);
    expect(answer.header('allow')).toContain('POST');
    expect(target.seen).toHaveLength(0);
  });

  // open-path.ts:20, http-server.ts:119: RFC 9110 §15.5.6, a 405 MUST name the methods in Allow.
  it.each(['/exports/a', '/'])('405 at %s names the methods', async (path) => {
    const answer = await ask(gateway.port, message(`POST ${path}`, [['Content-Length', '0']]));
    expect(answer.status).toBe(405);
    expect(answer.header('allow')).toMatch(/GET/);
  });

  // open-path.ts:41: `too_large` is shown as 502, so a stranger makes 5xx (and alarms) at will (REL-03).
  it.each([
    ['Content-Length', '2', '{}'],
    ['Transfer-Encoding', 'chunked', '2\r\n{}\r\n0\r\n\r\n'],
  ])('a body on an open path (%s) is the client’s fault', async (name, value, body) => {
    const answer = await ask(gateway.port, message('GET /exports/a', [[name, value]], body));
    expect([400, 413]).toContain(answer.status);
  });
});
