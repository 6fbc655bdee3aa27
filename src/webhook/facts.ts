import { CREDENTIALS_ANNOTATION, SIGNING } from '../shared/names.ts';
import { hostOf } from '../shared/notary-url.ts';
import type { ConfigSource } from '../shared/notary-section.ts';
import { kpackController, type BuildPod } from './build-pod.ts';
import type { ClusterObject, ObjectReference, OwnerReference } from './cluster.ts';

/** A Secret that names a Notary server it is for. */
export interface CredentialsSecret {
  readonly name: string;
  /** Value of `kpack.io/notary.v1`: a host, or a URL. */
  readonly server: string;
}

/** All that the cluster knows about a build pod, as far as a decision needs it. */
export interface ClusterFacts {
  readonly namespaceName: string;
  readonly namespace: ClusterObject | undefined;
  /** Value of the label that opts the namespace in. */
  readonly label: string | undefined;
  readonly build: ClusterObject | undefined;
  /** The Image that controls the Build. */
  readonly image: ClusterObject | undefined;
  /** In the order in which the service account names them. */
  readonly credentials: readonly CredentialsSecret[];
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

/** Second round: the Image that owns the Build, and the Secrets of the service account. */
export function secondReads(
  build: ClusterObject | undefined,
  serviceAccount: ClusterObject | undefined,
  namespace: string,
): { image: ObjectReference | undefined; secrets: readonly ObjectReference[] } {
  const owner = imageOwner(build);
  const names = (serviceAccount?.secrets ?? []).flatMap(({ name }) => (name ? [name] : []));
  return {
    image: owner && { apiVersion: owner.apiVersion, kind: 'Image', namespace, name: owner.name },
    secrets: [...new Set(names)].map((name) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace,
      name,
    })),
  };
}

/** The kpack Image that controls a Build; a Build made by hand has none. */
export function imageOwner(build: ClusterObject | undefined): OwnerReference | undefined {
  return kpackController(build?.metadata.ownerReferences, 'Image');
}

/** The credentials Secrets among those of a service account. */
export function credentialsOf(
  secrets: readonly (ClusterObject | undefined)[],
): readonly CredentialsSecret[] {
  return secrets.flatMap((secret) => {
    const server = secret?.metadata.annotations?.[CREDENTIALS_ANNOTATION];
    const name = secret?.metadata.name;
    return server && name ? [{ name, server }] : [];
  });
}

/** A Secret with credentials, and the host as it is to be compared with that of the server. */
export interface HostSecret {
  readonly host: string;
  readonly secretName: string;
}

/** The credentials for one server; the annotation may be a host or a URL. */
export function credentialsFor(
  host: string,
  secrets: readonly CredentialsSecret[],
): readonly HostSecret[] {
  return secrets
    .filter(({ server }) => hostOf(server) === host)
    .map(({ name }) => ({ host, secretName: name }));
}

/** The value of the label that opts the namespace in. */
export function signingLabel(namespace: ClusterObject | undefined): string | undefined {
  return namespace?.metadata.labels?.[SIGNING];
}

/** What the namespace label says. */
export type SigningMode = 'enabled' | 'audit' | 'off' | 'invalid';

/** @param label value of the label; undefined: there is none */
export function signingMode(label: string | undefined): SigningMode {
  if (label === undefined || label === 'disabled') return 'off';
  return label === 'enabled' || label === 'audit' ? label : 'invalid';
}

/** What an object says about signing, yet to be read. */
export function configSource(
  kind: ConfigSource['kind'],
  object: ClusterObject | undefined,
): ConfigSource {
  return {
    kind,
    name: object?.metadata.name ?? '',
    annotations: object?.metadata.annotations ?? {},
    section: kind === 'Namespace' ? undefined : object?.spec?.['notary'],
  };
}

/** The tags that a Build pushes. */
export function buildTags({ spec }: ClusterObject): readonly string[] {
  const tags = spec?.['tags'];
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
}
