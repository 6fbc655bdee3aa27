import { kpackController, type BuildPod } from '../build-pod/build-pod.ts';
import type { SecretFacts } from '../config/config-warnings.ts';
import { credentialsOf, registrySecretsOf } from '../config/credentials-secret.ts';
import { joinUnits } from '../config/notary-config.ts';
import { readNotarySection, secretNamesOf, type NotarySection } from '../config/notary-section.ts';
import { signingMode, type SigningMode } from '../config/signing-label.ts';
import { readLimitRanges, UNBOUNDED, type LimitRangeBounds } from '../injection/limit-range.ts';
import {
  ClusterError,
  type Cluster,
  type ClusterKind,
  type ClusterObject,
  type OwnerReference,
} from '../../shared/kubernetes/cluster.ts';

/** How many Secrets a service account of builds may name: each is read for each build pod. */
export const MOST_SECRETS = 200;

/** An Image or Build, and what it says about signing. */
export interface KpackObject {
  readonly object: ClusterObject;
  readonly section: NotarySection;
}

/** All that the cluster knows about a build pod, as far as a decision needs it. */
export interface ClusterFacts extends Omit<SecretFacts, 'serviceAccountName' | 'tags'> {
  /** What the Namespace says about signing. */
  readonly namespace: NotarySection;
  readonly mode: SigningMode;
  readonly build: KpackObject | undefined;
  /** The Image that controls the Build. */
  readonly image: KpackObject | undefined;
  readonly serviceAccount: ClusterObject | undefined;
  /** Whether the pod is not there yet: then its arguments do not tell its docker Secrets. */
  readonly isPlanned: boolean;
  /** Of the namespace, where they matter for the pod. */
  readonly bounds: LimitRangeBounds;
}

/**
 * Reads what a decision about a build pod needs, in at most two rounds of parallel reads. The first has
 * Namespace, Build and service account. The second has the Image that owns the Build, the Secrets of the
 * service account, and those that the Build or its Namespace names. Where the Image alone names them, they are not
 * looked for. The LimitRanges are read where steps are standard containers: else the signing container
 * asks for what the step before it does.
 *
 * In a namespace that is off, no other failure matters. There is no second round for strangers, who are
 * refused by what is known, and for a pod whose Build is another one, which is not signed.
 *
 * @param isByKpack whether kpack posted the pod
 * @param known objects that are not there yet
 * @returns the mode of the namespace, which decides what a failure of the other reads means
 * @throws ClusterError both
 */
export function readFacts(
  pod: BuildPod,
  namespaceName: string,
  isByKpack: boolean,
  cluster: Cluster,
  known: { readonly build?: ClusterObject; readonly image?: ClusterObject } = {},
): { readonly mode: Promise<SigningMode>; readonly facts: Promise<ClusterFacts> } {
  const { owner, steps, serviceAccountName } = pod;
  const get = (kind: ClusterKind, name: string, apiVersion = 'v1') =>
    cluster.get({ apiVersion, kind, namespace: namespaceName, name });
  const getSecrets = (names: readonly string[]) =>
    Promise.all(names.map((name) => get('Secret', name)));
  const namespace = readNamespace(cluster, namespaceName);
  const others = Promise.all([
    known.build ?? (owner && get('Build', owner.name, owner.apiVersion)),
    get('ServiceAccount', serviceAccountName),
  ]);
  const read = async (): Promise<ClusterFacts> => {
    const first = await namespace;
    const isPlanned = known.build !== undefined;
    const nothing = { build: undefined, serviceAccount: undefined, isPlanned, ...NOT_READ };
    if (first.mode === 'off') return { ...first, ...nothing };
    const [object, serviceAccount] = await others;
    const build = kpackObject('Build', object);
    const facts = { ...first, ...nothing, build, serviceAccount };
    if (!isByKpack || !build || build.object.metadata.uid !== owner?.uid) return facts;
    const controller = imageOwner(build.object);
    const ofAccount = secretNames(serviceAccount, MOST_SECRETS);
    const ofUnits = secretNamesOf(joinUnits(build.section, first.namespace));
    const [image, secrets, unitSecrets, limitRanges] = await Promise.all([
      known.image ?? (controller && get('Image', controller.name, controller.apiVersion)),
      ofAccount && getSecrets(ofAccount),
      getSecrets(ofUnits),
      'waiting' in steps && steps.waiting ? cluster.limitRanges(namespaceName) : [],
    ]);
    return {
      ...facts,
      image: kpackObject('Image', image),
      credentials: secrets && credentialsOf(secrets),
      registrySecrets: secrets && registrySecretsOf(secrets),
      missingSecrets: absentOf(ofUnits, unitSecrets),
      bounds: readLimitRanges(limitRanges),
    };
  };
  const reads = { mode: namespace.then(({ mode }) => mode), facts: read() };
  // Whether a failure matters, the caller decides.
  for (const reading of [others, reads.mode, reads.facts]) reading.catch(() => undefined);
  return reads;
}

/** What the second round of reads brings, where there is none. */
const NOT_READ = {
  image: undefined,
  credentials: [],
  registrySecrets: undefined,
  missingSecrets: [],
  bounds: UNBOUNDED,
};

async function readNamespace(cluster: Cluster, namespaceName: string) {
  const found = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespaceName });
  // The namespace of a new pod exists: who says otherwise is not its API server.
  if (!found) throw new ClusterError(`Namespace ${namespaceName} cannot be found`);
  const namespace = readNotarySection('Namespace', found);
  return { namespaceName, namespace, mode: signingMode(namespace.source) };
}

function kpackObject(
  kind: 'Build' | 'Image',
  object: ClusterObject | undefined,
): KpackObject | undefined {
  return object && { object, section: readNotarySection(kind, object) };
}

/** The Secrets that a service account names, each once; undefined: they are more than that. */
export function secretNames(
  serviceAccount: ClusterObject | undefined,
  most: number,
): readonly string[] | undefined {
  const { secrets = [] } = serviceAccount ?? {};
  if (secrets === 'too-many') return undefined;
  const names = new Set<string>();
  for (const { name } of secrets) {
    if (name) names.add(name);
    if (names.size > most) return undefined;
  }
  return [...names];
}

/** Names of what was looked for, and is not there. */
export function absentOf(
  names: readonly string[],
  found: readonly (ClusterObject | undefined)[],
): readonly string[] {
  return names.filter((_, i) => found[i] === undefined);
}

/** The kpack Image that controls a Build; a Build made by hand has none. */
export function imageOwner(build: ClusterObject): OwnerReference | undefined {
  return kpackController(build.metadata.ownerReferences, 'Image');
}
