import { hasSection } from '../config/notary-section.ts';
import type { BuildPod } from '../build-pod/build-pod.ts';
import type { Cluster } from '../../shared/kubernetes/cluster.ts';
import { MOST_SECRETS, secretNames, type ClusterFacts } from '../policy/facts.ts';
import type { PlannedSigning } from '../injection/signing-container.ts';

/** How it would be signed; of Secrets, the names. */
export interface Signing {
  readonly url: string;
  /** Which object says so, and where. */
  readonly source: string;
  readonly secret: string;
  readonly caSecret: string | undefined;
  readonly credentials: readonly string[];
  readonly rootPins: readonly string[];
  readonly onFailure: string;
  readonly tags: readonly string[];
}

export function describeSigning(
  { config, tags, credentials }: PlannedSigning,
  facts: ClusterFacts,
): Signing {
  return {
    url: config.url,
    source: sourceOf(config, facts),
    secret: config.secretName,
    caSecret: config.caSecretName,
    credentials: credentials.map(({ secretName }) => secretName),
    rootPins: config.rootPins,
    onFailure: config.onFailure,
    tags,
  };
}

/** Which object the url comes from: the first that says the same. */
function sourceOf(
  { url, secretName }: PlannedSigning['config'],
  { build, image, namespace }: ClusterFacts,
): string {
  // What kpack has copied is better known by where it was written.
  const source = [image?.section, build?.section, namespace].find(
    (section) => section?.unit?.url === url && section.unit.secretName === secretName,
  )?.source;
  if (!source) return 'unknown';
  return `${hasSection(source) ? 'spec.notary' : 'annotations'} of ${source.kind} ${source.name}`;
}

/** Secrets, and the service account, that are named and not there. */
export async function findMissing(
  { secret, caSecret, credentials }: Signing,
  { serviceAccountName }: BuildPod,
  { serviceAccount, namespaceName: namespace }: ClusterFacts,
  cluster: Cluster,
): Promise<readonly string[]> {
  const named = new Map([[secret, 'the signing key']]);
  if (caSecret !== undefined) named.set(caSecret, 'the CA of the server');
  for (const name of secretNames(serviceAccount, MOST_SECRETS) ?? []) {
    if (!credentials.includes(name) && !named.has(name)) {
      named.set(name, `named by ServiceAccount ${serviceAccountName}`);
    }
  }
  const looks = [...named].map(async ([name, what]) => {
    const found = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    return found ? [] : [`Secret ${name} (${what})`];
  });
  const missing = (await Promise.all(looks)).flat();
  return serviceAccount ? missing : [`ServiceAccount ${serviceAccountName}`, ...missing];
}
