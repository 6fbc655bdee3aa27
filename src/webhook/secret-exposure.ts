import type { V1Container, V1Volume } from '@kubernetes/client-node';
import { SIGNING_CONTAINER, VOLUME } from '../shared/names.ts';
import type { Pod } from './build-pod.ts';

/**
 * Who else in the pod could read the signing Secret: a volume that holds it beside ours, a container
 * that mounts ours, a variable made from it. Undefined: nobody.
 */
export function whoElseReads({ spec }: Pod, secretName: string): string | undefined {
  const volume = spec.volumes?.find(
    (candidate) => candidate.name !== VOLUME.key && holds(candidate, secretName),
  );
  if (volume) return `volume ${volume.name} holds Secret ${secretName}`;
  const others = [...(spec.initContainers ?? []), ...spec.containers].filter(
    ({ name }) => name !== SIGNING_CONTAINER,
  );
  for (const container of others) {
    if (container.volumeMounts?.some(({ name }) => name === VOLUME.key)) {
      return `container ${container.name} mounts volume ${VOLUME.key}`;
    }
    if (readsVariable(container, secretName)) {
      return `container ${container.name} takes variables from Secret ${secretName}`;
    }
  }
  return undefined;
}

function holds({ secret, projected }: V1Volume, secretName: string): boolean {
  return (
    secret?.secretName === secretName ||
    (projected?.sources?.some((source) => source.secret?.name === secretName) ?? false)
  );
}

function readsVariable({ env, envFrom }: V1Container, secretName: string): boolean {
  return (
    (env?.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === secretName) ?? false) ||
    (envFrom?.some(({ secretRef }) => secretRef?.name === secretName) ?? false)
  );
}
