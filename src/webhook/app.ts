import { performance } from 'node:perf_hooks';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import {
  deny,
  parseReview,
  ReviewError,
  reviewOf,
  type AdmissionRequest,
  type Verdict,
} from './admission.ts';
import type { Question, ReviewSettings } from './new-pod-review.ts';
import { review } from './review.ts';

export interface AppOptions extends ReviewSettings {
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly log: FastifyBaseLogger;
}

/** A review carries an object and its predecessor, each of up to 1.5 MiB, as text. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** Longer than the API server keeps an idle connection (90 s), so that it is the one to close. */
const KEEP_ALIVE_MS = 120_000;
const REQUEST_TIMEOUT_MS = 10_000;

/** The admission server; it does not listen yet. */
export function createApp({ tls, log, ...settings }: AppOptions): FastifyInstance {
  const app = Fastify({
    https: { ...tls, minVersion: 'TLSv1.2' },
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    return503OnClosing: false,
    // An object may have any keys; we never merge one.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
  }) as unknown as FastifyInstance;

  for (const question of ['mutate', 'validate'] as const) {
    app.post(`/${question}`, async (request, reply) => {
      const answer = await answerReview(question, request.body, settings, log);
      return reply.code(answer.httpStatus).send(answer.review);
    });
  }
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', () => ({ status: 'ok' }));
  return app;
}

/** Always an AdmissionReview once the body was JSON, whatever it holds and whatever goes wrong. */
async function answerReview(
  question: Question,
  body: unknown,
  settings: ReviewSettings,
  log: FastifyBaseLogger,
): Promise<{ readonly httpStatus: number; readonly review: object }> {
  const started = performance.now();
  let request: AdmissionRequest;
  try {
    request = parseReview(body);
  } catch (error) {
    if (!(error instanceof ReviewError)) throw error;
    log.warn({ question, reason: error.message }, 'not a review');
    const verdict = deny(400, 'REVIEW_INVALID', error.message);
    return { httpStatus: 400, review: reviewOf(error.uid, verdict) };
  }
  let verdict: Verdict;
  try {
    verdict = await review(question, request, settings);
  } catch (error) {
    // A mistake of ours must not pass for a decision; the next replica or version may do better.
    log.error({ question, uid: request.uid, err: error }, 'unexpected error');
    verdict = deny(503, 'WEBHOOK_FAILED', 'the webhook failed; its log says how');
  }
  logDecision(log, question, request, verdict, performance.now() - started);
  return { httpStatus: 200, review: reviewOf(request.uid, verdict) };
}

/** One line a decision; never the patch. */
function logDecision(
  log: FastifyBaseLogger,
  question: Question,
  { uid, kind, operation, namespace, name, username }: AdmissionRequest,
  verdict: Verdict,
  milliseconds: number,
): void {
  const decision = verdict.kind === 'deny' ? 'deny' : verdict.patch.length > 0 ? 'patch' : 'allow';
  const reason = verdict.kind === 'deny' ? verdict.message : verdict.reason;
  log.info(
    {
      uid,
      question,
      kind: kind.kind,
      operation,
      namespace,
      name,
      username,
      decision,
      code: verdict.code,
      reason,
      ms: Math.round(milliseconds * 10) / 10,
    },
    'reviewed',
  );
}
