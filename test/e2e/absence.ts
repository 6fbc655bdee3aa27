/** What becomes of requests while no replica is there. */
import { demand } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import type { PodManifest } from '../support/build-fixture.ts';
import { isRetried, postBuild, type ReadyBuild } from './build.ts';
import type { Environment } from './environment.ts';
import { until } from './until.ts';

/** Where nobody has opted in. */
const OTHER = 'default';

/**
 * A build pod of a namespace that opted in is refused, so that kpack posts it again, and the reason
 * names us.
 *
 * @returns the reason
 * @throws Error where it is admitted, or refused for good
 */
export async function demandRefused(
  environment: Environment,
  { pod }: ReadyBuild,
): Promise<string> {
  // The API server hears of a configuration, and of endpoints, a moment later.
  const { status, failure } = await until('a refusal', async () => {
    const answer = await postBuild(environment, pod, { dryRun: true });
    return answer.ok ? undefined : answer;
  });
  const { reason, message } = failure;
  if (!isRetried(status)) throw new Error(`kpack would not post it again: ${status} ${message}`);
  if (!/failed calling webhook "pods\.notary\.kpack\.io"/.test(message)) {
    throw new Error(`the reason does not name us: ${message}`);
  }
  const why = /(?:no endpoints available|service "[^"]+" not found|connection refused|x509: .*)/;
  return `${status} ${reason}: ${why.exec(message)?.[0] ?? message}`;
}

/**
 * Nothing else waits for us: other pods there, build pods elsewhere, what people write.
 *
 * @throws Error where something is refused
 */
export async function demandUntouched({ cluster }: Environment, ready: ReadyBuild): Promise<void> {
  const { api } = cluster;
  const { pod } = ready;
  const plain = changed(pod, { labels: {}, ownerReferences: [] });
  const elsewhere = changed(pod, { namespace: OTHER, ownerReferences: [] });
  for (const one of [plain, elsewhere]) {
    delete one.spec.serviceAccountName;
    demand(await api.create(one, { as: KPACK_USER, dryRun: true }));
  }
  for (const kind of ['Image', 'Build']) {
    const kinds = { apiVersion: 'kpack.io/v1alpha2', kind };
    const { namespace = '' } = pod.metadata;
    const { items } = demand(await api.list({ ...kinds, namespace }));
    for (const { metadata } of items) {
      const reference = { ...kinds, metadata: { namespace, name: metadata.name ?? '' } };
      const change = { metadata: { labels: { touched: 'true' } } };
      demand(await api.patch(reference, change, { as: KPACK_USER, dryRun: true }));
    }
  }
  const namespaceObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'another' } };
  demand(await api.create(namespaceObject, { dryRun: true }));
}

function changed(pod: PodManifest, metadata: Partial<PodManifest['metadata']>): PodManifest {
  const copy = structuredClone(pod);
  Object.assign(copy.metadata, metadata);
  return copy;
}
