import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify';
import type { Server } from 'node:https';
import { handleReview, refuseUnread, type Asked } from './handler.ts';
import { boundConnections } from './connection-bound.ts';
import { fairCluster } from './fair-cluster.ts';
import type { Metrics } from './metrics.ts';
import type { ReviewSettings } from '../admission/pod-create.ts';
import type { Readiness } from './readiness.ts';
import { BodyError, BodyReader } from './review-body.ts';
import { startDeadline } from './review-deadline.ts';
import { isAuthenticated } from './client-certificate.ts';

export interface ServerOptions extends ReviewSettings {
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** CA of the callers that are answered, PEM; undefined: all are. */
  readonly clientCa?: string | undefined;
  readonly log: FastifyBaseLogger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
}

/**
 * An API server keeps a connection for each review that it asks for at the same time. An idle one
 * takes 50 KiB.
 */
const MOST_CONNECTIONS = 1_000;
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
const PATHS: ReadonlyMap<string, Asked> = new Map([
  ['/mutate', { question: 'mutate', isAudit: false }],
  ['/validate', { question: 'validate', isAudit: false }],
  ['/audit/mutate', { question: 'mutate', isAudit: true }],
  ['/audit/validate', { question: 'validate', isAudit: true }],
]);

/** What a kubelet asks, which has no certificate to show. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** The admission server; it does not listen yet. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { tls, clientCa, log, metrics, readiness, ...given } = options;
  const settings = { ...given, cluster: fairCluster(given.cluster) };
  const app = Fastify({
    https: {
      ...tls,
      minVersion: 'TLSv1.2',
      // Probes show none: whoever has none is refused by path.
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
      ...PATIENCE,
      connectionsCheckingInterval: CHECK_MS,
    },
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: PATIENCE.requestTimeout,
    return503OnClosing: false,
  }) as unknown as FastifyInstance;

  boundConnections(app.server as unknown as Server, MOST_CONNECTIONS);

  // Handlers read bodies themselves, each when there is room for it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (_request, _payload, done) => done(null));
  const bodies = new BodyReader();

  if (clientCa !== undefined) {
    app.addHook('onRequest', (request, reply, done) => {
      if (isAuthenticated(request.raw.socket) || PROBES.has(pathOf(request))) return done();
      log.warn({ path: pathOf(request) }, 'a caller without a client certificate of --client-ca');
      // The answer tells nothing, and the server reads no more of the request.
      void reply.code(401).header('connection', 'close').send({ message: 'unauthorized' });
    });
  }
  for (const [path, asked] of PATHS) {
    app.post(path, async (request, reply) => {
      const { timeout } = request.query as { readonly timeout?: unknown };
      const deadline = startDeadline(timeout);
      reply.raw.once('close', () => {
        if (!reply.raw.writableEnded) deadline.abandon();
      });
      try {
        const body = await bodies.read(request.raw, deadline.signal);
        const answer = await handleReview(asked, body.value, deadline, {
          ...settings,
          turn: () => body.turn(),
          log,
          metrics,
        }).finally(() => body.release());
        return await reply.code(answer.httpStatus).send(answer.review);
      } finally {
        deadline.clear();
      }
    });
  }
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (request, reply) => {
    const { isReady, isDraining, missing } = readiness.state();
    if (isReady) return { status: 'ok' };
    const mayTellWhy = clientCa === undefined || isAuthenticated(request.raw.socket);
    const why = mayTellWhy ? { missing } : {};
    return reply.code(503).send(isDraining ? { status: 'ending' } : { status: 'waiting', ...why });
  });
  // So that whoever keeps connections opens the next one to a replica that stays.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (readiness.state().isDraining) reply.header('connection', 'close');
    done();
  });
  app.setNotFoundHandler((request, reply) => {
    if (!askedBy(request)) return reply.code(404).send({ message: 'not found' });
    return reply.code(405).header('allow', 'POST').send({ message: 'POST an AdmissionReview' });
  });
  app.setErrorHandler<FastifyError | BodyError>((error, request, reply) => {
    const asked = askedBy(request);
    if (error instanceof BodyError && asked) {
      const { httpStatus, review } = refuseUnread(asked, error, { log, metrics });
      // What of the body has not been read is in the way of the next request.
      return reply.code(httpStatus).header('connection', 'close').send(review);
    }
    const { statusCode = 500, message } = error as FastifyError;
    if (statusCode >= 500) log.error({ err: error }, 'unexpected error');
    if (!asked) return reply.code(statusCode).send({ message });
    const unread = new BodyError(statusCode, message);
    return reply.code(statusCode).send(refuseUnread(asked, unread, { log, metrics }).review);
  });
  return app;
}

/** What a request meant to ask, by its path. */
function askedBy(request: FastifyRequest): Asked | undefined {
  return PATHS.get(pathOf(request));
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?')[0] ?? '';
}
