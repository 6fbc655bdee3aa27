import type { V1EphemeralContainer, V1PodSpec } from '@kubernetes/client-node';
import { REPORT_VOLUME, SIGNING_CONTAINER, VOLUME } from '../../shared/names.ts';
import { signerOf, type Pod } from '../build-pod/build-pod.ts';
import { readBuildSteps } from '../build-pod/build-steps.ts';

/** Where an ephemeral container would get to, and how it is refused. */
export interface EphemeralLead {
  readonly code: 'SECRET_EXPOSED' | 'POD_CHANGE_REFUSED';
  readonly what: string;
}

/** Capabilities that lead out of a container: to any file of the node, its memory, or its kernel. */
const ESCAPES = [
  'ALL',
  'BPF',
  'DAC_READ_SEARCH',
  'PERFMON',
  'SYS_ADMIN',
  'SYS_MODULE',
  'SYS_RAWIO',
];

/**
 * Where an ephemeral container that is added would get to: the Secrets of the signer, its processes,
 * or the files that decide what is signed and when. Undefined: none does.
 */
export function whyEphemeralLeads(pod: Pod, { spec: before }: Pod): EphemeralLead | undefined {
  const { spec } = pod;
  const secretVolumes = new Set(volumesWithKeys(pod));
  // The report, and the files by which standard containers wait for one another.
  const steps = readBuildSteps(spec);
  const waiting = 'unknown' in steps ? undefined : steps.waiting;
  const deciding = [REPORT_VOLUME, ...(waiting ? [waiting.mount.name] : [])];
  for (const container of added(spec, before)) {
    const { name, volumeMounts = [], volumeDevices = [] } = container;
    const mounts = [...volumeMounts, ...volumeDevices].map((mount) => mount.name);
    const secret = mounts.find((mount) => secretVolumes.has(mount));
    const way =
      whyEscapes(container, spec) ??
      (secret && `${name} mounts volume ${secret}`) ??
      whyTakesVariables(container);
    if (way !== undefined) return { code: 'SECRET_EXPOSED', what: `ephemeral container ${way}` };
    const mount = mounts.find((each) => deciding.includes(each));
    if (mount !== undefined) {
      const what = `ephemeral container ${name} mounts volume ${mount}, which decides what is signed`;
      return { code: 'POD_CHANGE_REFUSED', what };
    }
  }
  return undefined;
}

/** A CA is public by purpose, unless its Secret holds a key or credentials as well. */
const PUBLIC_VOLUMES: readonly string[] = [VOLUME.ca, VOLUME.timestampCa, VOLUME.registryCa];

/** Volumes of the signing container with Secrets that nobody else may read. */
function volumesWithKeys(pod: Pod): readonly string[] {
  const mounted = new Set(signerOf(pod)?.volumeMounts?.map(({ name }) => name));
  const held = (pod.spec.volumes ?? []).flatMap(({ name, secret }) =>
    secret && mounted.has(name) ? [{ name, secretName: secret.secretName }] : [],
  );
  const isPublic = ({ name }: { readonly name: string }) => PUBLIC_VOLUMES.includes(name);
  const keys = new Set(held.filter((it) => !isPublic(it)).map(({ secretName }) => secretName));
  return held.filter(({ secretName }) => keys.has(secretName)).map(({ name }) => name);
}

/**
 * How an ephemeral container that is added to a build pod, signed or not, gets at a Secret that its
 * Namespace names. The pod does not say which these are: none at all may be read. Undefined: it does not.
 */
export function whyEphemeralReads({ spec }: Pod, { spec: before }: Pod): string | undefined {
  const [way] = added(spec, before).flatMap((container) => whyTakesVariables(container) ?? []);
  return way && `ephemeral container ${way}`;
}

/** One that is there stays: to refuse what kpack does later would only hold up the build. */
function added(spec: V1PodSpec, before: V1PodSpec): readonly V1EphemeralContainer[] {
  const known = new Set(before.ephemeralContainers?.map(({ name }) => name));
  return (spec.ephemeralContainers ?? []).filter(({ name }) => !known.has(name));
}

/** How a container gets to the processes of the signer, or to the node. */
function whyEscapes(
  { name, targetContainerName, securityContext }: V1EphemeralContainer,
  { shareProcessNamespace, hostPID }: V1PodSpec,
): string | undefined {
  // It would see the processes of its target, and through them the files.
  if (targetContainerName === SIGNING_CONTAINER) return `${name} targets ${SIGNING_CONTAINER}`;
  const { privileged, procMount, capabilities, windowsOptions } = securityContext ?? {};
  if (privileged === true || windowsOptions?.hostProcess === true) {
    return `${name} is privileged, and so reaches all that is on the node`;
  }
  if (procMount === 'Unmasked') return `${name} has an unmasked /proc, which leads to the node`;
  const added = capabilities?.add?.map(capabilityName) ?? [];
  const escape = added.find((capability) => ESCAPES.includes(capability));
  if (escape !== undefined) {
    return `${name} has the capability ${escape}, and so reaches all that is on the node`;
  }
  // Alone it is what kubectl debug gives, and reaches no process but its own.
  const seesOthers =
    Boolean(targetContainerName) || shareProcessNamespace === true || hostPID === true;
  return seesOthers && added.includes('SYS_PTRACE')
    ? `${name} has the capability SYS_PTRACE, and sees the processes of another container`
    : undefined;
}

function whyTakesVariables({
  name,
  env = [],
  envFrom = [],
}: V1EphemeralContainer): string | undefined {
  const sources = [
    ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef),
    ...envFrom.map(({ secretRef }) => secretRef),
  ];
  const secret = sources.find((source) => source);
  return secret && `${name} takes variables from Secret ${secret.name}`;
}

/** Runtimes take either form, in upper and lower case. */
function capabilityName(capability: string): string {
  return capability.toUpperCase().replace(/^CAP_/, '');
}
