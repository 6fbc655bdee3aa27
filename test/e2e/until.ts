import { setTimeout as pause } from 'node:timers/promises';

const POLL_INTERVAL = 100;

/**
 * Asks until there is an answer other than false or undefined, and returns it.
 *
 * @param what for the error
 * @param limit milliseconds; 60,000 by default
 * @throws Error when there is none in time
 */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | false | undefined>,
  limit = 60_000,
): Promise<Answer> {
  const overtime = AbortSignal.timeout(limit);
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (overtime.aborted) throw new Error(`${what}: not so after ${limit / 1000} s`);
    await pause(POLL_INTERVAL);
  }
}
