import type { V1EphemeralContainer, V1PodSpec } from '@kubernetes/client-node';
import { REPORT_VOLUME, SIGNING_CONTAINER, VOLUME } from '../shared/names.ts';
import { allContainers, type Pod } from './build-pod.ts';
import { readBuildSteps } from './build-steps.ts';
import { whyReads } from './secret-exposure.ts';

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
export function whyEphemeralLeads({ spec }: Pod, { spec: before }: Pod): EphemeralLead | undefined {
  // One that is there stays: to refuse what kpack does later would only hold up the build.
  const known = new Set(before.ephemeralContainers?.map(({ name }) => name));
  const guarded = guardedParts(spec);
  for (const container of spec.ephemeralContainers ?? []) {
    if (known.has(container.name)) continue;
    const way = whyEscapes(container, spec) ?? whyReadsSecret(container, guarded);
    if (way !== undefined) return { code: 'SECRET_EXPOSED', what: `ephemeral container ${way}` };
    const mount = mountsOf(container).find(({ name }) => guarded.volumes.has(name));
    if (mount) {
      const what = `ephemeral container ${container.name} mounts volume ${mount.name}, which decides what is signed`;
      return { code: 'POD_CHANGE_REFUSED', what };
    }
  }
  return undefined;
}

/** What of a signed pod is for its steps and its signer alone. */
interface GuardedParts {
  readonly secretNames: ReadonlySet<string>;
  readonly secretVolumes: ReadonlySet<string>;
  /** The report, and the files by which standard containers wait for one another. */
  readonly volumes: ReadonlySet<string>;
}

function guardedParts(spec: V1PodSpec): GuardedParts {
  const signer = allContainers(spec).find(({ name }) => name === SIGNING_CONTAINER);
  const mounted = new Set(signer?.volumeMounts?.map(({ name }) => name));
  // A CA is public by purpose.
  const secrets = (spec.volumes ?? []).filter(
    ({ name, secret }) => secret && mounted.has(name) && name !== VOLUME.ca,
  );
  const steps = readBuildSteps(spec);
  const waiting = 'unknown' in steps ? undefined : steps.waiting;
  return {
    secretNames: new Set(secrets.flatMap(({ secret }) => secret?.secretName ?? [])),
    secretVolumes: new Set(secrets.map(({ name }) => name)),
    volumes: new Set([REPORT_VOLUME, ...(waiting ? [waiting.mount.name] : [])]),
  };
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

function whyReadsSecret(
  container: V1EphemeralContainer,
  { secretNames, secretVolumes }: GuardedParts,
): string | undefined {
  const mount = mountsOf(container).find(({ name }) => secretVolumes.has(name));
  if (mount) return `${container.name} mounts volume ${mount.name}`;
  return whyReads(container, secretNames)?.replace(/^container /, '');
}

function mountsOf({ volumeMounts = [], volumeDevices = [] }: V1EphemeralContainer) {
  return [...volumeMounts, ...volumeDevices];
}

/** Runtimes take either form, in upper and lower case. */
function capabilityName(capability: string): string {
  return capability.toUpperCase().replace(/^CAP_/, '');
}
