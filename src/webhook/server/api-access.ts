import { setTimeout as pause } from 'node:timers/promises';
import { ClusterError, type Cluster } from '../../shared/kubernetes/cluster.ts';
import type { Readiness } from './readiness.ts';

/** Milliseconds for all reads of one try. */
const TRY_LIMIT = 5_000;
/** Milliseconds between tries: twice as long each time. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 15_000;
/** What else may be wrong when the API server is not the one to say no. */
const FIX =
  'See that the Kubernetes API can be reached from here: its address and CA, the token of the service account, network policies. It is tried again.';
/** An object that need not be there: that it may be asked for is all that matters. */
const PROBE = 'readiness';

/**
 * Proves that the Kubernetes API allows the reads that decisions are made from, by reading one of each;
 * tries until it does. Secrets are left out: in which namespaces they may be read is the
 * admin's choice, and a review says where they may not.
 *
 * @param namespace where to read; whether it exists does not matter
 */
export async function proveApiAccess(
  cluster: Cluster,
  namespace: string,
  readiness: Readiness,
): Promise<void> {
  for (let wait = FIRST_PAUSE; ; wait = Math.min(2 * wait, LONGEST_PAUSE)) {
    const problems = await problemsOf(cluster, namespace);
    if (problems.length === 0) return readiness.prove('kubernetes-api');
    readiness.miss('kubernetes-api', problems.join(' '));
    await pause(wait, undefined, { ref: false });
  }
}

async function problemsOf(cluster: Cluster, namespace: string): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(TRY_LIMIT);
  const own = { namespace, name: PROBE };
  const core = [
    cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, signal),
    cluster.get({ apiVersion: 'v1', kind: 'ServiceAccount', ...own }, signal),
    cluster.limitRanges(namespace, signal),
  ];
  const kpack = (['Build', 'Image'] as const).map((kind) =>
    cluster
      .get({ apiVersion: 'kpack.io/v1alpha2', kind, ...own }, signal)
      .catch((error: unknown) => {
        // kpack may be installed later: what is not served cannot be asked about either.
        if (error instanceof ClusterError && error.failure === 'forbidden') throw error;
      }),
  );
  const answers = await Promise.allSettled([...core, ...kpack]);
  const problems = new Map<string, string>();
  for (const answer of answers) {
    if (answer.status === 'fulfilled') continue;
    const error: unknown = answer.reason;
    if (!(error instanceof ClusterError)) throw error;
    const { message, fix = FIX } = error;
    // When the API is away all reads fail for one reason: it is told once.
    if (!problems.has(fix)) problems.set(fix, `${message}. Fix: ${fix}`);
  }
  return [...problems.values()];
}
