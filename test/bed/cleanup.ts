/**
 * What must be undone when this process ends, by whatever way it ends: programs stopped, directories
 * removed. SIGKILL alone runs nothing of ours; child.ts covers that case in the kernel.
 */

/**
 * Signals that end a process politely, and the exit code by which shells know each of them. SIGALRM
 * is how tap ends a test that takes too long.
 */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGALRM: 142, SIGTERM: 143 } as const;

const cleanups = new Set<() => void>();
const handlers = Object.entries(EXIT_CODES).map(([signal, code]) => ({
  signal,
  handle: (): void => {
    // The exit hook cleans; the code is set here, since a handler takes the default ending away.
    process.exit(code);
  },
}));

/**
 * Runs a cleanup when this process exits: at its end, on an uncaught exception, on SIGHUP, SIGINT,
 * SIGALRM and SIGTERM (after which the process ends with 129, 130, 142 and 143). The last registered runs first.
 * Signal handlers are there only as long as there is something to clean.
 *
 * @param cleanup synchronous, since nothing asynchronous runs in an exiting process; errors in it
 *   are dropped, so that each of the others gets its turn
 * @returns withdraws the cleanup; harmless when called again
 */
export function atExit(cleanup: () => void): () => void {
  if (cleanups.size === 0) {
    process.on('exit', cleanAll);
    for (const { signal, handle } of handlers) process.on(signal, handle);
  }
  cleanups.add(cleanup);
  return () => {
    if (!cleanups.delete(cleanup) || cleanups.size > 0) return;
    process.off('exit', cleanAll);
    for (const { signal, handle } of handlers) process.off(signal, handle);
  };
}

function cleanAll(): void {
  for (const cleanup of [...cleanups].reverse()) {
    try {
      cleanup();
    } catch {
      // Nobody is left to tell, and the others must run.
    }
  }
}
