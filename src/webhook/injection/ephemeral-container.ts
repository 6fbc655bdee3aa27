import type { V1EphemeralContainer, V1PodSpec } from '@kubernetes/client-node';
import { REPORT_VOLUME, SIGNING_CONTAINER, VOLUME } from '../../shared/names.ts';
import { allContainers, type Pod } from '../build-pod/build-pod.ts';
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
export function whyEphemeralLeads({ spec }: Pod, { spec: before }: Pod): EphemeralLead | undefined {
  const guarded = guardedParts(spec);
  for (const container of added(spec, before)) {
    const way =
      whyEscapes(container, spec) ?? whyMounts(container, guarded) ?? whyTakesVariables(container);
    if (way !== undefined) return { code: 'SECRET_EXPOSED', what: `ephemeral container ${way}` };
    const mount = mountsOf(container).find(({ name }) => guarded.volumes.has(name));
    if (mount) {
      const what = `ephemeral container ${container.name} mounts volume ${mount.name}, which decides what is signed`;
      return { code: 'POD_CHANGE_REFUSED', what };
    }
  }
  return undefined;
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

/** What of a signed pod is for its steps and its signer alone. */
interface GuardedParts {
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

function whyMounts(
  container: V1EphemeralContainer,
  { secretVolumes }: GuardedParts,
): string | undefined {
  const mount = mountsOf(container).find(({ name }) => secretVolumes.has(name));
  return mount && `${container.name} mounts volume ${mount.name}`;
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

function mountsOf({ volumeMounts = [], volumeDevices = [] }: V1EphemeralContainer) {
  return [...volumeMounts, ...volumeDevices];
}

/** Runtimes take either form, in upper and lower case. */
function capabilityName(capability: string): string {
  return capability.toUpperCase().replace(/^CAP_/, '');
}
