/**
 * The history checker: what many clients did at many instances, and whether one grant could have answered so
 * (docs/requirements.md, SEC-02, SEC-16, REL-02; RFC 6749 §4.1.2, RFC 9700 §4.14.2, RFC 7009 §2.1). Pure, O(n log n).
 *
 * It judges by real time: of two operations one is before the other only if it had returned when the other was invoked.
 * One that was never answered may have happened at any time from its invocation on, or never.
 */
import { type Lineage, type LineageOf, lineages } from './checker-lineage.ts';

/** What somebody did. Times are seconds on one clock for the whole history, fractions and all. */
export interface Operation {
  /** `end`: somebody ended the grant who needs no credential: the person, an operator, the identity provider. */
  readonly kind: 'sign-in' | 'redeem' | 'refresh' | 'revoke' | 'call' | 'end';
  readonly client: string;
  readonly instance?: string;
  readonly invokedAt: number;
  /** Left out: no answer came. */
  readonly returnedAt?: number;
  /** A digest; any credential of the grant for `end`, none for `sign-in`. */
  readonly presented?: string;
  /** Another client, another verifier: refused, and nothing may come of it. */
  readonly wrongHands?: true;
  /** It failed before anything was written, and whoever recorded it knows: it must count for nothing (a signer that is away). */
  readonly unspent?: true;
  readonly status?: number;
  /** The code of RFC 6749 §5.2. */
  readonly error?: string;
  /** Digests of what came back. */
  readonly code?: string;
  readonly accessToken?: string;
  readonly refreshToken?: string;
}

/** While it lasted an instance could not rely on its database, and may have gone by what it knew. */
export interface Fault {
  readonly instance: string;
  readonly from: number;
  readonly until: number;
}

export interface History {
  readonly operations: readonly Operation[];
  readonly faults?: readonly Fault[];
}

/** What is promised, in seconds. */
export interface Promises {
  readonly graceSeconds: number;
  readonly graceReplays: number;
  readonly codeSeconds: number;
  readonly accessTokenSeconds: number;
  readonly refreshIdleSeconds: number;
  readonly grantSeconds: number;
  /** For how long after a revocation an instance may still let an access token in. */
  readonly revocationSeconds: number;
  /** And for how long while its database is away. */
  readonly outageSeconds: number;
  /** The most that two instances' clocks differ. */
  readonly skewSeconds: number;
}

export const documentedPromises: Promises = {
  graceSeconds: 60,
  graceReplays: 10,
  codeSeconds: 60,
  accessTokenSeconds: 15 * 60,
  refreshIdleSeconds: 30 * 24 * 3600,
  grantSeconds: 365 * 24 * 3600,
  revocationSeconds: 5,
  outageSeconds: 60,
  skewSeconds: 0,
};

export type Rule =
  | 'code-redeemed-twice'
  | 'two-successors'
  | 'two-predecessors'
  | 'stale-token-accepted'
  | 'grace-exceeded'
  | 'usable-after-revocation'
  | 'usable-after-replay'
  | 'acknowledged-token-unknown'
  | 'fault-shown-as-refusal'
  | 'wrong-hands-served';

export interface Violation {
  readonly rule: Rule;
  readonly words: string;
  /** Where the operations stand in the history. */
  readonly operations: readonly number[];
}

/** Empty: a history of a correct authorization server. */
export function check(history: History, promises: Promises = documentedPromises): readonly Violation[] {
  const { operations } = history;
  const violations: Violation[] = [];
  const report = (rule: Rule, words: string, ...at: readonly number[]): void => {
    violations.push({
      rule,
      words: `${words}: ${at.map((one) => describe(operations, one)).join(', ')}`,
      operations: at,
    });
  };
  const lineageOf = lineages(operations, promises);
  for (const lineage of lineageOf.all) {
    checkCode(lineage, operations, report);
    checkChain(lineage, operations, promises, report);
    checkEnd(lineage, history, promises, report);
  }
  checkAnswers(lineageOf, operations, promises, report);
  return violations;
}

type Report = (rule: Rule, words: string, ...at: readonly number[]) => void;

/** RFC 6749 §4.1.2: a code is used once. */
function checkCode({ code, presentations }: Lineage, operations: readonly Operation[], report: Report): void {
  const won = (presentations.get(code ?? '') ?? []).filter(
    (at) => operations[at]?.kind === 'redeem' && succeeded(operations[at]),
  );
  if (won.length > 1) report('code-redeemed-twice', 'one code was redeemed more than once', ...won);
}

