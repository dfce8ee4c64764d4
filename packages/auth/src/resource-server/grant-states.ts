/** Whether a token's grant is still alive, remembered for seconds: revocation is seen soon, and no request pays a read (SEC-16). */

/** True: alive. Throws when it cannot be known. */
export type GrantAlive = (grantId: string) => Promise<boolean>;

export interface GrantStatesOptions {
  /** The truth: one strong read. */
  readonly read: GrantAlive;
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

export function grantStates({ read, now, freshSeconds, staleSeconds, size }: GrantStatesOptions): GrantAlive {
  const states = new Map<string, State>();
  const reading = new Map<string, Promise<boolean>>();

  const refresh = (grantId: string): Promise<boolean> => {
    const under = reading.get(grantId);
    if (under) return under;
    const started = now(); // the answer is as old as the question
    const flight = read(grantId)
      .then((alive) => {
        states.delete(grantId);
        if (states.size >= size) states.delete(states.keys().next().value as string);
        states.set(grantId, { alive, readAt: started });
        return alive;
      })
      .finally(() => reading.delete(grantId));
    reading.set(grantId, flight);
    return flight;
  };

  return async (grantId) => {
    const known = states.get(grantId);
    // An end is final: it needs no second look.
    if (known && (!known.alive || now() - known.readAt < freshSeconds)) return known.alive;
    try {
      return await refresh(grantId);
    } catch (error) {
      if (known && now() - known.readAt < staleSeconds) return known.alive;
      throw error;
    }
  };
}
