/** What a pod asks a node for. */
import { parseQuantity } from '../../../src/webhook/injection/quantity.ts';
import type { PodManifest } from '../../support/build-fixture.ts';
import { initContainers, type Container } from '../../support/pod.ts';

/**
 * The effective request of a pod: that of the containers that run side by side, or of the init
 * container that asks for more; native sidecars run beside all that come after them.
 * https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
 */
export function effectiveRequest(pod: PodManifest, resource: 'cpu' | 'memory'): number {
  const of = ({ resources }: Container) =>
    parseQuantity(resources?.requests?.[resource] ?? '') ?? 0;
  let sidecars = 0;
  let largest = 0;
  for (const each of initContainers(pod)) {
    if (each.restartPolicy === 'Always') sidecars += of(each);
    largest = Math.max(largest, each.restartPolicy === 'Always' ? sidecars : sidecars + of(each));
  }
  return Math.max(
    largest,
    pod.spec.containers.reduce((sum, each) => sum + of(each), sidecars),
  );
}