/** Each token has one successor, the same for every replay within the grace, and none once that has been used. */
function checkChain(lineage: Lineage, operations: readonly Operation[], promises: Promises, report: Report): void {
  const { presentations, successors, predecessors } = lineage;
  for (const [, found] of predecessors) {
    if (found.size > 1) report('two-predecessors', 'one token succeeds two others', ...found.values());
  }
  for (const [token, all] of presentations) {
    const found = successors.get(token);
    if (found && found.size > 1)
      report('two-successors', 'one token was followed by two different ones', ...found.values());
    const won = all.filter((at) => operations[at]?.kind === 'refresh' && succeeded(operations[at]));
    if (won.length === 0) continue;
    if (won.length > 1 + promises.graceReplays) {
      report('grace-exceeded', `one token was answered ${won.length} times`, ...won);
    }
    const first = earliest(won, operations);
    const child = found?.keys().next().value;
    const usedNext = (child === undefined ? [] : (presentations.get(child) ?? [])).filter((at) =>
      succeeded(operations[at]),
    );
    const next = earliest(usedNext, operations);
    for (const at of won) {
      const { invokedAt } = operations[at] as Operation;
      // The older of two clocks may have advanced it, the younger one judged it; whole seconds add one.
      const graceEnd = returned(operations[first ?? at]) + promises.graceSeconds + promises.skewSeconds + 1;
      if (first !== undefined && invokedAt > graceEnd) {
        report('grace-exceeded', 'a token was answered again after its grace', first, at);
      }
      if (next !== undefined && invokedAt > returned(operations[next])) {
        report('stale-token-accepted', 'a token was answered after its successor had been used', next, at);
      }
    }
  }
}

/** After an acknowledged end nothing is usable: tokens of the grant at once, access tokens within the documented time. */
function checkEnd(lineage: Lineage, history: History, promises: Promises, report: Report): void {
  const { operations, faults = [] } = history;
  for (const { end, rule } of [
    { end: lineage.revoked, rule: 'usable-after-revocation' },
    { end: lineage.replayed, rule: 'usable-after-replay' },
  ] as const) {
    if (end === undefined) continue;
    const over = returned(operations[end]);
    for (const at of lineage.operations) {
      const operation = operations[at] as Operation;
      if (!succeeded(operation) || operation.invokedAt <= over) continue;
      if (operation.kind === 'redeem' || operation.kind === 'refresh') {
        report(rule, 'a grant that was over was served', end, at);
      } else if (operation.kind === 'call') {
        const late = operation.invokedAt - over;
        const excused = late <= promises.outageSeconds && faults.some((fault) => during(fault, operation));
        if (late > promises.revocationSeconds && !excused) {
          report(rule, `an access token was let in ${late.toFixed(3)} s after its grant was over`, end, at);
        }
      }
    }
  }
}

/** What was refused, and whether the history knows why; what failed, and whether it said so in the right words. */
function checkAnswers(of: LineageOf, operations: readonly Operation[], promises: Promises, report: Report): void {
  operations.forEach((operation, at) => {
    const { status, presented, kind } = operation;
    // REL-02: a fault is a 503; nobody may throw tokens away on it.
    if (status !== undefined && status >= 500 && status !== 503) {
      report('fault-shown-as-refusal', 'a fault was answered with something else than 503', at);
    }
    if (operation.wrongHands) {
      if (succeeded(operation)) report('wrong-hands-served', 'somebody else was served', at);
      return;
    }
    if (presented === undefined || !definitelyRefused(operation)) return;
    const lineage = of.get(presented);
    const known = of.learntAt(presented);
    if (!lineage || known === undefined || known > operation.invokedAt) return;
    const time = returned(operation);
    const age = time - (of.issuedAt(presented) ?? time) + promises.skewSeconds + 1;
    const lifetime = lifetimeOf(kind, promises);
    const grantAge = time - lineage.bornAt + promises.skewSeconds + 1;
    if (age >= lifetime || grantAge >= promises.grantSeconds || time >= lineage.mayBeOverFrom) return;
    report('acknowledged-token-unknown', `a good ${kind === 'redeem' ? 'code' : 'token'} was refused`, at);
  });
}

function lifetimeOf(kind: Operation['kind'], promises: Promises): number {
  if (kind === 'redeem') return promises.codeSeconds;
  return kind === 'call' ? promises.accessTokenSeconds : promises.refreshIdleSeconds;
}

export function succeeded(operation: Operation | undefined): boolean {
  return operation?.status === 200;
}

/** Whether the answer says that the credential is worth nothing. */
export function definitelyRefused({ kind, status, error }: Operation): boolean {
  if (kind === 'call') return status === 401;
  return (kind === 'redeem' || kind === 'refresh') && error === 'invalid_grant';
}

/** Never, for an operation without an answer. */
export function returned(operation: Operation | undefined): number {
  return operation?.returnedAt ?? Infinity;
}

function earliest(all: readonly number[], operations: readonly Operation[]): number | undefined {
  let best: number | undefined;
  for (const at of all) {
    if (best === undefined || returned(operations[at]) < returned(operations[best])) best = at;
  }
  return best;
}

function during({ instance, from, until }: Fault, operation: Operation): boolean {
  return instance === operation.instance && from <= returned(operation) && until >= operation.invokedAt;
}

function describe(operations: readonly Operation[], at: number): string {
  const { kind, client, instance, presented, status, error, invokedAt, returnedAt, refreshToken } = operations[
    at
  ] as Operation;
  const place = `${client}${instance === undefined ? '' : ` at ${instance}`}`;
  const answer = returnedAt === undefined ? 'no answer' : [status, error, refreshToken].filter(Boolean).join(' ');
  const times = `${invokedAt.toFixed(6)}..${returnedAt?.toFixed(6) ?? ''}`;
  return `#${at} ${kind}(${presented ?? ''}) by ${place}, ${times}: ${answer}`;
}
