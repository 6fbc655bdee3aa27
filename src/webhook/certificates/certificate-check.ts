import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { CertificateCondition } from './certificate-plan.ts';
import { ClusterError } from '../../shared/kubernetes/cluster.ts';
import type { Metrics } from '../server/metrics.ts';
import type { Readiness } from '../server/readiness.ts';

/** One look after certificates and caBundles, and what it did about them. */
export type CertificateCheck = (signal: AbortSignal) => Promise<CheckResult>;

export interface CheckResult {
  /** What could not be read or done; it is tried again. */
  readonly problems: readonly Error[];
  /** What is not so yet, in words; what is not named is. */
  readonly missing: Readonly<Partial<Record<CertificateCondition, string>>>;
  /** In how many milliseconds to check again at the latest. */
  readonly lookAgain?: number | undefined;
}

export interface CheckListeners {
  readonly log: FastifyBaseLogger;
  readonly metrics: Pick<Metrics, 'checked'>;
  readonly conditions: Pick<Readiness, 'prove' | 'miss'>;
}

/** How often is checked what others may change at any time. */
const POLL_MS = 5_000;
/** What fails is checked half as often each time, down to this. */
const SELDOM_MS = 10_000;
/** Replicas that started together drift apart. */
const SPREAD = 0.2;
const CONDITIONS: readonly CertificateCondition[] = ['certificate', 'ca-bundle'];

/**
 * Checks again and again. Problems are logged when they come, change and go.
 *
 * @returns ends it, a check under way too
 */
export function keepChecking(
  check: CertificateCheck,
  { log, metrics, conditions }: CheckListeners,
): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  let lastProblem = '';
  let failures = 0;
  const once = async (): Promise<number> => {
    const { problems, missing, lookAgain = POLL_MS } = await resultOf(check, signal);
    if (signal.aborted) return 0;
    for (const condition of CONDITIONS) {
      const why = missing[condition];
      if (why === undefined) conditions.prove(condition);
      else conditions.miss(condition, withProblems(why, problems));
    }
    metrics.checked(problems.length === 0 ? 'ok' : 'error');
    // In an order of their own, so that the same problems are the same text.
    const text = problems.map(sentenceOf).sort().join('; ');
    if (text !== lastProblem) {
      if (text === '') log.info('certificates are looked after again');
      else log.warn({ problem: text }, 'certificates cannot be looked after');
    }
    lastProblem = text;
    failures = text === '' ? 0 : failures + 1;
    const usual = Math.min(POLL_MS * 2 ** failures, SELDOM_MS);
    return Math.min(usual * (1 + SPREAD * (2 * Math.random() - 1)), lookAgain);
  };
  const run = async () => {
    while (!signal.aborted) {
      const wait = await once();
      await pause(wait, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return () => {
    ending.abort(new Error('the webhook is stopping'));
    return running;
  };
}

/** A mistake in the code must not end the checks. */
async function resultOf(check: CertificateCheck, signal: AbortSignal): Promise<CheckResult> {
  try {
    return await check(signal);
  } catch (error) {
    const why = 'the check itself failed';
    return { problems: [error as Error], missing: { certificate: why, 'ca-bundle': why } };
  }
}

function withProblems(why: string, problems: readonly Error[]): string {
  return problems.length === 0 ? why : `${why} (${problems.map(sentenceOf).join('; ')})`;
}

function sentenceOf(error: Error): string {
  return error instanceof ClusterError ? error.sentence : error.message;
}
