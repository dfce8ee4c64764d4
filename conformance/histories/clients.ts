/** Owns what the clients of a history do: honest ones, hasty ones, forgetful ones and thieves, many at once. */
import type { Authorized } from '../harness/client.ts';
import type { Answer } from '../instances/load.ts';
import type { Chance } from './random.ts';
import type { Recorder } from './recorder.ts';

interface Holding {
  readonly authorized: Authorized;
  /** As they were learnt, the newest last. */
  readonly accessTokens: string[];
  readonly refreshTokens: string[];
  /** How often it was refused in a row. */
  refusals: number;
}

export interface ClientsOptions {
  readonly recorder: Recorder;
  readonly chance: Chance;
  readonly workers: number;
  /** Whether the history is long enough. */
  readonly enough: () => boolean;
  /** Makes everything well again. */
  readonly beforeLast: () => Promise<void>;
}

/** Grants that are in use at the same time; older ones are left, and those that have been refused so often. */
const inUse = 40;
const patience = 6;
/** Grants that are over are tried again later: an end is final. */
const remembered = 60;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Act = (by: string, holding: Holding) => Promise<unknown>;

/** Until it is enough, and once more around when everything is well. */
export async function runClients({ recorder, chance, workers, enough, beforeLast }: ClientsOptions): Promise<void> {
  const holdings: Holding[] = [];
  const over: Holding[] = [];

  function learn(holding: Holding, { status, body }: Answer): void {
    if (status === 400 || status === 401) leave(holding);
    if (status !== 200) return;
    holding.refusals = 0;
    if (body.access_token !== undefined) holding.accessTokens.push(body.access_token);
    const { refresh_token: refreshToken } = body;
    if (refreshToken !== undefined && !holding.refreshTokens.includes(refreshToken)) {
      holding.refreshTokens.push(refreshToken);
    }
  }

  function leave(holding: Holding): void {
    holding.refusals += 1;
    const at = holdings.indexOf(holding);
    if (holding.refusals < patience || at < 0) return;
    holdings.splice(at, 1);
    over.push(holding);
    if (over.length > remembered) over.shift();
  }

  async function begin(by: string): Promise<void> {
    const authorized = await recorder.signIn(by);
    if (!authorized) return pause(20); // an outage is no busy loop
    const holding: Holding = { authorized, accessTokens: [], refreshTokens: [], refusals: 0 };
    const kind = chance.next();
    // A thief who has the code and not the verifier, before and beside the client.
    if (kind < 0.1) await recorder.redeem('thief', { ...authorized, verifier: 'x'.repeat(43) }, true);
    const times = kind > 0.9 ? 3 : 1;
    const redeem = async () => learn(holding, await recorder.redeem(by, authorized));
    await Promise.all(Array.from({ length: times }, redeem));
    if (holding.refreshTokens.length === 0) return undefined;
    holdings.push(holding);
    if (holdings.length > inUse) holdings.shift();
    return undefined;
  }

  const refresh = async (by: string, holding: Holding, token: string | undefined) => {
    if (token === undefined) return;
    learn(holding, await recorder.refresh(by, holding.authorized.clientId, token));
  };
  const latest = ({ refreshTokens }: Holding) => refreshTokens.at(-1);

  /** What is done, and how often of a hundred times. */
  const acts: ReadonlyArray<readonly [number, Act]> = [
    [
      46,
      async (by, holding) => {
        const token = chance.pick(holding.accessTokens.slice(-3));
        if (token !== undefined) learn(holding, await recorder.call(by, token));
      },
    ],
    [31, (by, holding) => refresh(by, holding, latest(holding))],
    [5, (by, holding) => Promise.all([1, 2, 3].map(() => refresh(by, holding, latest(holding))))],
    // The one before: honest within the grace if the one after it was never used.
    [2, (by, holding) => refresh(by, holding, holding.refreshTokens.at(-2))],
    [1, (by, holding) => refresh(by, holding, chance.pick(holding.refreshTokens))],
    [1, (by, holding) => recorder.redeem(by, holding.authorized)],
    [
      6,
      async () => {
        const token = chance.pick(over)?.accessTokens.at(-1);
        if (token !== undefined) await recorder.call('late', token);
      },
    ],
    [
      2,
      async () => {
        const one = chance.pick(over);
        const token = one?.refreshTokens.at(-1);
        if (one && token !== undefined) await recorder.refresh('late', one.authorized.clientId, token);
      },
    ],
    [
      3,
      async (_, holding) => {
        const other = chance.pick(holdings.filter((one) => one !== holding));
        const token = latest(holding);
        if (other && token) await recorder.refresh('thief', other.authorized.clientId, token, true);
      },
    ],
    [
      3,
      async (by, holding) => {
        const token = chance.pick([...holding.refreshTokens.slice(-2), ...holding.accessTokens.slice(-1)]);
        if (token === undefined) return;
        await recorder.revoke(by, holding.authorized.clientId, token);
        // What is over is tried at once, and goes on to be tried by the others.
        await Promise.all([1, 2, 3].map(() => recorder.call(by, holding.accessTokens.at(-1) ?? token)));
        await refresh(by, holding, latest(holding));
      },
    ],
  ];

  async function work(by: string): Promise<void> {
    while (!enough()) {
      const holding = chance.pick(holdings);
      if (!holding || holdings.length < inUse / 2 || chance.next() < 0.04) {
        await begin(by);
        continue;
      }
      await chance.weighed(acts)?.(by, holding);
    }
  }

  await Promise.all(Array.from({ length: workers }, (_, number) => work(`client ${number}`)));
  await beforeLast();
  for (const holding of holdings) {
    await recorder.call('last', holding.accessTokens.at(-1) ?? 'none');
    await refresh('last', holding, latest(holding));
  }
}
