import type { Cluster, ClusterObject } from '../../shared/kubernetes/cluster.ts';
import { CONNECTIONS } from '../../shared/kubernetes/kubernetes-access.ts';
import { SharedReads } from './shared-reads.ts';
import { Turns } from './turns.ts';

/**
 * A cluster whose connections namespaces share: builds of one with very many Secrets wait for one
 * another, and not builds of others for them. Reviews that need the same object at the same time share
 * a read of it that began after each of them asked.
 */
export function fairCluster(cluster: Cluster): Cluster {
  const turns = new Turns({ atOnce: CONNECTIONS, ofParty: (CONNECTIONS * 3) / 4 });
  const reads = new SharedReads<ClusterObject | undefined>();
  return {
    get: (reference, signal) => {
      const { apiVersion, kind, namespace = '', name } = reference;
      const party = namespace || name;
      return reads.get(JSON.stringify([apiVersion, kind, namespace, name]), signal, (shared) =>
        turns.run(party, shared, () => cluster.get(reference, shared)),
      );
    },
    limitRanges: (namespace, signal) =>
      turns.run(namespace, signal, () => cluster.limitRanges(namespace, signal)),
  };
}
