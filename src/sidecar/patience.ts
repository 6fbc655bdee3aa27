import { asSigningError, type SigningError } from '../shared/signing-error.ts';

/** Waits; throws when the deadline passes meanwhile. */
export type Pause = (milliseconds: number) => Promise<void>;

/** Waits between tries, longer each time. */
export interface Patience {
  /** Waits; false, at once, when it was asked too often. */
  wait(): Promise<boolean>;
}

/** How often, and how long, something is tried again. */
export interface PatienceLimits {
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  readonly waits: number;
  /** What share of a wait chance may take away: 1 where those who wait must not meet again. */
  readonly jitter: number;
}

/** For a server that restarts, or a connection that broke: about five seconds in all. */
const OUTAGE: PatienceLimits = { firstWaitMs: 400, longestWaitMs: 4000, waits: 4, jitter: 0.5 };

/** Makes a new patience, which ends after so many waits. */
export function createPatience(pause: Pause, limits: PatienceLimits = OUTAGE): Patience {
  let waits = 0;
  return {
    async wait() {
      if (waits >= limits.waits) return false;
      const longest = Math.min(limits.firstWaitMs * 2 ** waits++, limits.longestWaitMs);
      await pause(longest * (1 - limits.jitter * Math.random()));
      return true;
    },
  };
}

/**
 * Does something, and again while it fails for a reason that may pass.
 *
 * @param tell hears of each failure that is not the last
 * @throws the last failure
 */
export async function persist<T>(
  work: () => Promise<T>,
  patience: Patience,
  tell: (failure: SigningError) => void,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const failure = asSigningError(error);
      if (!failure.isTransient || !(await patience.wait())) throw failure;
      tell(failure);
    }
  }
}
