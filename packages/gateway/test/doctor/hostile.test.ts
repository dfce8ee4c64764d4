/** Servers that mean harm to whoever examines them: nothing hangs, nothing grows, nothing is acted on, no secret is kept. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnosis } from '../../src/doctor/finding.ts';
import { reportJson, reportText } from '../../src/doctor/report.ts';
import { doctor, namesHere, publicly } from './broken/broken.ts';
import { type Change, type GoodServer, goodToken, mcpPath, startGoodServer } from './broken/good-server.ts';

let server: GoodServer;
beforeEach(async () => {
  server = await startGoodServer();
});
afterEach(() => server.close());

const texts = (diagnosis: Diagnosis) => {
  const parts = { ...diagnosis, clients: [] };
  return [reportText(parts, { colours: false, width: 100 }), reportJson(parts)];
};

const everywhere = (change: Change): Change => change;

describe('a hostile server', () => {
  it('that never stops talking is read to a limit', async () => {
    const { facts } = await doctor(server, {
      change: everywhere(() => (res) => {
        res.writeHead(200, { 'content-type': 'application/json' });
        const talk = () => {
          while (!res.destroyed && res.write('x'.repeat(65_536)));
        };
        res.on('drain', talk).on('error', () => {});
        talk();
      }),
    });
    const answers = facts.endpoint?.initialize.hops.map(({ answer }) => [answer?.end, answer?.bytes]);
    expect(answers).toEqual([['size', 131_072]]);
    expect(facts.unfinished).toEqual([]);
  });

  it('that never answers is left, with the limit said', async () => {
    const { facts, findings } = await doctor(server, {
      change: everywhere(() => () => {}),
      options: { requestSeconds: 0.2 },
    });
    expect(facts.unreachable?.failure?.code).toBe('TIMEOUT');
    expect(findings.map(({ id }) => id)).toContain('address.unreachable');
  });

  it('that drips is left, and called cut', async () => {
    const { findings } = await doctor(server, {
      change: (reply, { headers }) =>
        headers.authorization !== undefined
          ? (res) => {
              res.writeHead(401, { 'www-authenticate': String(reply.headers['www-authenticate']) });
              const drip = setInterval(() => res.write('.'), 20);
              res.on('close', () => clearInterval(drip));
            }
          : undefined,
      options: { requestSeconds: 2 },
    });
    expect(findings.map(({ id }) => id)).toContain('challenge.cut');
  });

  it('that takes all the time there is gets no verdict on what was not asked', async () => {
    const stop = new AbortController();
    const { facts, findings } = await doctor(server, {
      change: (_, { route }) => {
        if (route !== 'server-oauth') return undefined;
        stop.abort();
        return () => {};
      },
      options: { signal: stop.signal },
    });
    expect(facts.unfinished).toEqual(['It was stopped.']);
    expect(findings.map(({ id }) => id)).toEqual(['address.not-public']);
  });

  it('that never answers at all is left when the time is over', async () => {
    const diagnosis = await doctor(server, { change: () => () => {}, options: { timeoutSeconds: 0.3 } });
    expect(diagnosis.facts.unfinished).toEqual(['The 0.3 s for all of it were over.']);
    expect(texts(diagnosis)[0]).toContain('It could not be examined; 1 note.');
  });

  it('sends no terminal sequences through the report', async () => {
    const evil = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e\u200b\u0000\r\nFAKE: all is well';
    const diagnosis = await doctor(server, {
      change: (reply) =>
        typeof reply.body === 'object' && reply.status < 300
          ? {
              ...reply,
              body: {
                ...reply.body,
                issuer: `https://x${evil}`,
                resource: `https://x/${evil}`,
                redirect_uris: [evil],
                keys: evil,
              },
            }
          : { ...reply, body: { error: evil, message: evil } },
    });
    expect(diagnosis.findings.length).toBeGreaterThan(3);
    for (const text of texts(diagnosis)) {
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202e]/);
      expect(text).not.toMatch(/^\s*FAKE/m);
    }
  });

  it('with JSON as deep as a well is not followed down', async () => {
    const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
    const { findings } = await doctor(server, {
      change: (reply, { route }) => (route.startsWith('server-') ? { ...reply, body: deep } : undefined),
    });
    expect(findings.map(({ id }) => id)).toContain('server.web-page');
  });

  it('with members of every wrong type gets findings, and breaks nothing', async () => {
    for (const value of [null, 0, '', 'text', [], [null], {}, { a: 1 }, true, ['\ud800']]) {
      const change: Change = (reply, { route }) =>
        typeof reply.body === 'object' && route !== 'authorize'
          ? { ...reply, body: Object.fromEntries(Object.keys(reply.body ?? {}).map((name) => [name, value])) }
          : undefined;
      const diagnosis = await doctor(server, { change, token: ({ origin }) => goodToken(origin + mcpPath) });
      expect(diagnosis.findings.length).toBeGreaterThan(0);
      expect(JSON.parse(texts(diagnosis)[1] ?? '')).toHaveProperty('version', 1);
    }
  });

  it('with the headers of a madman gets findings, and breaks nothing', async () => {
    for (const value of [
      'Bearer',
      'Bearer ,,,',
      '=',
      '"',
      `Bearer ${'a="b", '.repeat(1000)}`,
      'Bearer a="\\"',
      ',',
      'Bearer resource_metadata="http://[", x',
    ]) {
      const change: Change = (reply) =>
        reply.headers['www-authenticate'] === undefined
          ? { ...reply, headers: { ...reply.headers, location: value, 'access-control-allow-origin': value } }
          : { ...reply, headers: { ...reply.headers, 'www-authenticate': value } };
      const diagnosis = await doctor(server, { change });
      expect(diagnosis.findings.some(({ severity }) => severity !== 'note')).toBe(true);
    }
  });

  it('that redirects discovery in circles is followed three times', async () => {
    const { facts } = await doctor(server, {
      change: (_, { route, path }) =>
        route.startsWith('resource-') ? { status: 302, headers: { location: `${path}?again` }, body: '' } : undefined,
    });
    expect(facts.resourceMetadata.map(({ fetched }) => fetched.hops.length)).toEqual([4, 4, 4]);
  });

  it('that is redirected to is never given the token', async () => {
    const away = await startGoodServer();
    try {
      const { facts } = await doctor(server, {
        token: ({ origin }) => goodToken(origin + mcpPath),
        change: (_, { path }) =>
          path === mcpPath
            ? { status: 308, headers: { location: `http://127.0.0.1:${away.port}${mcpPath}` }, body: '' }
            : undefined,
      });
      expect(facts.endpoint?.url).toContain(`127.0.0.1:${away.port}`);
      expect(facts.unfinished.join()).toContain('The token was not sent: a redirect led to');
      expect(away.asked.filter(({ headers }) => headers.authorization?.includes('eyJ'))).toEqual([]);
    } finally {
      await away.close();
    }
  });
});

describe('what the doctor holds', () => {
  it('is not sent over plain http, unless that is asked for', async () => {
    const examined = {
      prepare: publicly,
      token: ({ origin }: GoodServer) => goodToken(origin + mcpPath),
      options: { resolve: namesHere },
    };
    const sent = () => server.asked.filter(({ headers }) => headers.authorization?.includes('eyJ')).length;
    const { facts } = await doctor(server, examined);
    expect(facts.unfinished.join()).toContain('The token was not sent: over plain http');
    expect(sent()).toBe(0);
    await doctor(server, { ...examined, options: { ...examined.options, insecure: true } });
    expect(sent()).toBeGreaterThan(0);
  });

  it('is in no fact: token, session, secrets of the registration, cookies', async () => {
    const token = goodToken(server.origin + mcpPath);
    const diagnosis = await doctor(server, {
      token: () => token,
      change: (reply, { route }) =>
        route === 'register'
          ? { ...reply, body: { ...(reply.body as object), client_secret: 'client-secret' } }
          : { ...reply, headers: { ...reply.headers, 'set-cookie': 'sid=cookie-secret; HttpOnly' } },
    });
    const kept = JSON.stringify(diagnosis);
    for (const secret of [token, 'session-1', 'registration-secret', 'client-secret', 'cookie-secret']) {
      expect(kept).not.toContain(secret);
    }
    expect(kept).toContain('sid=…');
  });

  it('is given back: its clients are deleted', async () => {
    const { facts } = await doctor(server);
    const deletions = server.asked.filter(({ method }) => method === 'DELETE');
    expect(deletions.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill('Bearer registration-secret'));
    expect(facts.authorizationServers[0]?.registrations.map(({ deleted }) => deleted?.answer?.status)).toEqual([
      204, 204, 204,
    ]);
  });

  it('is nothing where nothing may be registered', async () => {
    const { facts, findings } = await doctor(server, { options: { register: false } });
    expect(server.asked.filter(({ route }) => route === 'register')).toEqual([]);
    expect(facts.examined.register).toBe(false);
    expect(findings.map(({ id }) => id)).toEqual(['address.not-public']);
  });

  it('of registrations goes to nobody else', async () => {
    const away = await startGoodServer();
    try {
      await doctor(server, {
        change: (reply, { route }) =>
          route === 'register'
            ? { ...reply, body: { ...(reply.body as object), registration_client_uri: `${away.origin}/register/id` } }
            : undefined,
      });
      expect(away.asked).toEqual([]);
    } finally {
      await away.close();
    }
  });
});
