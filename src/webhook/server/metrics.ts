import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { AdmissionRequest } from '../admission/admission.ts';
import { KINDS, type ClusterFailure, type ReadKind } from '../../shared/kubernetes/cluster.ts';
import type { Decision } from './decision-log.ts';
import type { Question } from '../admission/pod-create.ts';

/** How a read of the Kubernetes API went. */
export type ReadResult = 'ok' | 'not_found' | ClusterFailure;

/** Seconds; a review that takes longer than the last has met its deadline. */
const REVIEW_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const READ_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5];

/** Kinds that the webhook judges. */
const JUDGED = ['Pod', 'Namespace', 'Image', 'Build'] as const;

/** What the webhook counts and times. No label takes a value from outside a closed set. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Metrics of one program, with those of its process. */
export function createMetrics(version: string) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const configured = (name: string, help: string, ...labelNames: string[]) => ({
    name: `kpack_notary_${name}`,
    help,
    labelNames,
    registers: [registry],
  });
  const reviews = new Counter(
    configured(
      'admission_reviews_total',
      'Admission reviews answered, by what was decided.',
      ...['webhook', 'kind', 'mode', 'decision', 'code'],
    ),
  );
  const reviewSeconds = new Histogram({
    ...configured(
      'admission_review_duration_seconds',
      'Time from a review that was read to its answer.',
      'webhook',
    ),
    buckets: REVIEW_BUCKETS,
  });
  const reads = new Counter(
    configured(
      'kubernetes_requests_total',
      'Objects, and lists of them, asked of the Kubernetes API for a decision.',
      ...['kind', 'result'],
    ),
  );
  const readSeconds = new Histogram({
    ...configured(
      'kubernetes_request_duration_seconds',
      'Time that the Kubernetes API took for an object, or a list of them.',
      'kind',
    ),
    buckets: READ_BUCKETS,
  });
  const expiration = new Gauge(
    configured(
      'certificate_expiration_timestamp_seconds',
      'When the certificate that is served expires, in seconds since 1970.',
    ),
  );
  const ready = new Gauge(
    configured('ready', 'Whether requests may be sent to this replica: 1 or 0.'),
  );
  const caExpiration = new Gauge(
    configured(
      'authority_expiration_timestamp_seconds',
      'When the CA that issued the certificate that is served expires, in seconds since 1970.',
    ),
  );
  // No sample while there is none, where prom-client would say 1970.
  for (const gauge of [expiration, caExpiration]) gauge.remove();
  const checks = new Counter(
    configured(
      'certificate_checks_total',
      'Looks after certificate and caBundles, by how they went.',
      'result',
    ),
  );
  new Gauge(configured('build_info', 'Always 1; the version is a label.', 'version')).set(
    { version },
    1,
  );
  return {
    /** @param kind of the object; undefined where the request could not be read */
    reviewed(
      webhook: Question,
      kind: AdmissionRequest['kind'] | undefined,
      decision: Decision,
      seconds: number,
    ): void {
      reviews.inc({ webhook, kind: boundedKind(kind), ...decision });
      reviewSeconds.observe({ webhook }, seconds);
    },
    read(kind: ReadKind, result: ReadResult, seconds: number): void {
      reads.inc({ kind, result });
      readSeconds.observe({ kind }, seconds);
    },
    /** @param seconds since 1970: the end of the certificate that is served */
    serving: (seconds: number) => expiration.set(seconds),
    ready: (isReady: boolean) => ready.set(isReady ? 1 : 0),
    /** @param seconds likewise, of the CA that issued it, where the webhook made that */
    signing: (seconds: number) => caExpiration.set(seconds),
    /** A look after certificate and caBundles. */
    checked: (result: 'ok' | 'error') => checks.inc({ result }),
    /** The exposition format of Prometheus, and its content type. */
    exposition: async () => ({
      text: await registry.metrics(),
      contentType: registry.contentType,
    }),
  };
}

/** What callers name can be anything; labels of metrics cannot. */
function boundedKind(asked: AdmissionRequest['kind'] | undefined): string {
  return (
    JUDGED.find((kind) => kind === asked?.kind && KINDS[kind].group === asked.group) ?? 'other'
  );
}
