import type {
  V1Capabilities,
  V1Container,
  V1SecurityContext,
  V1SELinuxOptions,
  V1Volume,
  V1VolumeMount,
} from '@kubernetes/client-node';

/**
 * The normal form of a part of a pod: what is left of it when all is taken away that says nothing.
 *
 * Two parts with the same normal form run the same, with the same rights. What the API server would
 * fill in anyway says nothing, and neither does what only confines the part further. All else stays,
 * fields that no version of Kubernetes has yet included: nobody can know what they will mean.
 */
export type NormalForm = Readonly<Record<string, unknown>>;

/**
 * What other admission plug-ins may decide about the signing container: where its image is pulled
 * from, its resources, and variables and mounts beside its own.
 */
const FREE_MEMBERS = [
  'image',
  'imagePullPolicy',
  'resizePolicy',
  'env',
  'envFrom',
  'volumeMounts',
  'resources',
];

/**
 * What the API server fills in where nothing is said. False, empty texts, lists and objects say
 * nothing wherever they stand.
 * https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/defaults.go
 */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  mountPropagation: 'None',
  procMount: 'Default',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};

/** SELinux types that the Pod Security Standard `baseline` takes for no more than the default. */
const CONFINED_TYPES = ['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
/** A mode that serves with and without an fsGroup, which may come after the webhook. */
const WORLD_READABLE = 0o444;
/** What the kubelet adds to the mode of a Secret's files where the pod has an fsGroup. */
const GROUP_READABLE = 0o440;

/**
 * A container without image, mounts, variables and resources, which are compared by other rules.
 *
 * @param podRestartPolicy what holds for a container that states none
 */
export function normalContainer(
  container: V1Container,
  podRestartPolicy: string | undefined,
): NormalForm {
  const { restartPolicy, securityContext } = container;
  // Always makes a sidecar of an init container, whatever the policy of the pod.
  const isOfPod = restartPolicy !== 'Always' && restartPolicy === podRestartPolicy;
  return normalObject({
    ...without(container, FREE_MEMBERS),
    restartPolicy: isOfPod ? undefined : restartPolicy,
    securityContext: normalContext(securityContext ?? {}),
  });
}

/** Whether a mount does the same as one of these. */
export function amongMounts(
  mounts: readonly V1VolumeMount[] = [],
): (mount: V1VolumeMount) => boolean {
  const keys = new Set(mounts.map(mountKey));
  return (mount) => keys.has(mountKey(mount));
}

/**
 * A volume that should be like another one.
 *
 * @param like decides which modes of a Secret's files are as closed
 */
export function normalVolume(
  { secret, emptyDir, ...others }: V1Volume,
  like: V1Volume,
): NormalForm {
  return normalObject({
    ...others,
    // A volume of no kind is an empty directory.
    emptyDir: emptyDir && without(emptyDir, ['sizeLimit']),
    secret: secret && {
      ...without(secret, ['defaultMode']),
      defaultMode: normalMode(secret.defaultMode, like.secret?.defaultMode),
    },
  });
}

/** Where two values of plain JSON differ; undefined: nowhere. */
export function whyDifferent(left: unknown, right: unknown, path: string): string | undefined {
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return left === right ? undefined : `${path} has been changed`;
  }
  const [ours, theirs] = [new Map(Object.entries(left)), new Map(Object.entries(right))];
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const difference = whyDifferent(ours.get(name), theirs.get(name), `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** Two mounts that do the same have the same text. How read-only one is below itself only confines. */
function mountKey(mount: V1VolumeMount): string {
  return JSON.stringify(Object.entries(normalObject(without(mount, ['recursiveReadOnly']))).sort());
}

function normalContext(context: V1SecurityContext): object {
  const {
    // Which user that is not root, the pod may say, or another plug-in; the groups likewise.
    runAsUser: _user,
    runAsGroup: _group,
    allowPrivilegeEscalation = true,
    appArmorProfile,
    capabilities,
    seccompProfile,
    seLinuxOptions,
    ...others
  } = context;
  return {
    ...others,
    allowPrivilegeEscalation,
    appArmorProfile: isConfining(appArmorProfile) ? undefined : appArmorProfile,
    capabilities: capabilities && normalCapabilities(capabilities),
    seccompProfile: isConfining(seccompProfile) ? { type: 'RuntimeDefault' } : seccompProfile,
    seLinuxOptions: seLinuxOptions && normalSeLinux(seLinuxOptions),
  };
}

/** A profile of the node confines what runs to less than the runtime's own does. */
function isConfining(profile: { readonly type: string } | undefined): boolean {
  return profile?.type === 'RuntimeDefault' || profile?.type === 'Localhost';
}

/** OpenShift names some to be dropped beside all. */
function normalCapabilities({ drop, ...others }: V1Capabilities): object {
  return { ...others, drop: drop?.includes('ALL') ? ['ALL'] : drop };
}

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
function normalSeLinux({ level: _level, type, ...others }: V1SELinuxOptions): object {
  return { ...others, type: CONFINED_TYPES.includes(type ?? '') ? undefined : type };
}

function normalMode(mode: number | undefined, like: number | undefined): number | undefined {
  if (mode === WORLD_READABLE) return like;
  return mode !== undefined && like === GROUP_READABLE ? mode | GROUP_READABLE : mode;
}

/** The members of an object that say something. */
function normalObject(object: object): NormalForm {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, member]) => {
      const value = normalValue(member);
      return saysNothing(value) || value === DEFAULTS[name] ? [] : [[name, value]];
    }),
  );
}

function normalValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalValue);
  return typeof value === 'object' && value !== null ? normalObject(value) : value;
}

function saysNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === false || value === '';
}

function without(object: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}
