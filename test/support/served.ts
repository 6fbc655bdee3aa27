/** The admission server in this process, and reviews posted to it. */
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Test } from 'tap';
import { createServer } from '../../src/webhook/server/server.ts';
import type { Cluster } from '../../src/shared/kubernetes/cluster.ts';
import { createMetrics, type Metrics } from '../../src/webhook/server/metrics.ts';
import { createReadiness } from '../../src/webhook/server/readiness.ts';
import { createAuthority } from '../bed/authority.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';
import { admissionReview, type AdmissionResponse, type ReviewOptions } from '../bed/webhook.ts';
import { type BuildFixture, manifestsOf } from './build-fixture.ts';
import { memoryCluster, SETTINGS } from './asking.ts';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly response?: AdmissionResponse;
  };
}

const authority = await createAuthority(temporaryDirectory());
const certificate = await authority.issue({ name: 'webhook' });

/** A server of its own for a test, what it logs, and its metrics. */
export function serve(
  t: Test,
  cluster: Cluster,
): { app: FastifyInstance; log: () => string; metrics: Metrics } {
  let text = '';
  const log = pino({ level: 'trace' }, { write: (line: string) => (text += line) });
  const tls = { cert: certificate.certificatePem, key: certificate.keyPem };
  const metrics = createMetrics(SETTINGS.version);
  const readiness = createReadiness([], () => undefined);
  const app = createServer({ ...SETTINGS, cluster, tls, log, metrics, readiness });
  t.teardown(() => app.close());
  return { app, log: () => text, metrics };
}

export function serveBuild(t: Test, given: BuildFixture): FastifyInstance {
  return serve(t, memoryCluster(manifestsOf(given))).app;
}

export async function post(
  app: FastifyInstance,
  path: string,
  payload: string | object,
  contentType = 'application/json',
): Promise<Answer> {
  const answer = await app.inject({
    method: 'POST',
    url: path,
    headers: { 'content-type': contentType },
    payload,
  });
  return { status: answer.statusCode, body: answer.json() };
}

/** Posts a review, checks the frame of the answer, and returns the response. */
export async function review(
  t: Test,
  app: FastifyInstance,
  question: 'mutate' | 'validate',
  options: ReviewOptions,
  change: (request: Record<string, unknown>) => void = () => undefined,
): Promise<AdmissionResponse> {
  const sent = admissionReview(options) as { request: Record<string, unknown> };
  change(sent.request);
  const { status, body } = await post(app, `/${question}`, sent);
  t.equal(status, 200);
  t.match(body, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
  t.equal(body.response?.uid, sent.request['uid']);
  if (!body.response) throw new Error('no response');
  return body.response;
}
