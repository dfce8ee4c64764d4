/** The clients of a run: they do their list, come again when nobody answers, and write down what they saw. */
import type { Operation } from '../histories/checker.ts';
import type { Answer, Cluster, Front } from './cluster.ts';
import type { Action, Scenario } from './scenario.ts';
import type { World } from './world.ts';

export interface Clients {
  /** Redeems and rotates as often as the scenario says, before anything goes wrong. */
  prepare(): Promise<void>;
  begin(): void;
  /** At every instance: a call, and a refresh with the newest token. */
  look(): Promise<void>;
  readonly lostAnswers: number;
}

export interface ClientsOptions {
  readonly scenario: Scenario;
  readonly world: World;
  readonly cluster: Cluster;
  readonly operations: Operation[];
  readonly code: string;
}

type Kind = 'redeem' | 'refresh' | 'revoke' | 'call';

interface Request {
  readonly kind: Kind;
  readonly presented: string | undefined;
  readonly wrongHands?: boolean;
}

export function playClients({ scenario, world, cluster, operations, code }: ClientsOptions): Clients {
  /** In the order in which they came: who believes the last answer has the last of the list. */
  const refreshTokens: string[] = [];
  const accessTokens: string[] = [];
  let lostAnswers = 0;
  let calm = true;

  async function send(client: string, instance: number, request: Request): Promise<Answer | undefined> {
    const { kind, presented, wrongHands = false } = request;
    if (presented === undefined) return undefined;
    const at = operations.length;
    const begun: Operation = {
      kind,
      client,
      instance: cluster.names[instance] as string,
      presented: short(presented),
      invokedAt: world.moment(),
      ...(wrongHands && { wrongHands }),
    };
    operations.push(begun);
    world.note(() => `${client} sends ${kind}(${begun.presented}) to ${begun.instance}`);
    let answer = await cluster.ask(instance, (front) => asked(front, kind, presented, wrongHands));
    if (answer && !calm && world.chooser.fault(1) === 1) {
      lostAnswers++;
      answer = undefined;
    }
    world.note(
      () => `${client} is answered ${answer ? `${answer.status} ${short(answer.refreshToken) ?? ''}` : 'nothing'}`,
    );
    if (!answer) return undefined;
    const { status, error, unspent } = answer;
    const [accessToken, refreshToken] = [short(answer.accessToken), short(answer.refreshToken)];
    operations[at] = {
      ...begun,
      returnedAt: world.moment(),
      status,
      ...(unspent && { unspent }),
      ...(error !== undefined && { error }),
      ...(accessToken !== undefined && { accessToken }),
      ...(refreshToken !== undefined && { refreshToken }),
    };
    // A thief keeps what it gets for itself.
    if (answer.refreshToken && !wrongHands) refreshTokens.push(answer.refreshToken);
    if (answer.accessToken && !wrongHands) accessTokens.push(answer.accessToken);
    return answer;
  }

  function requestOf(action: Exclude<Action, number>): Request {
    const newest = refreshTokens.at(-1);
    switch (action) {
      case 'redeem':
      case 'redeem-wrongly':
        return { kind: 'redeem', presented: code, wrongHands: action !== 'redeem' };
      case 'refresh':
      case 'refresh-wrongly':
        return { kind: 'refresh', presented: newest, wrongHands: action !== 'refresh' };
      case 'old':
        return { kind: 'refresh', presented: older(newest) };
      case 'revoke':
        return { kind: 'revoke', presented: newest };
      case 'revoke-by-access-token':
        return { kind: 'revoke', presented: accessTokens.at(-1) };
      case 'call':
        return { kind: 'call', presented: accessTokens.at(-1) };
    }
  }

  function older(newest: string | undefined): string | undefined {
    const others = [...new Set(refreshTokens)].filter((token) => token !== newest);
    return others.length === 0 ? undefined : others[world.chooser.choose(others.length)];
  }

  async function play(client: string, home: number, actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      if (typeof action === 'number') {
        await new Promise<void>((resolve) => void world.later(action, `${client} has waited`, resolve));
        continue;
      }
      const request = requestOf(action);
      for (let tries = 0; tries <= scenario.retries; tries++) {
        const instance = scenario.anyInstance ? world.chooser.choose(cluster.names.length) : home;
        const answer = await send(client, instance, request);
        if (answer && answer.status !== 503) break;
      }
    }
  }

  return {
    async prepare() {
      if (scenario.generation === 0) return;
      await send('client 0', 0, { kind: 'redeem', presented: code });
      for (let n = 1; n < scenario.generation; n++) {
        await send('client 0', 0, { kind: 'refresh', presented: refreshTokens.at(-1) });
      }
    },
    begin() {
      calm = false;
      scenario.clients.forEach((actions, at) => {
        const client = `client ${at + 1}`;
        const start = () => void play(client, at % cluster.names.length, actions);
        if (scenario.staggered) world.soon(`${client} begins`, start);
        else start();
      });
    },
    async look() {
      calm = true;
      for (let instance = 0; instance < cluster.names.length; instance++) {
        await send('observer', instance, { kind: 'call', presented: accessTokens.at(-1) });
      }
      await send('observer', 0, { kind: 'refresh', presented: refreshTokens.at(-1) });
      await send('observer', cluster.names.length - 1, { kind: 'refresh', presented: refreshTokens.at(-1) });
      if (refreshTokens.length === 0) await send('observer', 0, { kind: 'redeem', presented: code });
    },
    get lostAnswers() {
      return lostAnswers;
    },
  };
}

function asked(front: Front, kind: Kind, presented: string, wrongHands: boolean): Promise<Answer> {
  switch (kind) {
    case 'redeem':
      return front.redeem(presented, wrongHands);
    case 'refresh':
      return front.refresh(presented, wrongHands);
    case 'revoke':
      return front.revoke(presented);
    case 'call':
      return front.call(presented);
  }
}

/** What a history calls a credential: nothing here is secret, and what is the same in every run is left out. */
export function short(credential: string): string;
export function short(credential: string | undefined): string | undefined;
export function short(credential: string | undefined): string | undefined {
  if (credential === undefined) return undefined;
  const [first = '', , generation = ''] = credential.split('.', 3);
  if (first === 'access') return `a${credential.slice(credential.lastIndexOf('.') + 1)}`;
  return `${first.charAt(2)}${generation}`;
}
