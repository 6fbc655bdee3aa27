import { hasSection, readNotarySection } from '../config/notary-section.ts';
import type { BuildPod } from '../build-pod/build-pod.ts';
import type { Cluster, ClusterObject } from '../../shared/kubernetes/cluster.ts';
import { configSource } from '../config/config-source.ts';
import { MOST_SECRETS, secretsOf } from '../policy/facts.ts';
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

/** @param objects where the configuration may come from */
export function describeSigning(
  { config, tags, credentials }: PlannedSigning,
  objects: readonly [
    build: ClusterObject | undefined,
    image: ClusterObject | undefined,
    namespace: ClusterObject | undefined,
  ],
): Signing {
  return {
    url: config.url,
    source: sourceOf(config, objects),
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
  [build, image, namespace]: Parameters<typeof describeSigning>[1],
): string {
  const levels = [
    // What kpack has copied is better known by where it was written.
    configSource('Image', image),
    configSource('Build', build),
    configSource('Namespace', namespace),
  ];
  for (const level of levels) {
    const { unit } = readNotarySection(level);
    if (unit?.url !== url || unit.secretName !== secretName) continue;
    return `${hasSection(level) ? 'spec.notary' : 'annotations'} of ${level.kind} ${level.name}`;
  }
  return 'unknown';
}

/** Secrets, and the service account, that are named and not there. */
export async function findMissing(
  { secret, caSecret, credentials }: Signing,
  { serviceAccountName }: BuildPod,
  serviceAccount: ClusterObject | undefined,
  cluster: Cluster,
  namespace: string,
): Promise<readonly string[]> {
  const named = new Map([[secret, 'the signing key']]);
  if (caSecret !== undefined) named.set(caSecret, 'the CA of the server');
  for (const { name } of secretsOf(serviceAccount, namespace, MOST_SECRETS) ?? []) {
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
