/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a request that makes something, sent again because its
 * answer was lost, gets the answer of the first. Kept for a day with its owner and the digest of what was asked.
 */
import { createHash } from 'node:crypto';
import { type DescribedKinds, type Kinds, type Records, update } from '@mcp-gatehouse/records';
import { Problem } from './problem.ts';
import type { Answer } from './route.ts';

export interface IdempotencyRecord {
  readonly owner: string;
  /** SHA-256 of method, path and body. */
  readonly request: string;
  /** Absent: the request is running, or its process died. */
  readonly status?: number;
  /** JSON: `{ headers, json }` of the answer. */
  readonly answer?: string;
  readonly createdAt: number;
}

// A type alias, not an interface: only an alias is assignable to a map of records.
export type ApiRecords = { idempotency: IdempotencyRecord };

export const apiKinds: Kinds<ApiRecords> = { idempotency: { groupOf: ({ owner }) => owner } };

export const describedApiRecords: DescribedKinds<ApiRecords> = {
  idempotency: {
    id: 'SHA-256 of owner and key',
    life: 'a day; two minutes while the request runs',
    fields: {
      owner: ['text', 'derived', 'the user it belongs to, as the gateway names them'],
      request: ['text', 'hashed', 'what was asked with the key'],
      'status?': ['number', 'plain', 'the HTTP status that was answered; absent while the request runs'],
      'answer?': ['text', 'plain', 'the answer: what the API says of the deck or the job it made'],
      createdAt: ['number', 'plain', 'when the key was first sent'],
    },
  },
};

export const keptSeconds = 86_400;
/** A request that makes something takes milliseconds; after this its process is believed dead, and the key is free. */
export const runningSeconds = 120;

export interface KeyedRequest {
  readonly owner: string;
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
}

export interface Idempotency {
  /**
   * Runs it once for each key; refusals are not kept, so that the key can be used for the corrected request. `again`
   * answers a repetition where the answer is too large to keep. Throws `Problem`.
   */
  run(request: KeyedRequest, run: () => Promise<Answer>, again?: () => Promise<Answer>): Promise<Answer>;
}

export function createIdempotency(records: Records<ApiRecords>, now: () => number): Idempotency {
  const running = new Map<string, { readonly request: string; readonly answer: Promise<Answer> }>();

  async function first(id: string, claim: IdempotencyRecord, run: () => Promise<Answer>, keep: boolean) {
    let answer: Answer;
    try {
      answer = await run();
    } catch (error) {
      await records.take('idempotency', id);
      throw error;
    }
    const kept = JSON.stringify({ headers: answer.headers ?? {}, json: answer.json });
    const value = { ...claim, status: answer.status, ...(keep && { answer: kept }) };
    await update(records, 'idempotency', id, () => ({
      write: { value, expiresAt: claim.createdAt + keptSeconds },
      result: undefined,
    }));
    return answer;
  }

  return {
    async run({ owner, key, method, path, body }, run, again) {
      checkKey(key);
      const id = digest(JSON.stringify([owner, key]));
      const request = digest(`${method} ${path}\n`, body);
      const here = running.get(id);
      if (here) {
        if (here.request !== request) throw reused();
        return replayed(await here.answer);
      }
      const work = (async () => {
        const claim: IdempotencyRecord = { owner, request, createdAt: Math.floor(now()) };
        if (await records.create('idempotency', id, claim, claim.createdAt + runningSeconds)) {
          return first(id, claim, run, again === undefined);
        }
        const known = (await records.get('idempotency', id))?.value;
        if (known && known.request !== request) throw reused();
        if (known?.status === undefined) throw inUse();
        if (known.answer !== undefined) return replayed({ status: known.status, ...JSON.parse(known.answer) });
        return replayed(again ? await again() : { status: known.status });
      })();
      running.set(id, { request, answer: work });
      try {
        return await work;
      } finally {
        running.delete(id);
      }
    },
  };
}

function checkKey(key: string): void {
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return;
  throw new Problem('invalid-request', 'The header Idempotency-Key must have 1 to 200 visible ASCII characters.');
}

function replayed(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'mcp-idempotent-replayed': 'true' } };
}

function reused(): Problem {
  return new Problem(
    'idempotency-key-reused',
    'This Idempotency-Key was sent with another request. Use a new one for each request that is not a repetition.',
  );
}

function inUse(): Problem {
  return new Problem(
    'idempotency-key-in-use',
    'The first request with this key is still running. Send it again soon.',
    {
      retrySeconds: 1,
    },
  );
}

function digest(...parts: ReadonlyArray<string | Uint8Array>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
