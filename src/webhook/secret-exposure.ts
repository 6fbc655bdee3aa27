import type { V1Container, V1Volume } from '@kubernetes/client-node';
import { OWN_VOLUME_PREFIX, SIGNING_CONTAINER } from '../shared/names.ts';
import type { Pod } from './build-pod.ts';

/**
 * Who else in the pod could read the signing Secret: a volume that holds it beside ours, a container
 * that mounts ours, a variable made from it. Undefined: nobody.
 */
export function whoElseReads({ spec }: Pod, secretName: string): string | undefined {
  const volume = spec.volumes?.find(
    (candidate) => !isOurs(candidate.name) && holds(candidate, secretName),
  );
  if (volume) return `volume ${volume.name} holds Secret ${secretName}`;
  const others = [...(spec.initContainers ?? []), ...spec.containers].filter(
    ({ name }) => name !== SIGNING_CONTAINER,
  );
  for (const container of others) {
    const mount = container.volumeMounts?.find(({ name }) => isOurs(name));
    if (mount) return `container ${container.name} mounts volume ${mount.name}`;
    if (readsVariable(container, secretName)) {
      return `container ${container.name} takes variables from Secret ${secretName}`;
    }
  }
  return undefined;
}

function isOurs(volume: string): boolean {
  return volume.startsWith(OWN_VOLUME_PREFIX);
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
