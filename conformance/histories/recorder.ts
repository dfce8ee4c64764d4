/** Owns a history while it is made: every operation with its times on one clock, and digests where there were secrets. */
import { createHash } from 'node:crypto';
import { type Authorized, authorize } from '../harness/client.ts';
import { type Answer, askCall, askRedeem, askRefresh, askRevoke } from '../instances/load.ts';
import type { Fault, History, Operation } from './checker.ts';

export interface Recorder {
  readonly history: History;
  /** An operation without a code is not one: undefined, and nothing is recorded. */
  signIn(client: string): Promise<Authorized | undefined>;
  redeem(by: string, authorized: Authorized, wrongHands?: boolean): Promise<Answer>;
  refresh(by: string, clientId: string, refreshToken: string, wrongHands?: boolean): Promise<Answer>;
  revoke(by: string, clientId: string, token: string): Promise<Answer>;
  call(by: string, accessToken: string): Promise<Answer>;
  /** While `work` goes on, the instances cannot rely on their database, nor for `marginSeconds` after it. */
  databaseAway<T>(instances: readonly string[], marginSeconds: number, work: () => Promise<T>): Promise<T>;
}

export interface RecorderOptions {
  readonly issuer: string;
  readonly resource: string;
  readonly signInOrigin: string;
}

export function startRecorder({ issuer, resource, signInOrigin }: RecorderOptions): Recorder {
  const operations: Operation[] = [];
  const faults: Fault[] = [];
  const now = () => performance.now() / 1000;

  async function record(
    request: Pick<Operation, 'kind' | 'client'> & { presented: string; wrongHands?: boolean },
    ask: () => Promise<Answer>,
  ): Promise<Answer> {
    const { kind, client, presented, wrongHands } = request;
    const invokedAt = now();
    const answer = await ask();
    const { status, instance, body } = answer;
    operations.push({
      kind,
      client,
      invokedAt,
      presented: digest(presented),
      ...(wrongHands && { wrongHands }),
      ...(instance !== undefined && { instance: String(instance) }),
      ...(status !== 'unknown' && { returnedAt: now(), status }),
      ...(body.error !== undefined && { error: body.error }),
      ...(body.access_token !== undefined && { accessToken: digest(body.access_token) }),
      ...(body.refresh_token !== undefined && { refreshToken: digest(body.refresh_token) }),
    });
    return answer;
  }

  return {
    history: { operations, faults },
    async signIn(client) {
      const invokedAt = now();
      const authorized = await authorize(issuer, resource, signInOrigin).catch(() => undefined);
      if (authorized)
        operations.push({
          kind: 'sign-in',
          client,
          invokedAt,
          returnedAt: now(),
          status: 200,
          code: digest(authorized.code),
        });
      return authorized;
    },
    redeem: (client, authorized, wrongHands = false) =>
      record({ kind: 'redeem', client, presented: authorized.code, wrongHands }, () => askRedeem(issuer, authorized)),
    refresh: (client, clientId, presented, wrongHands = false) =>
      record({ kind: 'refresh', client, presented, wrongHands }, () => askRefresh(issuer, clientId, presented)),
    revoke: (client, clientId, presented) =>
      record({ kind: 'revoke', client, presented }, () => askRevoke(issuer, clientId, presented)),
    call: (client, presented) => record({ kind: 'call', client, presented }, () => askCall(issuer, presented)),
    async databaseAway(instances, marginSeconds, work) {
      const from = now();
      // Open until it is over: what is checked is checked afterwards.
      const away = instances.map((instance) => ({ instance, from, until: Infinity }));
      faults.push(...away);
      try {
        return await work();
      } finally {
        for (const one of away) one.until = now() + marginSeconds;
      }
    },
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}
