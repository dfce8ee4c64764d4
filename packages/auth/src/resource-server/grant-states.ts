/** Whether a token's grant is still alive, remembered for seconds: revocation is seen soon, and no request pays a read (SEC-16). */

/** True: alive. Throws when it cannot be known. */
export type GrantAlive = (grantId: string) => Promise<boolean>;

/** What was learnt, kept in memory: one for all guards of a process, so that the end of a grant is told once. */
export interface GrantStates extends GrantAlive {
  /** Ended here and stored as such: refused from now on, without waiting for the next read. */
  ended(grantId: string): void;
}

export interface GrantStatesOptions {
  /** The truth: one strong read. What remembers already is given back as it is, and not remembered twice. */
  readonly read: GrantAlive | GrantStates;
  readonly now: () => number;
  /** How long an answer counts: the longest a revocation stays unseen by an instance. */
  readonly freshSeconds: number;
  /** How long the last answer counts while the database is away. */
  readonly staleSeconds: number;
  readonly size: number;
}

interface State {
  readonly alive: boolean;
  readonly readAt: number;
}

export function grantStates({ read, now, freshSeconds, staleSeconds, size }: GrantStatesOptions): GrantStates {
  if ('ended' in read) return read;
  const states = new Map<string, State>();
  const reading = new Map<string, Promise<boolean>>();

  const remember = (grantId: string, state: State): void => {
    states.delete(grantId);
    if (states.size >= size) states.delete(states.keys().next().value as string);
    states.set(grantId, state);
  };

  /** What was learnt while the clock was ahead is of no known age: it counts for nothing (SEC-16). */
  const countsFor = (seconds: number, { readAt }: State): boolean => {
    const age = now() - readAt;
    return age >= 0 && age < seconds;
  };

  const refresh = (grantId: string): Promise<boolean> => {
    const under = reading.get(grantId);
    if (under) return under;
    const started = now(); // the answer is as old as the question
    const flight: Promise<boolean> = read(grantId)
      .then((answer) => {
        // A read that was under way when the grant ended brings it to life no more.
        const alive = answer && states.get(grantId)?.alive !== false;
        remember(grantId, { alive, readAt: started });
        return alive;
      })
      .finally(() => reading.delete(grantId));
    reading.set(grantId, flight);
    return flight;
  };

  const alive: GrantAlive = async (grantId) => {
    const known = states.get(grantId);
    // An end is final: it needs no second look.
    if (known && (!known.alive || countsFor(freshSeconds, known))) return known.alive;
    try {
      return await refresh(grantId);
    } catch (error) {
      // Read again: it may have ended in the meantime.
      const last = states.get(grantId);
      if (last && (!last.alive || countsFor(staleSeconds, last))) return last.alive;
      throw error;
    }
  };

  return Object.assign(alive, {
    ended: (grantId: string) => remember(grantId, { alive: false, readAt: now() }),
  });
}
