import { performance } from 'node:perf_hooks';
import type { FastifyBaseLogger } from 'fastify';
import {
  parseReview,
  ReviewError,
  reviewOf,
  type AdmissionRequest,
} from '../admission/admission.ts';
import { decisionOf, logDecision } from './decision-log.ts';
import type { Metrics } from './metrics.ts';
import type { Question, ReviewSettings } from '../admission/pod-create.ts';
import { audited } from '../admission/pod-verdict.ts';
import { routeReview } from '../admission/router.ts';
import type { BodyError } from './review-body.ts';
import type { ReviewDeadline } from './review-deadline.ts';
import { watchedCluster } from './watched-cluster.ts';
import { type Verdict, deny } from '../policy/verdict.ts';

/** What a path asks. */
export interface Asked {
  readonly question: Question;
  /** Whether about an audited namespace: nothing is refused there. */
  readonly isAudit: boolean;
}

/** What answering needs beside the request. */
interface HandlerSettings extends ReviewSettings {
  readonly log: FastifyBaseLogger;
  readonly metrics: Metrics;
}

/** An AdmissionReview, and the status of the answer that carries it. */
interface Answer {
  readonly httpStatus: number;
  readonly review: object;
}

/** Always an AdmissionReview, whatever the body holds and whatever goes wrong. */
export async function handleReview(
  asked: Asked,
  body: unknown,
  deadline: ReviewDeadline,
  { log, metrics, ...settings }: HandlerSettings,
): Promise<Answer> {
  const { question } = asked;
  const started = performance.now();
  let request: AdmissionRequest;
  try {
    request = parseReview(body);
  } catch (error) {
    if (!(error instanceof ReviewError)) throw error;
    const verdict = deny(400, 'REVIEW_INVALID', error.message);
    const unread = { httpStatus: 400, verdict, uid: error.uid };
    return refuseUnread(asked, unread, { log, metrics });
  }
  let verdict: Verdict;
  try {
    const cluster = watchedCluster(settings.cluster, deadline.signal, metrics);
    verdict = await routeReview(question, request, { ...settings, cluster });
  } catch (error) {
    // A mistake in the code must not pass for a decision; the next replica or version may do better.
    log.error({ question, uid: request.uid, err: error }, 'unexpected error');
    verdict = deny(503, 'WEBHOOK_FAILED', 'the webhook failed; its log says how');
  }
  if (asked.isAudit && verdict.kind === 'deny') verdict = audited(verdict);
  const milliseconds = performance.now() - started;
  logDecision(log, question, request, verdict, milliseconds);
  metrics.reviewed(question, request.kind, decisionOf(verdict), milliseconds / 1000);
  // A pod waits, and hears why. People who write do not: the failure policy lets them.
  const isLeftToPolicy = verdict.code === 'WEBHOOK_FAILED' && request.kind.kind !== 'Pod';
  return { httpStatus: isLeftToPolicy ? 500 : 200, review: reviewOf(request.uid, verdict) };
}

/**
 * The answer to what is no review, or is not read. With a uid the API server reads it and tells
 * people; without one it would not believe it, and hears so by the HTTP status. About an audited
 * namespace it always does, and goes on without an answer.
 */
export function refuseUnread(
  { question, isAudit }: Asked,
  { httpStatus, verdict, uid }: Pick<BodyError, 'httpStatus' | 'verdict' | 'uid'>,
  { log, metrics }: Pick<HandlerSettings, 'log' | 'metrics'>,
): Answer {
  const { code, reason } = verdict;
  log.warn({ question, code, reason }, 'not a review, or not read');
  metrics.reviewed(question, undefined, decisionOf(verdict), 0);
  const isRead = uid !== '' && !isAudit;
  return { httpStatus: isRead ? 200 : httpStatus, review: reviewOf(uid, verdict) };
}
