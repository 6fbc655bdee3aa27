import { setMaxListeners } from 'node:events';

/** Until when a review may read, and how that ends early. */
export interface ReviewDeadline {
  /** Aborted when the time is over, or nobody waits any more; its reason is an Error for people. */
  readonly signal: AbortSignal;
  /** Nobody waits for the answer any more. */
  abandon(): void;
  /** The review has ended. */
  clear(): void;
}

/**
 * For all reads of a review together. The API server waits for 5 s as we are installed, and what it
 * then says has neither reason nor fix.
 */
const LONGEST_MS = 3_500;
/** What of the API server's patience we take, so that our answer still arrives in time. */
const SHARE = 0.7;

/**
 * Starts the clock.
 *
 * @param patience the `timeout` parameter of the request, as the API server sends it: `5s`
 */
export function startDeadline(patience: unknown): ReviewDeadline {
  const controller = new AbortController();
  // Every read of the review listens.
  setMaxListeners(0, controller.signal);
  const milliseconds = deadlineFor(patience);
  const timer = setTimeout(() => {
    controller.abort(new Error(`no answer within ${milliseconds / 1000} s`));
  }, milliseconds);
  return {
    signal: controller.signal,
    abandon: () => controller.abort(new Error('the caller has gone')),
    clear: () => clearTimeout(timer),
  };
}

/** How long all reads of a review may take together, in milliseconds. */
export function deadlineFor(patience: unknown): number {
  const seconds = typeof patience === 'string' ? /^(\d{1,4})s$/.exec(patience)?.[1] : undefined;
  if (seconds === undefined || Number(seconds) === 0) return LONGEST_MS;
  return Math.min(LONGEST_MS, Number(seconds) * 1000 * SHARE);
}
