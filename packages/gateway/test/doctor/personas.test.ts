/** The verdict on each known client: from facts of real servers, each broken in one way that some clients mind and others do not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Facts } from '../../src/doctor/facts.ts';
import { judgeAll, personaNames } from '../../src/doctor/personas/judge.ts';
import { personas } from '../../src/doctor/personas/table.ts';
import {
  answers,
  at,
  type Broken,
  doctor,
  headers,
  members,
  messages,
  metadataRoutes,
  missing,
  namesHere,
  resourceRoutes,
} from './broken/broken.ts';
import { type GoodServer, page, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeEach(async () => {
  server = await startGoodServer();
});
afterEach(() => server.close());

/** As a public https server: what keeps a vendor's cloud away from this computer is looked at by itself. */
function publicly(facts: Facts): Facts {
  const [here, there] = [`http://localhost:${server.port}`, 'https://mcp.example.com'];
  const text = JSON.stringify(facts)
    .replaceAll(here, there)
    .replaceAll(encodeURIComponent(here), encodeURIComponent(there));
  return {
    ...(JSON.parse(text) as Facts),
    dns: { hostname: 'mcp.example.com', addresses: [{ address: '203.0.113.7', family: 4 }], ms: 1 },
  };
}

async function verdicts(broken: Omit<Broken, 'is' | 'finds'> = {}) {
  const { facts } = await doctor(server, broken);
  return judgeAll(publicly(facts));
}

type Outcomes = Readonly<Partial<Record<'fails' | 'unknown' | 'partly' | 'works', readonly string[]>>>;

async function outcomes(broken: Omit<Broken, 'is' | 'finds'>): Promise<Outcomes> {
  const all = await verdicts(broken);
  return Object.fromEntries(
    ['fails', 'unknown', 'partly', 'works'].map((outcome) => [
      outcome,
      all.filter((one) => one.outcome === outcome).map(({ client }) => client),
    ]),
  );
}

const byRegistration = at(metadataRoutes, members({ client_id_metadata_document_supported: false }));

/** One change after the other. */
const both =
  (...changes: ReadonlyArray<NonNullable<Broken['change']>>): NonNullable<Broken['change']> =>
  (reply, asked, on) => {
    let now = reply;
    let changed = false;
    for (const change of changes) {
      const next = change(now, asked, on);
      if (next === undefined || typeof next === 'function') continue;
      [now, changed] = [next, true];
    }
    return changed ? now : undefined;
  };

const renamed = at(messages, (reply) => {
  const { 'www-authenticate': value, ...rest } = reply.headers;
  return { ...reply, headers: { ...rest, ...(value !== undefined && { 'x-amzn-remapped-www-authenticate': value }) } };
});

describe('at a good server', () => {
  it('all that register connect', async () => {
    const all = await verdicts({ change: byRegistration });
    expect(all.filter(({ outcome }) => outcome !== 'works')).toEqual([]);
    expect(all.map(({ client }) => client).sort()).toEqual([...personaNames].sort());
    for (const { reasons, step } of all) expect([reasons, step]).toEqual([[], undefined]);
  });

  it('where documents are announced, nothing is claimed of those that were not tried', async () => {
    expect(await outcomes({})).toMatchObject({ fails: [], partly: [], unknown: ['codex'] });
  });

  it('on this computer, nothing is claimed of clients in a cloud', async () => {
    const { facts } = await doctor(server, { change: byRegistration });
    const unknown = judgeAll(facts).filter(({ outcome }) => outcome !== 'works');
    expect(unknown.map(({ client, outcome }) => [client, outcome])).toEqual([
      ['claude', 'unknown'],
      ['chatgpt', 'unknown'],
    ]);
    for (const { reasons } of unknown) expect(reasons).toEqual([expect.stringContaining('does not reach 127.0.0.1')]);
  });

  it('that lets everybody in, all connect', async () => {
    const open = { prepare: (one: GoodServer) => Object.assign(one, { open: true }) };
    const bare = missing('resource-path', 'resource-root', 'server-oauth', 'server-openid');
    expect((await outcomes({ ...open, change: bare })).works).toHaveLength(personas.length);
    // With metadata it may ask later, which is not tried.
    expect((await outcomes({ ...open, change: () => undefined })).unknown).toHaveLength(personas.length);
  });
});

