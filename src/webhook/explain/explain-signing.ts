import type { ConfigSource } from '../config/notary-field.ts';
import { hasSection, type NotarySection } from '../config/notary-section.ts';
import type { BuildPod } from '../build-pod/build-pod.ts';
import type { Cluster } from '../../shared/kubernetes/cluster.ts';
import { MOST_SECRETS, secretNames, type ClusterFacts } from '../policy/facts.ts';
import type { PlannedSigning } from '../injection/signing-container.ts';

/** How it would be signed; of Secrets, the names. Where nothing signs with v1, its members are absent. */
export interface Signing extends Partial<V1Signing> {
  readonly v2: V2Signing | undefined;
  readonly registryCaSecret: string | undefined;
  readonly onFailure: string;
  readonly tags: readonly string[];
}

/** At a Notary v1 server. */
export interface V1Signing {
  readonly url: string;
  /** Which object says so, and where. */
  readonly source: string;
  readonly secret: string;
  readonly caSecret: string | undefined;
  readonly credentials: readonly string[];
  readonly rootPins: readonly string[];
}

/** By a signature of the Notary Project in the registry. */
export interface V2Signing {
  /** Which object says so. */
  readonly source: string;
  readonly secret: string;
  readonly timestamp: { readonly url: string; readonly caSecret: string } | undefined;
  readonly expiry: string | undefined;
  readonly onFailure: string;
}

export function describeSigning(
  { config, tags, credentials }: PlannedSigning,
  facts: ClusterFacts,
): Signing {
  const { v1, v2, registryCaSecretName, onFailure } = config;
  return {
    ...(v1 && {
      url: v1.url,
      source: sourceOf(
        facts,
        ({ v1: its }) => its?.url === v1.url && its.secretName === v1.secretName,
        hasSection,
      ),
      secret: v1.secretName,
      caSecret: v1.caSecretName,
      credentials: credentials.map(({ secretName }) => secretName),
      rootPins: v1.rootPins,
    }),
    v2: v2 && {
      source: sourceOf(facts, ({ v2: its }) => its?.secretName === v2.secretName),
      secret: v2.secretName,
      timestamp: v2.timestamp && {
        url: v2.timestamp.url,
        caSecret: v2.timestamp.caSecretName,
      },
      expiry: v2.expiry,
      onFailure: v2.onFailure,
    },
    registryCaSecret: registryCaSecretName,
    onFailure,
    tags,
  };
}

/** Which object a unit comes from: the first that says the same. */
function sourceOf(
  { build, image, namespace }: ClusterFacts,
  saysTheSame: (section: NotarySection) => boolean,
  isInSection: (source: ConfigSource) => boolean = () => false,
): string {
  // What kpack has copied is better known by where it was written.
  const sections = [image?.section, build?.section, namespace];
  const source = sections.find((section) => section && saysTheSame(section))?.source;
  if (!source) return 'unknown';
  return `${isInSection(source) ? 'spec.notary' : 'annotations'} of ${source.kind} ${source.name}`;
}

/** Secrets, and the service account, that are named and not there. */
export async function findMissing(
  { secret, caSecret, credentials, v2, registryCaSecret }: Signing,
  { serviceAccountName }: BuildPod,
  { serviceAccount, namespaceName: namespace }: ClusterFacts,
  cluster: Cluster,
): Promise<readonly string[]> {
  const named = new Map<string, string>();
  const look = (name: string | undefined, what: string) => {
    if (name !== undefined && !named.has(name)) named.set(name, what);
  };
  look(secret, 'the signing key');
  look(caSecret, 'the CA of the server');
  look(v2?.secret, 'the v2 signing key');
  look(v2?.timestamp?.caSecret, 'the CA of the timestamp server');
  look(registryCaSecret, 'the CA of the registry');
  for (const name of secretNames(serviceAccount, MOST_SECRETS) ?? []) {
    if (!credentials?.includes(name)) look(name, `named by ServiceAccount ${serviceAccountName}`);
  }
  const looks = [...named].map(async ([name, what]) => {
    const found = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    return found ? [] : [`Secret ${name} (${what})`];
  });
  const missing = (await Promise.all(looks)).flat();
  return serviceAccount ? missing : [`ServiceAccount ${serviceAccountName}`, ...missing];
}
