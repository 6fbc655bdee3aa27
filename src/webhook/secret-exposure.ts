import type { V1Container, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { OWN_VOLUME_PREFIX, SIGNING_CONTAINER } from '../shared/names.ts';
import { allContainers, type Pod } from './build-pod.ts';
import { isWithin } from './mount-path.ts';

/** Where nodes keep what is mounted in containers, and what starts those; `/var/run` is `/run`. */
const NODE_DIRECTORIES = [
  '/proc',
  '/run/containerd',
  '/run/crio',
  '/run/docker.sock',
  '/run/k0s',
  '/run/k3s',
  '/var/lib/containerd',
  '/var/lib/containers',
  '/var/lib/docker',
  '/var/lib/k0s',
  '/var/lib/kubelet',
  '/var/lib/rancher',
  '/var/snap',
];
/** The kubelet's own directory, wherever a distribution keeps it. */
const KUBELET = /(?:^|\/)kubelet(?:\/|$)/;

/**
 * Who else in the pod could read the signing Secret: a volume that holds it beside ours, a container
 * that mounts ours or has variables made from it, processes or files of the node that lead to ours.
 * Undefined: nobody.
 */
export function whoElseReads({ spec }: Pod, secretName: string): string | undefined {
  const volume = spec.volumes?.find(
    ({ name, ...source }) => !isOurs(name) && names(source, secretName),
  );
  if (volume) return `volume ${volume.name} holds Secret ${secretName}`;
  if (spec.imagePullSecrets?.some(({ name }) => name === secretName)) {
    return `imagePullSecrets has Secret ${secretName}`;
  }
  const containers = [...allContainers(spec), ...(spec.ephemeralContainers ?? [])];
  for (const container of containers) {
    const reason = whyReads(container, secretName);
    if (reason !== undefined) return reason;
  }
  return whyProcessesLead(spec) ?? whyNodeLeads(spec.volumes ?? []);
}

/** How a container that is not ours reaches the signing Secret; undefined: it does not. */
export function whyReads(
  container: Omit<V1Container, 'resources'>,
  secretName: string,
): string | undefined {
  const { name, volumeMounts = [], volumeDevices = [], env, envFrom } = container;
  if (name === SIGNING_CONTAINER) return undefined;
  if (names({ env, envFrom }, secretName)) {
    return `container ${name} takes variables from Secret ${secretName}`;
  }
  const mount = [...volumeMounts, ...volumeDevices].find((each) => isOurs(each.name));
  return mount && `container ${name} mounts volume ${mount.name}`;
}

function whyProcessesLead({ shareProcessNamespace, hostPID }: V1PodSpec): string | undefined {
  const member = [
    ...(shareProcessNamespace === true ? ['shareProcessNamespace'] : []),
    ...(hostPID === true ? ['hostPID'] : []),
  ][0];
  return (
    member &&
    `${member} lets other containers reach the files of ${SIGNING_CONTAINER} through /proc`
  );
}

function whyNodeLeads(volumes: readonly V1Volume[]): string | undefined {
  const volume = volumes.find(({ hostPath }) => {
    const path = hostPath?.path.replace(/^\/+var\/+run(?=\/|$)/, '/run');
    return (
      path !== undefined &&
      (KUBELET.test(path) ||
        NODE_DIRECTORIES.some((each) => isWithin(path, each) || isWithin(each, path)))
    );
  });
  return (
    volume && `volume ${volume.name} is ${volume.hostPath?.path} of the node, where all Secrets are`
  );
}

function isOurs(volume: string): boolean {
  return volume.startsWith(OWN_VOLUME_PREFIX);
}

/**
 * Whether a part of a pod refers to a Secret. Some kinds of volumes name it in `secretName`, others
 * in a `secretRef` or `nodePublishSecretRef`, drivers in attributes of their own; all say "secret".
 */
function names(part: unknown, secretName: string, isSecret = false): boolean {
  if (typeof part === 'string') return isSecret && part === secretName;
  if (typeof part !== 'object' || part === null) return false;
  if (Array.isArray(part)) return part.some((item) => names(item, secretName));
  return Object.entries(part).some(
    ([key, value]) =>
      // Most texts are neither: their keys need no look.
      (typeof value === 'object' || value === secretName) &&
      names(value, secretName, /secret/i.test(key) || (isSecret && key === 'name')),
  );
}