const cases: ReadonlyArray<Omit<Broken, 'finds'> & { readonly expected: Outcomes; readonly says: string }> = [
  {
    is: 'a renamed challenge',
    change: both(byRegistration, renamed),
    expected: { fails: ['claude'], unknown: [], works: [] },
    says: 'It reads in WWW-Authenticate where to sign in, and the header arrives as x-amzn-remapped-www-authenticate.',
  },
  {
    is: 'a renamed challenge, and documents that nobody tried',
    change: renamed,
    // That it would lose the scope is not said of a client of which it is not known whether it connects.
    expected: { fails: ['claude'], unknown: ['codex'] },
    says: 'whether the server takes that was not tried',
  },
  {
    is: 'a challenge that names a place without metadata',
    prepare: (one) => Object.assign(one, { issuerPath: '/tenant' }),
    change: both(
      byRegistration,
      at(messages, (reply, _, { origin }) => ({
        ...reply,
        headers: { ...reply.headers, 'www-authenticate': `Bearer resource_metadata="${origin}/nowhere"` },
      })),
    ),
    // The SDKs and VS Code look nowhere else, and take the origin, which was not asked.
    expected: {
      fails: [],
      unknown: expect.arrayContaining(['vscode', 'sdk-v1', 'sdk-v2']),
      works: expect.arrayContaining(['claude-code', 'gemini-cli', 'python-sdk']),
    },
    says: 'It finds no metadata of the resource',
  },
  {
    is: 'metadata for another URL',
    change: at(resourceRoutes, members({ resource: 'https://other.example/mcp' })),
    // VS Code leaves them aside, and asks without a resource.
    expected: { unknown: ['vscode'], works: [], partly: [] },
    says: 'that was tried with a resource, which it leaves out here',
  },
  {
    is: 'no challenge',
    change: both(byRegistration, at(messages, headers({ 'www-authenticate': undefined }))),
    expected: { fails: ['claude'], unknown: [], partly: [] },
    says: 'the 401 has no Bearer challenge',
  },
  {
    is: 'a relative URL in the challenge',
    change: both(
      byRegistration,
      at(['initialize'], headers({ 'www-authenticate': 'Bearer resource_metadata="/.well-known/x"' })),
    ),
    expected: { fails: ['claude'], unknown: [], partly: [] },
    says: 'no whole URL there: “/.well-known/x”',
  },
  {
    is: '403 without a token',
    change: both(byRegistration, at(messages, answers(403))),
    expected: { works: ['vscode'], unknown: [], partly: [] },
    says: 'It signs in when it is answered with 401, and the server answers 403.',
  },
  {
    is: 'a login page',
    change: at(messages, () => page(200, 'Please sign in')),
    expected: { works: [], unknown: [], partly: [] },
    says: 'the server answers 200 and a web page',
  },
  {
    is: 'PKCE not announced',
    change: both(byRegistration, at(metadataRoutes, members({ code_challenge_methods_supported: undefined }))),
    expected: { fails: ['chatgpt'], unknown: ['vscode', 'cursor', 'codex', 'zed'], partly: [] },
    says: 'It looks for S256 in code_challenge_methods_supported, where nothing is listed.',
  },
  {
    is: 'PKCE with plain only',
    change: both(byRegistration, at(metadataRoutes, members({ code_challenge_methods_supported: ['plain'] }))),
    expected: { works: ['claude', 'gemini-cli', 'python-sdk'], partly: [] },
    says: 'where “plain” is listed',
  },
  {
    is: 'an issuer with a slash more',
    change: both(
      byRegistration,
      at(metadataRoutes, (reply, _, { origin }) => ({
        ...reply,
        body: { ...(reply.body as object), issuer: `${origin}/` },
      })),
    ),
    expected: { fails: ['chatgpt', 'opencode', 'inspector', 'mcp-remote', 'sdk-v2'], works: ['vscode', 'sdk-v1'] },
    says: 'It compares the issuer: “https://mcp.example.com” was named, and the metadata say “https://mcp.example.com/”.',
  },
  {
    is: 'an issuer with a slash less',
    change: both(
      byRegistration,
      at(resourceRoutes, (reply, _, { origin }) => ({
        ...reply,
        body: { ...(reply.body as object), authorization_servers: [`${origin}/`] },
      })),
    ),
    // The SDK v2 takes the slash of a bare origin for none.
    expected: { fails: ['chatgpt'], works: expect.arrayContaining(['sdk-v2', 'sdk-v1', 'vscode']) },
    says: 'It compares the issuer',
  },
  {
    is: 'a resource above the URL',
    change: both(
      byRegistration,
      at('authorize', () => page(200, '<form></form>')),
      at(resourceRoutes, (reply, _, { origin }) => ({
        ...reply,
        body: { ...(reply.body as object), resource: origin },
      })),
    ),
    expected: {
      fails: ['gemini-cli'],
      works: expect.arrayContaining(['claude-code', 'sdk-v1', 'sdk-v2', 'python-sdk', 'vscode']),
    },
    says: 'It refuses metadata that are for another URL',
  },
  {
    is: 'no metadata of the resource',
    change: both(byRegistration, missing(...resourceRoutes)),
    expected: { fails: ['claude', 'chatgpt'], unknown: ['cursor', 'codex', 'zed'], partly: [] },
    says: 'It needs the metadata of the resource',
  },
  {
    is: 'no metadata at the root, and its authorization server elsewhere',
    prepare: (one) => Object.assign(one, { issuerPath: '/tenant' }),
    change: both(byRegistration, missing('resource-root')),
    expected: { fails: [], unknown: ['claude-code'], partly: [] },
    says: 'at the root only, where none is',
  },
  {
    is: 'a page where metadata should be',
    change: both(
      byRegistration,
      at('server-oauth', () => page(200, 'Home')),
    ),
    expected: { fails: ['opencode', 'inspector', 'mcp-remote', 'sdk-v2', 'sdk-v1'] },
    says: 'It takes 200 for found, and what is there is no JSON',
  },
  {
    is: 'no registration',
    change: at(metadataRoutes, members({ registration_endpoint: undefined })),
    expected: {
      fails: ['cursor', 'gemini-cli', 'inspector', 'mcp-remote'],
      partly: ['sdk-v2', 'sdk-v1', 'python-sdk'],
      works: ['claude', 'claude-code', 'chatgpt', 'vscode', 'zed', 'opencode'],
    },
    says: 'the authorization server offers no registration',
  },
  {
    is: 'documents, and clients with secrets only',
    change: at(
      metadataRoutes,
      members({ registration_endpoint: undefined, token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
    ),
    expected: { works: ['claude-code', 'vscode', 'zed'] },
    says: 'It uses its document beside “none” only, and the server lists “client_secret_basic”; registers otherwise, and',
  },
  {
    is: 'neither documents nor registration',
    change: both(byRegistration, at(metadataRoutes, members({ registration_endpoint: undefined }))),
    expected: { works: [], unknown: [], partly: [] },
    says: 'offers neither metadata documents nor registration',
  },
  {
    is: 'a list of redirect URIs',
    change: both(
      byRegistration,
      at('register', (reply, { body }) =>
        /cursor:|claude\.ai/.test(body)
          ? { ...reply, status: 400, body: { error: 'invalid_redirect_uri' } }
          : undefined,
      ),
    ),
    // ChatGPT's own address was not tried.
    expected: { fails: ['claude', 'cursor'], unknown: ['chatgpt'], partly: [] },
    says: 'It registers with a redirect URI at its vendor’s, and the server answers',
  },
  {
    is: 'registrations refused for their frequency',
    change: both(byRegistration, at('register', answers(429))),
    expected: { fails: [], works: [], partly: [] },
    says: 'the server refused that for its frequency (429)',
  },
  {
    is: 'no registration tried',
    change: byRegistration,
    options: { register: false },
    expected: { fails: [], works: [], partly: [] },
    says: 'It registers, which was not tried (--no-register).',
  },
  {
    is: 'documents that are announced and refused',
    change: at('authorize', (reply, { query }) =>
      query.get('client_id')?.startsWith('https://') ? page(400, 'Who is that?') : reply,
    ),
    expected: { fails: ['claude', 'claude-code', 'chatgpt', 'vscode', 'zed', 'opencode'] },
    says: 'It uses its document https://claude.ai/oauth/mcp-oauth-client-metadata, since they are announced, and gets 400',
  },
  {
    is: 'a port that is compared',
    change: both(
      byRegistration,
      at('authorize', (reply, { query }) =>
        query.get('redirect_uri')?.includes(':50505/') ? page(400, 'No.') : reply,
      ),
    ),
    expected: { fails: [], unknown: [], partly: ['claude-code', 'vscode'] },
    says: 'it takes any free port on localhost, and the server insists on the one that was registered',
  },
  {
    is: 'a sign-in that fails',
    change: both(byRegistration, at('authorize', answers(500))),
    expected: { works: [], unknown: [], partly: [] },
    says: 'The browser it opens does not get to a sign-in: 500',
  },
  {
    is: 'no sign-in: a code for the asking, which is nobody’s hindrance',
    change: both(
      byRegistration,
      at('authorize', (_, { query }, { origin }) => ({
        status: 302,
        headers: { location: `${query.get('redirect_uri')}?code=1&state=${query.get('state')}&iss=${origin}` },
        body: '',
      })),
    ),
    expected: { fails: [], unknown: [], partly: [] },
    says: '',
  },
  {
    is: 'a slow token endpoint',
    change: both(
      byRegistration,
      at('token', (reply, _, { clock }) => {
        clock.ms += 11_000;
        return reply;
      }),
    ),
    expected: { fails: ['claude'], unknown: [], partly: [] },
    says: 'It waits 10 s for the token endpoint, which took 11.0 s.',
  },
  {
    is: 'iss announced and left out',
    change: both(
      byRegistration,
      at('authorize', (reply) => {
        const { location } = reply.headers;
        return typeof location === 'string'
          ? { ...reply, headers: { ...reply.headers, location: location.replace(/&iss=.*/, '') } }
          : undefined;
      }),
    ),
    expected: { fails: [], partly: [], works: expect.arrayContaining(['claude', 'sdk-v1', 'vscode']) },
    says: 'It refuses an answer whose iss is not the issuer',
  },
  {
    is: 'no CORS',
    change: both(byRegistration, at('mcp-preflight', answers(405))),
    expected: { fails: [], unknown: [], partly: ['inspector'] },
    says: 'Its command line connects; a page in a browser cannot',
  },
  {
    is: 'a redirect that makes GET of POST',
    typed: ({ origin }) => `${origin}/mcp/`,
    change: (_, { path }) => (path === '/mcp/' ? { status: 301, headers: { location: '/mcp' }, body: '' } : undefined),
    expected: { works: [], unknown: [], partly: [] },
    says: 'The server redirects with 301, and its message is lost: POST becomes GET.',
  },
];

describe('a server with', () => {
  it.each(cases)('$is', async ({ expected, says, is: _is, ...broken }) => {
    const all = await verdicts(broken);
    const seen = Object.fromEntries(
      ['fails', 'unknown', 'partly', 'works'].map((outcome) => [
        outcome,
        all.filter((one) => one.outcome === outcome).map(({ client }) => client),
      ]),
    );
    expect(seen).toMatchObject(expected);
    expect(all.flatMap(({ reasons }) => reasons).join('\n')).toContain(says);
    for (const { outcome, reasons, step } of all) {
      // Behind where it fails nobody sees.
      if (outcome === 'fails') expect(reasons).toHaveLength(1);
      expect([reasons.length > 0, step !== undefined]).toEqual([outcome !== 'works', outcome !== 'works']);
    }
  });
});

describe('a server that is not reached', () => {
  it('fails for everybody', async () => {
    const { facts } = await doctor(server, { typed: () => 'http://127.0.0.1:1/mcp' });
    const all = judgeAll(facts);
    expect(all.every(({ outcome }) => outcome === 'fails')).toBe(true);
    expect(all[0]?.reasons[0]).toContain('ECONNREFUSED');
  });

  it('over plain http fails for clients in a cloud', async () => {
    const { facts } = await doctor(server, {
      prepare: (one) => Object.assign(one, { origin: `http://mcp.example.test:${one.port}` }),
      options: { resolve: namesHere },
    });
    const outside = { ...facts, dns: { ...facts.dns, addresses: [{ address: '203.0.113.7', family: 4 as const }] } };
    const failing = judgeAll(outside).filter(({ outcome }) => outcome === 'fails');
    expect(failing.map(({ client }) => client)).toEqual(
      expect.arrayContaining(['claude', 'chatgpt', 'sdk-v2', 'mcp-remote', 'inspector', 'opencode']),
    );
    expect(failing.map(({ client }) => client)).not.toContain('sdk-v1');
  });

  it('before the examination was over is unknown', async () => {
    const { facts } = await doctor(server);
    const { endpoint: _, ...nothing } = facts;
    expect(new Set(judgeAll(nothing).map(({ outcome }) => outcome))).toEqual(new Set(['unknown']));
    const early = publicly({ ...facts, resourceMetadata: [], authorizationServers: [] });
    expect(new Set(judgeAll(early).map(({ outcome }) => outcome))).toEqual(new Set(['unknown']));
  });
});

describe('the table', () => {
  it('has every client once, with its sources', () => {
    expect(new Set(personaNames).size).toBe(personas.length);
    for (const { client, sources } of personas) {
      expect(client).toMatch(/^[a-z0-9-]+$/);
      expect(sources.length).toBeGreaterThan(0);
    }
  });

  it('is chosen from by name', async () => {
    const { facts } = await doctor(server);
    expect(judgeAll(facts, ['cursor']).map(({ client }) => client)).toEqual(['cursor']);
    expect(judgeAll(facts, [])).toEqual([]);
  });
});
