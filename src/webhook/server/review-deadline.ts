import { setMaxListeners } from 'node:events';

/**
 * For all reads of a review together. The API server waits for 5 s as the webhook is installed, and what it
 * then says has neither reason nor fix.
 */
const LONGEST_MS = 3_500;
/** What of the API server's time the reads take, so that the answer still arrives. */
const SHARE = 0.7;

/** Until when a review may read, and how that ends early. */
export type ReviewDeadline = ReturnType<typeof startDeadline>;

/** @param timeout of the request, as the API server sends it: `5s` */
export function startDeadline(timeout: unknown) {
  const controller = new AbortController();
  // Every read of the review listens.
  setMaxListeners(0, controller.signal);
  const milliseconds = deadlineFor(timeout);
  const timer = setTimeout(() => {
    controller.abort(new Error(`no answer within ${milliseconds / 1000} s`));
  }, milliseconds);
  return {
    /** Aborted when the time is over, or nobody waits any more; its reason is an Error for people. */
    signal: controller.signal,
    /** Nobody waits for the answer any more. */
    abandon: () => controller.abort(new Error('the caller has gone')),
    /** The review has ended. */
    clear: () => clearTimeout(timer),
  };
}

/** How long all reads of a review may take together, in milliseconds. */
export function deadlineFor(timeout: unknown): number {
  const seconds = typeof timeout === 'string' ? /^(\d{1,4})s$/.exec(timeout)?.[1] : undefined;
  if (seconds === undefined || Number(seconds) === 0) return LONGEST_MS;
  return Math.min(LONGEST_MS, Number(seconds) * 1000 * SHARE);
}
