/** Our webhook in the cluster of one build, and what must hold of the pods that it returns. */
import { applyPatch } from '../../../bed/webhook.ts';
import {
  type BuildFixture,
  manifestsOf,
  type PodManifest,
} from '../../../support/build-fixture.ts';
import { ask, memoryCluster, verdictOf, type Asking } from '../../../support/asking.ts';
import { allContainers, container, SIGNER } from '../../../support/pod.ts';

/** What it answers, in short and in words, and the pod after it. */
export interface Answered {
  readonly verdict: string;
  readonly message: string;
  readonly pod: PodManifest;
}

export function webhookIn(given: BuildFixture) {
  const cluster = memoryCluster(manifestsOf(given));
  const asking =
    (question: 'mutate' | 'validate') =>
    async (pod: PodManifest, settings: Asking['settings'] = {}): Promise<Answered> => {
      const response = await ask(question, pod, cluster, { settings });
      const { message = '' } = response.status ?? {};
      return { verdict: verdictOf(response), message, pod: applyPatch(pod, response) };
    };
  return { mutate: asking('mutate'), validate: asking('validate') };
}

/** @throws Error where two pods are not the same, byte for byte */
export function demandSame(found: PodManifest, wanted: PodManifest, when: string): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${when}:\n${left}\nis not\n${right}`);
}

/** @throws Error where something of ours is there twice */
export function demandOnce(pod: PodManifest): void {
  const signer = container(pod, SIGNER);
  const lists = [
    allContainers(pod).map(({ name }) => name),
    pod.spec.volumes?.map(({ name }) => name) ?? [],
    signer.env?.map(({ name }) => name) ?? [],
    signer.volumeMounts?.map(({ mountPath }) => mountPath) ?? [],
  ];
  for (const list of lists) {
    if (new Set(list).size !== list.length) throw new Error(`twice: ${list.join(', ')}`);
  }
}
