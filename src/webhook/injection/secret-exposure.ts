import type { V1Container, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { OWN_VOLUME_PREFIX, SIGNING_CONTAINER } from '../../shared/names.ts';
import { allContainers, type Pod } from '../build-pod/build-pod.ts';
import { leadsToSecrets } from './node-path.ts';

/**
 * How others than the signing container could read one of these Secrets; undefined: in no way. The ways
 * are another volume that holds it, a container that mounts a volume of the signer or has variables made
 * from the Secret, and processes or files of the node.
 */
export function whoElseReads({ spec }: Pod, secretNames: ReadonlySet<string>): string | undefined {
  if (secretNames.size === 0) return undefined;
  for (const { name, ...source } of spec.volumes ?? []) {
    const held = isOurs(name) ? undefined : secretIn(source, secretNames);
    if (held !== undefined) return `volume ${name} holds Secret ${held}`;
  }
  const pulled = spec.imagePullSecrets?.find(({ name = '' }) => secretNames.has(name));
  if (pulled) return `imagePullSecrets has Secret ${pulled.name}`;
  const containers = [...allContainers(spec), ...(spec.ephemeralContainers ?? [])];
  for (const container of containers) {
    const reason = whyReads(container, secretNames);
    if (reason !== undefined) return reason;
  }
  return whyProcessesLead(spec, containers) ?? whyNodeLeads(spec.volumes ?? []);
}

/** How a container other than the signing container reaches one of these Secrets; undefined: it does not. */
function whyReads(
  container: Omit<V1Container, 'resources'>,
  secretNames: ReadonlySet<string>,
): string | undefined {
  const { name, volumeMounts = [], volumeDevices = [], env, envFrom } = container;
  if (name === SIGNING_CONTAINER) return undefined;
  const read = secretIn({ env, envFrom }, secretNames);
  if (read !== undefined) return `container ${name} takes variables from Secret ${read}`;
  const mount = [...volumeMounts, ...volumeDevices].find((each) => isOurs(each.name));
  return mount && `container ${name} mounts volume ${mount.name}`;
}

function whyProcessesLead(
  { shareProcessNamespace, hostPID }: V1PodSpec,
  containers: readonly { readonly name: string }[],
): string | undefined {
  // Of a pod that nobody signs, the processes lead to no Secret.
  if (!containers.some(({ name }) => name === SIGNING_CONTAINER)) return undefined;
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
  const volume = volumes.find(({ hostPath }) => hostPath && leadsToSecrets(hostPath.path));
  return (
    volume && `volume ${volume.name} is ${volume.hostPath?.path} of the node, where all Secrets are`
  );
}

function isOurs(volume: string): boolean {
  return volume.startsWith(OWN_VOLUME_PREFIX);
}

/**
 * The first of these Secrets that a part of a pod refers to. Some kinds of volumes name it in
 * `secretName`, others in a `secretRef` or `nodePublishSecretRef`, drivers in attributes of their own;
 * all say "secret".
 */
function secretIn(
  part: unknown,
  secretNames: ReadonlySet<string>,
  isSecret = false,
): string | undefined {
  if (typeof part === 'string') return isSecret && secretNames.has(part) ? part : undefined;
  if (typeof part !== 'object' || part === null) return undefined;
  for (const key of Object.keys(part)) {
    const value = (part as Readonly<Record<string, unknown>>)[key];
    // Most texts are neither: their keys need no look.
    if (typeof value === 'string' && !secretNames.has(value)) continue;
    const saysSecret = /secret/i.test(key) || (isSecret && key === 'name');
    const found = secretIn(value, secretNames, saysSecret && !Array.isArray(part));
    if (found !== undefined) return found;
  }
  return undefined;
}
