/** How the program ends: without losing a request when it is told to, and with a word when it breaks. */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Readiness } from './readiness.ts';

/** What is to be ended, and how slowly. */
export interface Shutdown {
  readonly app: FastifyInstance;
  readonly readiness: Readiness;
  readonly log: FastifyBaseLogger;
  /** Seconds of serving on while not ready. */
  readonly shutdownDelay: number;
}

/** Longer than any review takes, in milliseconds. */
const FINISH_LIMIT = 5_000;
const EXIT_FAILURE = 1;

/**
 * SIGTERM, or SIGINT, ends the program with 0 when everything that was accepted is answered; a second
 * one at once, with 1. What else is served, metrics for example, is so until the end.
 */
export function endOnSignal(shutdown: Shutdown): void {
  const { log, shutdownDelay } = shutdown;
  let isEnding = false;
  const end = (signal: NodeJS.Signals) => {
    if (isEnding) {
      log.warn({ signal }, 'ending at once');
      process.exit(EXIT_FAILURE);
    }
    isEnding = true;
    log.info({ signal, shutdownDelay }, 'not ready any more: serving on for the shutdown delay');
    void drain(shutdown).then(() => {
      log.info('ended');
      process.exit();
    });
  };
  // Both are handled here: on process 1, as in a container, signals have no effect of their own.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
}

/** Resolves when no connection is left. */
async function drain({ app, readiness, log, shutdownDelay }: Shutdown): Promise<void> {
  readiness.drain();
  await pause(shutdownDelay * 1000);
  // What has arrived already is read before idle connections are closed: it makes them busy.
  await nextTurn();
  log.info('listening no more');
  const overtime = setTimeout(() => {
    log.warn('connections that had no answer by now are cut');
    app.server.closeAllConnections();
  }, FINISH_LIMIT);
  await app.close();
  clearTimeout(overtime);
}

/** What nobody expected ends the program with 1, for whoever started it to start it anew. */
export function endOnMistake(log: FastifyBaseLogger): void {
  process.on('uncaughtException', (error, origin) => {
    log.fatal({ err: error, origin }, 'unexpected error');
    process.exit(EXIT_FAILURE);
  });
}
