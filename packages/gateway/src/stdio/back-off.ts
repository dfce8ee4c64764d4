/** How long a command that keeps failing is left alone before it is started again: doubled each time, with jitter, and bounded. */

export interface BackOff {
  /** Seconds until it may be started; 0: now. */
  wait(): number;
  failed(): void;
  /** A process that has run this long was no failed start, however it ended. */
  succeeded(): void;
  /** Nothing to remember. */
  readonly clear: boolean;
}

/** The first failure is forgiven at once: a server may crash over one message. */
const [firstSeconds, mostSeconds] = [1, 60];
/** Seconds without a failure after which all is forgotten. */
const forgetSeconds = 600;

export function backOff(now: () => number, random: () => number = Math.random): BackOff {
  let failures = 0;
  let notBefore = 0;
  let lastAt = 0;
  const forget = () => {
    if (failures > 0 && now() - lastAt > forgetSeconds) failures = 0;
  };
  return {
    wait() {
      forget();
      return failures === 0 ? 0 : Math.max(0, notBefore - now());
    },
    failed() {
      forget();
      failures += 1;
      lastAt = now();
      const seconds = failures === 1 ? 0 : Math.min(mostSeconds, firstSeconds * 2 ** (failures - 2));
      // Between half and all of it, so that many users' processes do not start as one.
      notBefore = now() + seconds * (0.5 + random() / 2);
    },
    succeeded() {
      failures = 0;
    },
    get clear() {
      forget();
      return failures === 0;
    },
  };
}
