import { readNotarySection, type ServerAndKey } from '../config/notary-section.ts';
import { kpackController, type BuildPod } from '../build-pod/build-pod.ts';
import type {
  ClusterObject,
  ObjectReference,
  OwnerReference,
} from '../../shared/kubernetes/cluster.ts';
import { configSource } from '../config/config-source.ts';
import type { LimitRangeBounds } from '../injection/limit-range.ts';
import type { CredentialsSecret } from '../config/credentials-secret.ts';
/** How many Secrets a service account of builds may name: each is read for each build pod. */
export const MOST_SECRETS = 200;

/** All that the cluster knows about a build pod, as far as a decision needs it. */
export interface ClusterFacts {
  readonly namespaceName: string;
  readonly namespace: ClusterObject | undefined;
  /** Value of the label that opts the namespace in. */
  readonly label: string | undefined;
  readonly build: ClusterObject | undefined;
  /** The Image that controls the Build. */
  readonly image: ClusterObject | undefined;
  /**
   * In the order in which the service account names them; undefined: it names more than
   * {@link MOST_SECRETS}, and none was looked at.
   */
  readonly credentials: readonly CredentialsSecret[] | undefined;
  /** Secrets that were looked for and are not there. */
  readonly missingSecrets: readonly string[];
  /** Of the namespace, where they matter for the pod. */
  readonly bounds: LimitRangeBounds;
}

/** First round of reads: all at once. */
export function firstReads(
  { owner, serviceAccountName }: BuildPod,
  namespace: string,
): {
  namespace: ObjectReference;
  build: ObjectReference | undefined;
  serviceAccount: ObjectReference;
} {
  return {
    namespace: { apiVersion: 'v1', kind: 'Namespace', name: namespace },
    build: owner && {
      apiVersion: owner.apiVersion,
      kind: 'Build',
      namespace,
      name: owner.name,
    },
    serviceAccount: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      namespace,
      name: serviceAccountName,
    },
  };
}

/**
 * Second round: the Image that owns the Build, the Secrets of the service account, and those that
 * the Build or its Namespace names. Where the Image alone names them, they are not looked for. The
 * LimitRanges, where steps are standard containers: else ours asks for what the step before it does.
 * Nothing where the Build is not the one that the pod says, as then the pod is not signed.
 */
export function secondReads(
  { steps, owner: podOwner }: Pick<BuildPod, 'steps' | 'owner'>,
  { build, namespace, namespaceName }: Pick<ClusterFacts, 'build' | 'namespace' | 'namespaceName'>,
  serviceAccount: ClusterObject | undefined,
): {
  image: ObjectReference | undefined;
  /** Undefined: the service account names too many. */
  secrets: readonly ObjectReference[] | undefined;
  unitSecrets: readonly ObjectReference[];
  /** The namespace that they are listed of. */
  limitRanges: string | undefined;
} {
  if (build === undefined || build.metadata.uid !== podOwner?.uid) return NO_READS;
  const owner = imageOwner(build);
  const unit =
    readNotarySection(configSource('Build', build)).unit ??
    readNotarySection(configSource('Namespace', namespace)).unit;
  return {
    image: owner && {
      apiVersion: owner.apiVersion,
      kind: 'Image',
      namespace: namespaceName,
      name: owner.name,
    },
    secrets: secretsOf(serviceAccount, namespaceName, MOST_SECRETS),
    unitSecrets: unitSecrets(unit, namespaceName),
    limitRanges: 'waiting' in steps && steps.waiting ? namespaceName : undefined,
  };
}

const NO_READS = { image: undefined, secrets: [], unitSecrets: [], limitRanges: undefined };

/** The Secrets that a service account names, each once; undefined: they are more than that. */
export function secretsOf(
  serviceAccount: ClusterObject | undefined,
  namespace: string,
  most: number,
): readonly ObjectReference[] | undefined {
  const { secrets = [] } = serviceAccount ?? {};
  if (secrets === 'too-many') return undefined;
  const names = new Set<string>();
  for (const { name } of secrets) {
    if (name) names.add(name);
    if (names.size > most) return undefined;
  }
  return [...names].map((name) => secretReference(name, namespace));
}

/** The Secrets that a configuration names. */
export function unitSecrets(
  unit: ServerAndKey | undefined,
  namespace: string,
): readonly ObjectReference[] {
  return [unit?.secretName, unit?.caSecretName]
    .filter((name) => name !== undefined)
    .map((name) => secretReference(name, namespace));
}

function secretReference(name: string, namespace: string): ObjectReference {
  return { apiVersion: 'v1', kind: 'Secret', namespace, name };
}

/** Names of what was looked for, and is not there. */
export function missingOf(
  references: readonly ObjectReference[],
  found: readonly (ClusterObject | undefined)[],
): readonly string[] {
  return references.filter((_, i) => found[i] === undefined).map(({ name }) => name);
}

/** The kpack Image that controls a Build; a Build made by hand has none. */
export function imageOwner(build: ClusterObject | undefined): OwnerReference | undefined {
  return kpackController(build?.metadata.ownerReferences, 'Image');
}

/** The tags that a Build pushes. */
export function buildTags({ spec }: ClusterObject): readonly string[] {
  const tags = spec?.['tags'];
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
}
