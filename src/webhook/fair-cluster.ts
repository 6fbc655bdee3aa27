import type { Cluster } from './cluster.ts';
import { CONNECTIONS } from './kubernetes-access.ts';
import { Turns } from './turns.ts';

/**
 * A cluster whose connections namespaces share: builds of one with very many Secrets wait for one
 * another, and not builds of others for them.
 */
export function fairCluster(cluster: Cluster): Cluster {
  const turns = new Turns({ atOnce: CONNECTIONS, ofParty: CONNECTIONS / 2 });
  return {
    get: (reference, signal) =>
      turns.run(reference.namespace ?? reference.name, signal, () =>
        cluster.get(reference, signal),
      ),
    limitRanges: (namespace, signal) =>
      turns.run(namespace, signal, () => cluster.limitRanges(namespace, signal)),
  };
}
