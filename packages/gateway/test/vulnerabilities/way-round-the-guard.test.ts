/** No header, name or path leads round the guard (CVE-2026-40575, CVE-2026-41059, GHSA-g53w-w6mj-hrpp: trusted internal headers). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SignedIn, signIn, startGateway, type TestGateway } from '../harness.ts';
import { ask, message } from '../raw-http.ts';
import { startTarget, type Target } from '../target.ts';

const targetSecretEnv = 'GATEHOUSE_WAY_ROUND_TARGET_SECRET';
process.env[targetSecretEnv] = 'only-the-gateway-knows-this-much';

let target: Target;
let gateway: TestGateway;
let person: SignedIn;

beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([
    {
      path: '/mcp',
      target: `${target.url}/mcp`,
      targetSecret: { env: targetSecretEnv },
      open: [{ path: '/exports', target: `${target.url}/files` }],
    },
    { path: '/other/mcp', target: `${target.url}/other` },
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

describe('without a token', () => {
  it.each<[string, string]>([
    ['X-Forwarded-Uri', '/healthz'],
    ['X-Forwarded-Path', '/exports/a'],
    ['X-Forwarded-Prefix', '/exports'],
    ['X-Forwarded-Method', 'OPTIONS'],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-Host', 'localhost'],
    ['X-Forwarded-User', 'ada'],
    ['X-Forwarded-Access-Token', 'x'],
    ['X-Real-IP', '127.0.0.1'],
    ['X-Client-IP', '127.0.0.1'],
    ['Forwarded', 'for=127.0.0.1;host=localhost;proto=https'],
    ['X-Original-URL', '/healthz'],
    ['X-Rewrite-URL', '/exports/a'],
    ['X-HTTP-Method-Override', 'OPTIONS'],
    ['X-HTTP-Method', 'OPTIONS'],
    ['X-Method-Override', 'OPTIONS'],
    ['User-Agent', 'ELB-HealthChecker/2.0'],
    ['User-Agent', 'GoogleHC/1.0'],
    ['User-Agent', 'kube-probe/1.31'],
    ['X-Gatehouse-Subject', 'root'],
    ['X-Gatehouse-Secret', 'only-the-gateway-knows-this-much'],
    ['X_Gatehouse_Subject', 'root'],
    ['Router-Key', 'internal'],
    ['X-Internal', '1'],
    ['X-Amzn-Oidc-Identity', 'root'],
    ['X-Remote-User', 'root'],
    ['Proxy-Authorization', 'Bearer x'],
    ['Cookie', 'access_token=x'],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Upgrade', 'websocket'],
    ['Expect', '100-continue'],
  ])('%s: %s leads nowhere', async (name, value) => {
    const answer = await ask(gateway.port, message('POST /mcp', [[name, value]], ''));
    expect(answer.status).toBe(401);
    expect(answer.header('www-authenticate')).toContain('resource_metadata=');
    expect(target.seen).toEqual([]);
  });

  it('and whoever says they are from inside has said nothing to the target either', async () => {
    const claims: Array<[string, string]> = [
      ['X-Forwarded-User', 'root'],
      ['X-Gatehouse-Subject', 'root'],
      ['X_Gatehouse_Subject', 'root'],
      ['x-gatehouse-secret', 'made up'],
      ['Forwarded', 'for=10.0.0.1'],
      ['X-Forwarded-For', '10.0.0.1'],
    ];
    const token: [string, string] = ['Authorization', `Bearer ${person.accessToken}`];
    expect((await ask(gateway.port, message('GET /mcp', [token, ...claims]))).status).toBe(200);
    const seen = target.seen[0]?.rawHeaders.join('\n');
    expect(seen).not.toMatch(/root|made up|10\.0\.0\.1/);
  });
});

describe('with a token', () => {
  it('of one resource the other stays closed, whatever a header says it is', async () => {
    for (const more of [
      ['X-Forwarded-Uri', '/mcp'],
      ['X-Original-URL', '/mcp'],
      ['Host', 'localhost'],
    ] as const) {
      const headers: Array<readonly [string, string]> = [['Authorization', `Bearer ${person.accessToken}`], more];
      const answer = await ask(gateway.port, message('POST /other/mcp', headers));
      expect(answer.status).toBe(401);
    }
    expect(target.seen).toEqual([]);
  });

  it.each(['DPoP', 'Basic', 'Token', 'Bearer:', 'Negotiate', 'MAC', ''])(
    'under the scheme %j it is none (CVE-2026-47673)',
    async (scheme) => {
      const authorization: [string, string] = ['Authorization', `${scheme} ${person.accessToken}`];
      const answer = await ask(gateway.port, message('POST /mcp', [authorization]));
      expect(answer.status).toBe(401);
      expect(target.seen).toEqual([]);
    },
  );

  it('and it is good where nothing is wrong: the tests above can fail', async () => {
    const answer = await ask(gateway.port, message('POST /mcp', [['Authorization', `Bearer ${person.accessToken}`]]));
    expect(answer.status).toBe(200);
    expect(target.seen).toHaveLength(1);
  });
});
