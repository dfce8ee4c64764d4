/** Whether a target is there, asked for in turn: so that nobody waits for one that is known to be away. */

export type TargetState = 'ok' | 'away';

export interface HealthCheck {
  state(): TargetState;
  /** Looks now, or joins the look that is under way; resolves with the state after it. */
  look(): Promise<TargetState>;
  stop(): void;
}

export interface HealthCheckOptions {
  /** Rejects if the target is not well; bounded in time. */
  readonly probe: () => Promise<void>;
  readonly everySeconds: number;
  /** Told once each time; the cause is an error of the probe. */
  readonly onChange: (state: TargetState, cause?: unknown) => void;
}

/** A look that fails by chance must not turn everybody away; one that succeeds proves that the target is back. */
const badLooksInARow = 2;

/** Begins to look at once. Until it knows better, the target is there. */
export function healthCheck({ probe, everySeconds, onChange }: HealthCheckOptions): HealthCheck {
  let state: TargetState = 'ok';
  let bad = 0;
  let underway: Promise<TargetState> | undefined;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function settle(next: TargetState, cause?: unknown): void {
    if (stopped || next === state) return;
    state = next;
    onChange(state, cause);
  }

  async function lookOnce(): Promise<TargetState> {
    try {
      await probe();
      bad = 0;
      settle('ok');
    } catch (cause) {
      bad += 1;
      if (bad >= badLooksInARow) settle('away', cause);
    }
    return state;
  }

  const look = () => {
    underway ??= lookOnce().finally(() => {
      underway = undefined;
    });
    return underway;
  };

  /** The pause is counted from the end of a look: a slow target is not asked ahead. */
  const rounds = () => {
    void look().finally(() => {
      if (!stopped) timer = setTimeout(rounds, everySeconds * 1000).unref();
    });
  };
  rounds();
  return {
    state: () => state,
    look,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
