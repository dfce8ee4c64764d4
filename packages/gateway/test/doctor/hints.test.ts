/** `--fix`: each front door that has a word on a finding gives it, with configuration that is of use as it stands. */
import { createContext, Script } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRules } from '../../src/doctor/diagnose.ts';
import { examine } from '../../src/doctor/examine.ts';
import type { Facts } from '../../src/doctor/facts.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { frontDoorsOf } from '../../src/doctor/front-doors.ts';
import { challengeFunction } from '../../src/doctor/hints/aws.ts';
import { placeOf } from '../../src/doctor/hints/hint.ts';
import { type Door, hints, hintsFor } from '../../src/doctor/hints/hints.ts';
import { reportJson, reportText } from '../../src/doctor/report.ts';
import { readTypedUrl } from '../../src/doctor/typed-url.ts';
import { startGateway } from '../harness.ts';
import { startTarget } from '../target.ts';
import { doctor, headers } from './broken/broken.ts';
import { type GoodServer, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeAll(async () => {
  server = await startGoodServer();
});
afterAll(() => server.close());

/** What each door adds to an answer. */
const signs: Readonly<Record<Exclude<Door, 'gatehouse' | 'unknown' | Unsaid>, Readonly<Record<string, string>>>> = {
  cloudflare: { 'cf-ray': '8f1' },
  cloudfront: { 'x-amz-cf-id': 'a' },
  vercel: { 'x-vercel-id': 'fra1::1' },
  google: { via: '1.1 google' },
  'api-gateway': { 'apigw-requestid': 'a' },
  'function-url': { 'x-amzn-remapped-www-authenticate': 'Bearer' },
  alb: { server: 'awselb/2.0' },
  envoy: { 'x-envoy-upstream-service-time': '3' },
  nginx: { server: 'nginx/1.27' },
  caddy: { via: '1.1 Caddy' },
  apache: { server: 'Apache/2.4' },
};
/** Doors that are known, and of which nothing is known to say. */
type Unsaid = 'netlify' | 'fly' | 'render' | 'ngrok' | 'azure';

async function behind(...doors: ReadonlyArray<keyof typeof signs>): Promise<Facts> {
  const { facts } = await doctor(server, { change: headers(Object.assign({}, ...doors.map((door) => signs[door]))) });
  expect(frontDoorsOf(facts)).toEqual(doors);
  return facts;
}

const combinations = (door: Door) => [...new Set((hints[door] ?? []).flatMap((hint) => hint.for))];

describe.each(Object.keys(signs) as Array<keyof typeof signs>)('behind %s', (door) => {
  it('every finding that it has a hint for gets one, and no other', async () => {
    const facts = await behind(door);
    const specific = combinations(door);
    expect(specific.length).toBeGreaterThan(0);
    for (const { id } of allRules) {
      const lines = hintsFor({ id }, facts);
      const own = specific.includes(id);
      expect([id, lines.length > 1]).toEqual([id, own || combinations('unknown').includes(id)]);
      if (!own) continue;
      const told = (hints[door] ?? []).find((hint) => hint.for.includes(id))?.lines(placeOf(facts.typed.url)) ?? [];
      expect(lines.slice(0, told.length).map((line, at) => (at === 0 ? line.replace(/^[^:]+: /, '') : line))).toEqual(
        told,
      );
    }
  });
});

/** What people come for: written down here, so that none of them is lost. */
const wanted: ReadonlyArray<readonly [id: Finding['id'], door: keyof typeof signs, says: string]> = [
  ['challenge.renamed', 'function-url', 'statusCode: 401'],
  ['challenge.renamed', 'cloudfront', 'statusCode: 401'],
  ['challenge.missing', 'api-gateway', 'gatewayresponse.header.WWW-Authenticate'],
  ['challenge.wrong-token-status', 'api-gateway', 'StatusCode: "401"'],
  ['challenge.forbidden', 'cloudfront', 'Origin access control overwrites Authorization'],
  ['challenge.forbidden', 'function-url', 'AuthType: NONE'],
  ['challenge.forbidden', 'cloudflare', 'action Skip'],
  ['resource.missing', 'cloudfront', '/.well-known/*'],
  ['server.web-page', 'cloudfront', 'AllowedMethods'],
  ['server.missing', 'nginx', 'location ^~ /.well-known/oauth-'],
  ['resource.missing', 'caddy', 'handle @mcp'],
  ['challenge.login-page', 'google', 'IAP'],
  ['challenge.login-page', 'vercel', 'Deployment Protection'],
  ['session.stream-buffered', 'nginx', 'proxy_buffering off;'],
  ['session.stream-buffered', 'caddy', 'flush_interval -1'],
  ['session.stream-buffered', 'function-url', 'InvokeMode: RESPONSE_STREAM'],
  ['session.stream-buffered', 'api-gateway', 'ResponseTransferMode: STREAM'],
  ['session.stream-cut', 'nginx', 'proxy_read_timeout 3600s;'],
  ['session.stream-cut', 'alb', 'idle_timeout.timeout_seconds'],
  ['session.stream-cut', 'cloudfront', 'OriginReadTimeout: 120'],
  ['session.stream-cut', 'cloudflare', '524'],
  ['session.stream-cut', 'envoy', 'stream_idle_timeout'],
  ['session.stream-silent', 'apache', 'timeout=3600'],
  ['session.token-refused', 'nginx', 'proxy_pass_request_headers on;'],
  ['session.token-refused', 'apache', 'CGIPassAuth On'],
  ['address.plain-http', 'alb', '301'],
  ['address.plain-http', 'nginx', 'return 308'],
  ['address.plain-http', 'cloudfront', 'https-only'],
  ['address.redirect-downgrade', 'alb', '--proxy-headers'],
  ['address.redirect-loop', 'cloudflare', 'Full (strict)'],
  ['resource.mismatch', 'api-gateway', 'BasePathMapping'],
  ['tls.incomplete-chain', 'nginx', 'fullchain.pem'],
];

describe('hints', () => {
  it.each(wanted)('%s behind %s', async (id, door, says) => {
    expect(hintsFor({ id }, await behind(door)).join('\n')).toContain(says);
  });

  it('stand in the report, a line each, and in its JSON', async () => {
    const { facts, findings } = await doctor(server, {
      change: (reply) => ({ ...reply, headers: { 'x-amzn-remapped-www-authenticate': 'Bearer', server: 'nginx' } }),
    });
    const parts = { facts, findings, clients: [], hints: (finding: Finding) => hintsFor(finding, facts) };
    const text = reportText(parts, { colours: false, width: 110 });
    expect(text).toMatch(/^ {6}fix {3}Lambda Function URL: A Function URL renames the header always\./m);
    const { findings: written } = JSON.parse(reportJson(parts)) as {
      readonly findings: ReadonlyArray<{ readonly id: Finding['id']; readonly hints: readonly string[] }>;
    };
    const renamed = written.find(({ id }) => id === 'challenge.renamed');
    expect(renamed?.hints).toEqual(hintsFor({ id: 'challenge.renamed' }, facts));
  });

  it('are for findings that there are, and each door has one hint a finding', () => {
    const known = new Set(allRules.map(({ id }) => id));
    for (const [door, own] of Object.entries(hints)) {
      const ids = own.flatMap((hint) => hint.for);
      expect([door, ids.filter((id) => !known.has(id))]).toEqual([door, []]);
      expect([door, ids.length]).toEqual([door, new Set(ids).size]);
    }
  });

  it('every finding has a cure even where no door has a hint', () => {
    for (const { id, cure } of allRules) expect([id, cure.length > 5]).toEqual([id, true]);
  });

  it('are lines that a terminal shows as they are', () => {
    const place = placeOf('https://mcp.example.com/mcp');
    for (const hint of Object.values(hints).flat()) {
      const lines = hint.lines(place);
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) expect(line).toMatch(/^\S(?:[^\n\t]*\S)?$/);
      expect(lines.join('\n')).not.toContain('undefined');
    }
  });

  it('name the host and the path that were typed', async () => {
    const facts = { ...(await behind('nginx')), typed: typed('https://mcp.example.com:8443/notes/mcp') };
    expect(hintsFor({ id: 'session.stream-buffered' }, facts)).toEqual([
      'nginx: In location /notes/mcp:',
      'proxy_http_version 1.1;',
      'proxy_set_header Connection "";',
      'proxy_buffering off;',
      'gzip off;',
    ]);
  });

  it('come of every door on the way, the outermost first', async () => {
    const lines = hintsFor({ id: 'challenge.renamed' }, await behind('cloudfront', 'function-url'));
    const sentences = lines.filter((line) => /^(CloudFront|Lambda Function URL): /.test(line));
    expect(sentences.map((line) => line.split(':')[0])).toEqual(['CloudFront', 'Lambda Function URL']);
  });

  it('are general where no door is seen', async () => {
    const { facts } = await doctor(server, { change: () => undefined });
    expect(frontDoorsOf(facts)).toEqual([]);
    const { metadataUrl } = placeOf(facts.typed.url);
    expect(hintsFor({ id: 'challenge.missing' }, facts)[1]).toBe(
      `WWW-Authenticate: Bearer resource_metadata="${metadataUrl}"`,
    );
    expect(hintsFor({ id: 'server.no-iss' }, facts)).toEqual([]);
  });

  it.each([
    'https://mcp.example.com/a";}}location%20/',
    "https://mcp.example.com/'$(id)`",
    'https://mcp.example.com/a;b{c}',
    'https://mcp.example.com/%2e%2e%22',
  ])('put nothing of %s into a configuration', (url) => {
    const place = placeOf(typed(url).url);
    expect(place).toEqual({
      host: 'mcp.example.com',
      path: '/mcp',
      metadataUrl: 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
    });
  });

  it('know Gatehouse by its metadata', async () => {
    const target = await startTarget();
    const gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp`, scopes: { read: 'Read' } }]);
    try {
      const facts = await examine({
        typed: typed(gateway.url('/mcp')),
        register: false,
        timeoutSeconds: 30,
        streamSeconds: 0,
      });
      expect(hintsFor({ id: 'server.no-documents' }, facts)).toEqual([
        'Gatehouse: In the configuration:',
        'metadataDocuments: {}',
      ]);
      for (const id of combinations('gatehouse')) expect(hintsFor({ id }, facts)[0]).toMatch(/^Gatehouse: /);
    } finally {
      await gateway.close();
      await target.close();
    }
    const { facts: other } = await doctor(server, { change: () => undefined });
    expect(hintsFor({ id: 'server.no-documents' }, other)).toEqual([]);
  });
});

describe('the function for CloudFront', () => {
  const place = placeOf('https://mcp.example.com/mcp');
  const handler = (method: string, headers: Readonly<Record<string, { value: string }>>) => {
    const context = createContext({ event: { request: { method, uri: '/mcp', headers } } });
    const source = `${challengeFunction(place)} JSON.stringify(handler(event))`;
    return JSON.parse(String(new Script(source).runInContext(context, { timeout: 1000 }))) as {
      readonly statusCode?: number;
      readonly headers: Readonly<Record<string, { value: string }>>;
    };
  };

  it('challenges whoever has no token', () => {
    const { statusCode, headers: answered } = handler('POST', { accept: { value: '*/*' } });
    expect(statusCode).toBe(401);
    expect(answered['www-authenticate']?.value).toBe(`Bearer resource_metadata="${place.metadataUrl}"`);
  });

  it('lets a token and a preflight through', () => {
    expect(handler('POST', { authorization: { value: 'Bearer x' } }).statusCode).toBeUndefined();
    expect(handler('OPTIONS', {}).statusCode).toBeUndefined();
  });

  it('is small enough: 10 KB is the limit', () => {
    expect(Buffer.byteLength(challengeFunction(place))).toBeLessThan(1024);
  });
});

function typed(url: string): Facts['typed'] {
  const read = readTypedUrl(url);
  if (typeof read === 'string') throw new Error(read);
  return read;
}
