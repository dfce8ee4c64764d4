/** What belongs to one grant in a history: its tokens in the order of their generations, who presented them, and its end. */
import { definitelyRefused, type Operation, type Promises, returned, succeeded } from './checker.ts';

export interface Lineage {
  /** Undefined where the history began after the sign-in and the code's redemption. */
  readonly code: string | undefined;
  /** Everything that was presented of this grant, in the order of invocation. */
  readonly operations: readonly number[];
  /** By code and refresh token: in right hands, in the order of invocation. */
  readonly presentations: ReadonlyMap<string, readonly number[]>;
  /** By token: the tokens that were answered for it, each with an operation that shows it. */
  readonly successors: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly predecessors: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Not before this was there a grant. */
  readonly bornAt: number;
  /** From when on the grant may be over by what the history shows: a revocation, a replay. */
  readonly mayBeOverFrom: number;
  /** The first acknowledged revocation. */
  readonly revoked: number | undefined;
  /** The first refusal that can only have been a replay, which ends the grant (RFC 9700 §4.14.2). */
  readonly replayed: number | undefined;
}

export interface LineageOf {
  readonly all: readonly Lineage[];
  get(credential: string): Lineage | undefined;
  /** When somebody first had it in their hands. */
  learntAt(credential: string): number | undefined;
  /** When its life may have begun at the earliest. */
  issuedAt(credential: string): number | undefined;
}

interface Draft {
  code: string | undefined;
  bornAt: number;
  readonly operations: number[];
  readonly presentations: Map<string, number[]>;
  readonly successors: Map<string, Map<string, number>>;
  readonly predecessors: Map<string, Map<string, number>>;
}

export function lineages(operations: readonly Operation[], promises: Promises): LineageOf {
  const drafts = new Map<string, Draft>();
  const learnt = new Map<string, number>();
  const issued = new Map<string, number>();
  const byReturn = operations.map((_, at) => at).sort((a, b) => time(returned(operations[a]), returned(operations[b])));
  const draftOf = (credential: string): Draft => {
    let draft = drafts.get(credential);
    if (!draft) {
      draft = {
        code: undefined,
        bornAt: -Infinity,
        operations: [],
        presentations: new Map(),
        successors: new Map(),
        predecessors: new Map(),
      };
      drafts.set(credential, draft);
    }
    return draft;
  };
  const learn = (
    credential: string | undefined,
    draft: Draft,
    { invokedAt, returnedAt = Infinity }: Operation,
  ): void => {
    if (credential === undefined) return;
    if (!drafts.has(credential)) drafts.set(credential, draft);
    learnt.set(credential, Math.min(learnt.get(credential) ?? Infinity, returnedAt));
    issued.set(credential, Math.min(issued.get(credential) ?? Infinity, invokedAt));
  };

  // Whoever presents a credential has had it in an answer: in the order of the answers every parent comes first.
  for (const at of byReturn) {
    const operation = operations[at] as Operation;
    const { kind, code, presented, accessToken, refreshToken, invokedAt } = operation;
    if (kind === 'sign-in' && code !== undefined) {
      const draft = draftOf(code);
      draft.code = code;
      draft.bornAt = invokedAt;
      learn(code, draft, operation);
    }
    if (presented === undefined) continue;
    const draft = draftOf(presented);
    if (kind === 'redeem') draft.code ??= presented;
    if (!succeeded(operation) || (kind !== 'redeem' && kind !== 'refresh')) continue;
    learn(accessToken, draft, operation);
    learn(refreshToken, draft, operation);
    if (refreshToken === undefined) continue;
    noteOnce(draft.successors, presented, refreshToken, at);
    noteOnce(draft.predecessors, refreshToken, presented, at);
  }

  const byInvocation = operations.map((_, at) => at);
  byInvocation.sort((a, b) => time(operations[a]?.invokedAt ?? 0, operations[b]?.invokedAt ?? 0));
  for (const at of byInvocation) {
    const { presented, wrongHands, unspent, kind } = operations[at] as Operation;
    if (presented === undefined) continue;
    const draft = draftOf(presented);
    draft.operations.push(at);
    if (wrongHands || unspent || (kind !== 'redeem' && kind !== 'refresh')) continue;
    const all = draft.presentations.get(presented);
    if (all) all.push(at);
    else draft.presentations.set(presented, [at]);
  }

  const finished = new Map(
    [...new Set(drafts.values())].map((draft) => [draft, finish(draft, operations, promises, issued)]),
  );
  return {
    all: [...finished.values()],
    get: (credential) => finished.get(drafts.get(credential) as Draft),
    learntAt: (credential) => learnt.get(credential),
    issuedAt: (credential) => issued.get(credential),
  };
}

