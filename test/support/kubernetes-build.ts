/** Builds of fixtures in a real API server, which gives its objects UIDs of its own. */
import type { V1ObjectMeta } from '@kubernetes/client-node';
import { demand, type KubeClient } from '../bed/kube-client.ts';
import type { BuildFixture, Manifest, PodManifest } from './build-fixture.ts';

/** A fixture as it is in the API server; its pod is yet to be posted, and free to be changed. */
export interface StoredBuild {
  readonly pod: PodManifest;
  readonly build: BuildFixture['build'];
  readonly image: BuildFixture['image'];
}

/**
 * Stores what a build pod was made from in a namespace that exists, anew where it is there already.
 *
 * @throws Error when one of the objects is refused
 */
export async function storeBuild(
  api: KubeClient,
  fixture: Omit<BuildFixture, 'namespace'>,
  namespace: string,
): Promise<StoredBuild> {
  const put = async <T extends Manifest>(object: T): Promise<T> =>
    demand(await api.apply(inNamespace(object, namespace, undefined)));
  await Promise.all([...fixture.secrets, fixture.serviceAccount].map(put));
  const image = fixture.image && (await put(fixture.image));
  const build = demand(await api.apply(inNamespace(fixture.build, namespace, image)));
  return { image, build, pod: inNamespace(fixture.pod, namespace, build) };
}

/** An object as it is posted: in that namespace, without what a server adds, owned by the owner. */
function inNamespace<T extends Manifest>(
  object: T,
  namespace: string,
  owner: Manifest | undefined,
): T {
  const copy: Manifest & { readonly metadata: Metadata } & T = structuredClone(object);
  const { name, labels, annotations, ownerReferences } = copy.metadata;
  const owners = ownerReferences?.map((reference) =>
    owner?.kind === reference.kind && owner.metadata.name === reference.name
      ? Object.assign(reference, { uid: owner.metadata.uid })
      : reference,
  );
  const metadata = {
    name,
    namespace,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(owners && { ownerReferences: owners }),
  };
  return Object.assign(copy, { metadata });
}

type Metadata = Manifest['metadata'] & Pick<V1ObjectMeta, 'ownerReferences'>;
