import { setImmediate } from 'node:timers/promises';
import type { Driver } from '../tuf/work.ts';

/** For how many milliseconds work may go on before timers and connections have their turn. */
const TURN_MS = 15;

/** Long work beside a deadline. */
export interface Steps {
  /**
   * Lets timers and connections have their turn, where the last one was a while ago.
   *
   * @throws the reason of the signal
   */
  readonly pause: () => Promise<void>;
  /** Does work with pauses between its steps; throws what the work throws, or as `pause`. */
  readonly drive: Driver;
}

/** @param signal ends all work between two steps */
export function createSteps(signal: AbortSignal): Steps {
  let began = performance.now();
  const pause = async () => {
    if (performance.now() - began < TURN_MS) return;
    // Timers that are due run between two of these, and not always before the first.
    await setImmediate();
    await setImmediate();
    signal.throwIfAborted();
    began = performance.now();
  };
  return {
    pause,
    drive: async (work) => {
      for (;;) {
        const step = work.next();
        if (step.done === true) return step.value;
        await pause();
      }
    },
  };
}