function finish(
  draft: Draft,
  operations: readonly Operation[],
  promises: Promises,
  issued: ReadonlyMap<string, number>,
): Lineage {
  let mayBeOverFrom = Infinity;
  let revoked: number | undefined;
  let replayed: number | undefined;
  const first = (known: number | undefined, at: number): number =>
    known === undefined || returned(operations[at]) < returned(operations[known]) ? at : known;

  for (const at of draft.operations) {
    const operation = operations[at] as Operation;
    if ((operation.kind !== 'revoke' && operation.kind !== 'end') || operation.wrongHands) continue;
    const { presented = '', invokedAt, returnedAt = Infinity } = operation;
    // RFC 7009 §2.1: a code is no token; and an access token past its time, by the clock of whom it was given to, is none.
    if (presented === draft.code && operation.kind === 'revoke') continue;
    mayBeOverFrom = Math.min(mayBeOverFrom, invokedAt);
    const isRefreshToken = draft.predecessors.has(presented) || operation.kind === 'end';
    const expiresAt = (issued.get(presented) ?? -Infinity) + promises.accessTokenSeconds - promises.skewSeconds - 1;
    if (succeeded(operation) && (isRefreshToken || returnedAt < expiresAt)) revoked = first(revoked, at);
  }

  for (const [token, all] of draft.presentations) {
    const child = draft.successors.get(token)?.keys().next().value;
    const used = child === undefined ? [] : (draft.presentations.get(child) ?? []);
    const isCode = operations[all[0] ?? -1]?.kind === 'redeem';
    mayBeOverFrom = Math.min(mayBeOverFrom, earliestReplay(all, used, isCode, operations, promises));
    // A code has no grace; a refresh token has none once the one after it has been used.
    const spentBy = (isCode ? all : used).filter((at) => succeeded(operations[at]));
    const spentAt = Math.min(...spentBy.map((at) => returned(operations[at])));
    for (const at of all) {
      const operation = operations[at] as Operation;
      if (definitelyRefused(operation) && operation.invokedAt > spentAt) replayed = first(replayed, at);
    }
  }
  return { ...draft, mayBeOverFrom, revoked, replayed };
}

/** When at the earliest one of the presentations of a token can have been taken for a replay. */
function earliestReplay(
  all: readonly number[],
  usedNext: readonly number[],
  isCode: boolean,
  operations: readonly Operation[],
  { graceSeconds, graceReplays, skewSeconds }: Promises,
): number {
  const invoked = (at: number | undefined): number => operations[at ?? -1]?.invokedAt ?? Infinity;
  // One presentation is no replay of itself; the first one is before all others by the order of the list.
  if (isCode) return invoked(all[1]);
  const [start] = all;
  const nextUsedAt = invoked(usedNext[0]);
  const graceEnd = all.length > 1 ? invoked(start) + graceSeconds - skewSeconds - 1 : Infinity;
  let found = invoked(all[1 + graceReplays]);
  for (const at of all) {
    for (const moment of [nextUsedAt, graceEnd]) {
      if (returned(operations[at]) >= moment) found = Math.min(found, Math.max(invoked(at), moment));
    }
  }
  return found;
}

function noteOnce(map: Map<string, Map<string, number>>, key: string, value: string, at: number): void {
  const known = map.get(key);
  if (!known) map.set(key, new Map([[value, at]]));
  else if (!known.has(value)) known.set(value, at);
}

/** Two operations without an answer compare as equal, and not as NaN. */
function time(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
