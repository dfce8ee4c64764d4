/**
 * One credential, presented many times at once to two processes: a code is worth one answer (RFC 6749 §4.1.2), and
 * parallel refreshes end in one generation, so that no client loses its grant to its own haste.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authorized, authorize, redeem, refresh, type Tokens } from '../harness/client.ts';
import { startTwoGateways, type TwoGateways } from './two-gateways.ts';

const parallel = 8;
const codeRounds = 200;
const refreshRounds = 50;

let gateways: TwoGateways;

beforeAll(async () => {
  gateways = await startTwoGateways();
});

afterAll(() => gateways?.close());

const newCode = () => authorize(gateways.issuer, gateways.resource, gateways.signInOrigin);

/** The request, `parallel` times at once, to both processes by turns. */
async function atOnce(request: (origin: string) => Promise<Response>) {
  const { origins } = gateways;
  const requests = Array.from({ length: parallel }, (_, i) => request(origins[i % 2] as string));
  return Promise.all(
    requests.map(async (sent) => {
      const response = await sent;
      return { status: response.status, body: (await response.json()) as Tokens & { error?: string } };
    }),
  );
}

async function guardStatuses(accessToken: string): Promise<number[]> {
  return Promise.all(
    gateways.origins.map(async (origin) => {
      const response = await fetch(`${origin}/mcp`, {
        method: 'POST',
        headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
        body: '{}',
      });
      await response.text();
      return response.status;
    }),
  );
}

/** What each round must come to, so that one comparison shows every round that did not. */
const oneWinner = [200, ...Array.from({ length: parallel - 1 }, () => '400 invalid_grant')].join(', ');

async function race(authorized: Authorized): Promise<{ outcome: string; winner: Tokens | undefined }> {
  const answers = await atOnce((origin) => redeem(origin, authorized));
  const outcome = answers
    .map(({ status, body }) => (status === 200 ? '200' : `${status} ${body.error}`))
    .sort()
    .join(', ');
  return { outcome, winner: answers.find(({ status }) => status === 200)?.body };
}

describe('a code', () => {
  it(`is redeemed once in each of ${codeRounds} rounds of ${parallel}`, { timeout: 150_000 }, async () => {
    const winners: Array<{ clientId: string; tokens: Tokens }> = [];
    for (let round = 1; round <= codeRounds; round++) {
      const authorized = await newCode();
      const { outcome, winner } = await race(authorized);
      expect(`round ${round}: ${outcome}`).toBe(`round ${round}: ${oneWinner}`);
      if (winner) winners.push({ clientId: authorized.clientId, tokens: winner });
    }
    expect(winners).toHaveLength(codeRounds);

    // The seven others were replays: they ended the grant, and nothing of it is worth anything at either process.
    for (const { clientId, tokens } of winners) {
      expect(await guardStatuses(tokens.access_token)).toEqual([401, 401]);
      const again = await refresh(gateways.origins[1], clientId, tokens.refresh_token);
      expect(again.status).toBe(400);
      expect(await again.json()).toMatchObject({ error: 'invalid_grant' });
    }
  });

  it('that is replayed ends the grant for guards that have just found it alive, within seconds', async () => {
    const authorized = await newCode();
    const tokens = (await (await redeem(gateways.origins[0], authorized)).json()) as Tokens;
    expect(await guardStatuses(tokens.access_token)).toEqual([200, 200]);
    expect((await redeem(gateways.origins[1], authorized)).status).toBe(400);
    // A guard may trust what it read for five seconds; the rest is for a slow machine.
    const deadline = performance.now() + 12_000;
    let statuses = await guardStatuses(tokens.access_token);
    while (statuses.includes(200) && performance.now() < deadline) {
      await sleep(250);
      statuses = await guardStatuses(tokens.access_token);
    }
    expect(statuses).toEqual([401, 401]);
  });
});

describe('a refresh token', () => {
  it(`has one successor in each of ${refreshRounds} rounds of ${parallel}`, { timeout: 60_000 }, async () => {
    const authorized = await newCode();
    const { clientId } = authorized;
    let tokens = (await (await redeem(gateways.issuer, authorized)).json()) as Tokens;
    const seen = new Set([tokens.refresh_token]);
    for (let round = 1; round <= refreshRounds; round++) {
      const answers = await atOnce((origin) => refresh(origin, clientId, tokens.refresh_token));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: parallel }, () => 200));
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      expect(successors.size).toBe(1);
      tokens = answers[round % parallel]?.body as Tokens;
      seen.add(tokens.refresh_token);
    }
    // One generation a round, no more and no fewer.
    expect(seen.size).toBe(refreshRounds + 1);

    const last = await refresh(gateways.origins[1], clientId, tokens.refresh_token);
    expect(last.status).toBe(200);
    const { access_token: accessToken } = (await last.json()) as Tokens;
    expect(await guardStatuses(accessToken)).toEqual([200, 200]);
  });
});

it('the log tells the same: one answer a code, one new generation a round, the rest of a round from the grace', async () => {
  const count = (event: string) => gateways.log().split(`"event":"${event}"`).length - 1;
  // Two grants beside the raced codes, and the last refresh.
  await expect.poll(() => count('token.issued')).toBe(codeRounds + 2 + refreshRounds + 1);
  expect(count('grant.grace_replay')).toBe(refreshRounds * (parallel - 1));
  // One replay ends a grant; those that come after it meet an ended one.
  expect(count('grant.replayed')).toBe(codeRounds + 1);
  expect(gateways.log()).not.toMatch(/"event":"fault"|"status":5\d\d/);
});
