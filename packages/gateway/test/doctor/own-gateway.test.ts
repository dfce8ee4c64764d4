/** The doctor at our own gateway: nothing to say above a note, with and without a token. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diagnose } from '../../src/doctor/diagnose.ts';
import { examine } from '../../src/doctor/examine.ts';
import type { Diagnosis } from '../../src/doctor/finding.ts';
import { readTypedUrl } from '../../src/doctor/typed-url.ts';
import { signIn, startGateway, type TestGateway } from '../harness.ts';
import { startTarget, type Target } from '../target.ts';

let target: Target;
let gateway: TestGateway;
beforeAll(async () => {
  target = await startTarget();
  gateway = await startGateway([{ path: '/mcp', target: `${target.url}/mcp`, scopes: { read: 'Read' } }]);
});
afterAll(async () => {
  await gateway.close();
  await target.close();
});

describe('the doctor at our own gateway', () => {
  it('finds nothing above a note', async () => {
    const { facts, findings } = await doctor();
    expect(notable(findings)).toEqual([]);
    expect(findings.map(({ id }) => id)).toEqual(['address.not-public', 'server.no-documents']);
    expect(facts.unfinished).toEqual([]);
    expect(facts.authorizationServers[0]?.authorize?.asClientsDo.answer?.status).toBe(200);
  });

  it('finds nothing above a note behind a token, and keeps the token to itself', async () => {
    target.answer = (req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        if (req.method !== 'POST') {
          res.writeHead(405).end();
          return;
        }
        const { id, method } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { id?: number; method: string };
        const result =
          method === 'tools/list'
            ? { tools: [] }
            : {
                protocolVersion: '2025-06-18',
                capabilities: { tools: {} },
                serverInfo: { name: 'target', version: '1' },
              };
        if (id === undefined) res.writeHead(202).end();
        else
          res
            .writeHead(200, { 'content-type': 'application/json' })
            .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
      });
    };
    const { accessToken } = await signIn({ issuer: gateway.issuer });
    const { facts, findings } = await doctor(accessToken);
    expect(notable(findings)).toEqual([]);
    expect(facts.session?.toolsList?.answer?.status).toBe(200);
    expect(JSON.stringify(facts)).not.toContain(accessToken);
  });
});

function notable(findings: Diagnosis['findings']) {
  return findings.filter(({ severity }) => severity !== 'note').map(({ id, saw }) => `${id}: ${saw}`);
}

async function doctor(token?: string): Promise<Diagnosis> {
  const typed = readTypedUrl(gateway.url('/mcp'));
  if (typeof typed === 'string') throw new Error(typed);
  // A clock that stands still: how busy the computer is, is none of the gateway's faults.
  const options = { register: true, timeoutSeconds: 60, streamSeconds: 1, now: () => 0 };
  return diagnose(await examine({ typed, token, ...options }));
}
