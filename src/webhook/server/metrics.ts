import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { AdmissionRequest } from '../admission/admission.ts';
import { KINDS, type ClusterFailure, type ReadKind } from '../../shared/kubernetes/cluster.ts';
import type { Decision } from './decision-log.ts';
import type { Question } from '../admission/pod-create.ts';

/** How a read of the Kubernetes API went. */
export type ReadResult = 'ok' | 'not_found' | ClusterFailure;

/** What the webhook counts and times. No label takes a value from outside a closed set. */
export interface Metrics {
  /** @param kind of the object; undefined where the request could not be read */
  reviewed(
    webhook: Question,
    kind: AdmissionRequest['kind'] | undefined,
    decision: Decision,
    seconds: number,
  ): void;
  read(kind: ReadKind, result: ReadResult, seconds: number): void;
  /** @param expiration of the certificate that is served, in seconds since 1970 */
  serving(expiration: number): void;
  ready(isReady: boolean): void;
  /** @param expiration of the CA that issued it, likewise; where it is ours */
  signing(expiration: number): void;
  /** A look after certificate and caBundles. */
  checked(result: 'ok' | 'error'): void;
  /** The exposition format of Prometheus, and its content type. */
  exposition(): Promise<{ readonly text: string; readonly contentType: string }>;
}

const PREFIX = 'kpack_notary_';
/** Seconds; a review that takes longer than the last has met its deadline. */
const REVIEW_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const READ_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5];

/** Kinds that the webhook judges. */
const JUDGED = ['Pod', 'Namespace', 'Image', 'Build'] as const;

/** Metrics of one program, with those of its process. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const reviews = new Counter({
    name: `${PREFIX}admission_reviews_total`,
    help: 'Admission reviews answered, by what was decided.',
    labelNames: ['webhook', 'kind', 'mode', 'decision', 'code'],
    registers,
  });
  const reviewSeconds = new Histogram({
    name: `${PREFIX}admission_review_duration_seconds`,
    help: 'Time from a review that was read to its answer.',
    labelNames: ['webhook'],
    buckets: REVIEW_BUCKETS,
    registers,
  });
  const reads = new Counter({
    name: `${PREFIX}kubernetes_requests_total`,
    help: 'Objects, and lists of them, asked of the Kubernetes API for a decision.',
    labelNames: ['kind', 'result'],
    registers,
  });
  const readSeconds = new Histogram({
    name: `${PREFIX}kubernetes_request_duration_seconds`,
    help: 'Time that the Kubernetes API took for an object, or a list of them.',
    labelNames: ['kind'],
    buckets: READ_BUCKETS,
    registers,
  });
  const expiration = new Gauge({
    name: `${PREFIX}certificate_expiration_timestamp_seconds`,
    help: 'When the certificate that is served expires, in seconds since 1970.',
    registers,
  });
  const ready = new Gauge({
    name: `${PREFIX}ready`,
    help: 'Whether requests may be sent to this replica: 1 or 0.',
    registers,
  });
  const caExpiration = new Gauge({
    name: `${PREFIX}authority_expiration_timestamp_seconds`,
    help: 'When the CA that issued the certificate that is served expires, in seconds since 1970.',
    registers,
  });
  // No sample while there is none, where prom-client would say 1970.
  for (const gauge of [expiration, caExpiration]) gauge.remove();
  const checks = new Counter({
    name: `${PREFIX}certificate_checks_total`,
    help: 'Looks after certificate and caBundles, by how they went.',
    labelNames: ['result'],
    registers,
  });
  new Gauge({
    name: `${PREFIX}build_info`,
    help: 'Always 1; the version is a label.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  return {
    reviewed: (webhook, kind, decision, seconds) => {
      reviews.inc({ webhook, kind: boundedKind(kind), ...decision });
      reviewSeconds.observe({ webhook }, seconds);
    },
    read: (kind, result, seconds) => {
      reads.inc({ kind, result });
      readSeconds.observe({ kind }, seconds);
    },
    serving: (seconds) => expiration.set(seconds),
    ready: (isReady) => ready.set(isReady ? 1 : 0),
    signing: (seconds) => caExpiration.set(seconds),
    checked: (result) => checks.inc({ result }),
    exposition: async () => ({
      text: await registry.metrics(),
      contentType: registry.contentType,
    }),
  };
}

/** What callers name can be anything; what we count cannot. */
function boundedKind(asked: AdmissionRequest['kind'] | undefined): string {
  return (
    JUDGED.find((kind) => kind === asked?.kind && KINDS[kind].group === asked.group) ?? 'other'
  );
}
