import { asSigningError, type SigningError } from '../../shared/signing-error.ts';

/**
 * Waits. False, at once, where the wait would not end before the deadline: nothing could be tried
 * after it. Throws when the run is stopped meanwhile.
 */
export type Pause = (milliseconds: number) => Promise<boolean>;

/** Waits between tries, longer each time. */
export interface Retries {
  /**
   * Waits; false, at once, when it was asked too often, or no time is left for another try.
   *
   * @param leastMs milliseconds that the server asks for; the wait of the client comes on top, so
   * that clients that were sent away together do not come back together
   */
  wait(leastMs?: number): Promise<boolean>;
}

export interface RetryLimits {
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  readonly waits: number;
  /** What share of a wait chance may take away: 1 where those who wait must not meet again. */
  readonly jitter: number;
}

/** For a server that restarts, or a connection that broke: about five seconds in all. */
const OUTAGE: RetryLimits = { firstWaitMs: 400, longestWaitMs: 4000, waits: 4, jitter: 0.5 };

export function createRetries(pause: Pause, limits: RetryLimits = OUTAGE): Retries {
  let waits = 0;
  return {
    async wait(leastMs = 0) {
      if (waits >= limits.waits) return false;
      const longest = Math.min(limits.firstWaitMs * 2 ** waits++, limits.longestWaitMs);
      return pause(leastMs + longest * (1 - limits.jitter * Math.random()));
    },
  };
}

/**
 * Does something, and again while it fails for a reason that may pass, and time is left.
 *
 * @param tell gets each failure that is not the last
 * @throws the last failure
 */
export async function retry<T>(
  work: () => Promise<T>,
  retries: Retries,
  tell: (failure: SigningError) => void,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const failure = asSigningError(error);
      if (!failure.isTransient || !(await retries.wait(failure.retryAfterMs))) throw failure;
      tell(failure);
    }
  }
}
