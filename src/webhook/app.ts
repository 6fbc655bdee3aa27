import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify';
import { answerReview, refuseUnreadable } from './answer.ts';
import type { Metrics } from './metrics.ts';
import type { Question, ReviewSettings } from './new-pod-review.ts';
import type { Readiness } from './readiness.ts';
import { startDeadline } from './review-deadline.ts';

export interface AppOptions extends ReviewSettings {
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly log: FastifyBaseLogger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
}

/** A review carries an object and its predecessor, each of up to 1.5 MiB, as text. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** Longer than the API server keeps an idle connection (90 s), so that it is the one to close. */
const KEEP_ALIVE_MS = 120_000;
/** Who has sent no whole handshake, header or request by then is no API server. */
const PATIENCE = { handshakeTimeout: 5_000, headersTimeout: 5_000, requestTimeout: 10_000 };
/** How often Node looks for those: every 30 s, if not told otherwise. */
const CHECK_MS = 1_000;

/**
 * What is asked where. Audited namespaces have paths of their own: changes of pods are judged without
 * a look at the namespace, and the Kubernetes API may not tell how it is labelled.
 */
const PATHS: ReadonlyMap<string, { readonly question: Question; readonly isAudit: boolean }> =
  new Map([
    ['/mutate', { question: 'mutate', isAudit: false }],
    ['/validate', { question: 'validate', isAudit: false }],
    ['/audit/mutate', { question: 'mutate', isAudit: true }],
    ['/audit/validate', { question: 'validate', isAudit: true }],
  ]);

/** The admission server; it does not listen yet. */
export function createApp(options: AppOptions): FastifyInstance {
  const { tls, log, metrics, readiness, ...settings } = options;
  const app = Fastify({
    https: {
      ...tls,
      minVersion: 'TLSv1.2',
      ...PATIENCE,
      connectionsCheckingInterval: CHECK_MS,
    },
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: PATIENCE.requestTimeout,
    return503OnClosing: false,
  }) as unknown as FastifyInstance;

  // An object may have any keys, `__proto__` too; we never merge one.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, parseJson);

  for (const [path, { question, isAudit }] of PATHS) {
    app.post(path, async (request, reply) => {
      const { timeout } = request.query as { readonly timeout?: unknown };
      const deadline = startDeadline(timeout);
      reply.raw.once('close', () => {
        if (!reply.raw.writableEnded) deadline.abandon();
      });
      const answer = await answerReview(question, request.body, deadline, {
        ...settings,
        isAudit,
        log,
        metrics,
      }).finally(() => deadline.clear());
      return reply.code(answer.httpStatus).send(answer.review);
    });
  }
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_, reply) => {
    const { isReady, isDraining, missing } = readiness.state();
    if (isReady) return { status: 'ok' };
    return reply.code(503).send(isDraining ? { status: 'ending' } : { status: 'waiting', missing });
  });
  // So that whoever keeps connections opens the next one to a replica that stays.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (readiness.state().isDraining) reply.header('connection', 'close');
    done();
  });
  app.setNotFoundHandler((request, reply) => {
    if (!questionOf(request)) return reply.code(404).send({ message: 'not found' });
    return reply.code(405).header('allow', 'POST').send({ message: 'POST an AdmissionReview' });
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode = 500, message } = error;
    if (statusCode >= 500) log.error({ err: error }, 'unexpected error');
    const question = questionOf(request);
    if (!question) return reply.code(statusCode).send({ message });
    const { review } = refuseUnreadable(question, message, { log, metrics });
    return reply.code(statusCode).send(review);
  });
  return app;
}

function parseJson(
  { headers }: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    return done(unreadable(415, `the body is compressed (${encoding}), which is not read`));
  }
  try {
    done(null, JSON.parse(body.toString()));
  } catch {
    done(unreadable(400, 'the body is not JSON'));
  }
}

function unreadable(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}

/** Which question a request meant to ask, by its path. */
function questionOf({ url }: FastifyRequest): Question | undefined {
  return PATHS.get(url.split('?')[0] ?? '')?.question;
}
