/** kpack-notary in the cluster, as an admin installs it: with kubectl, and a kustomization of their own. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { V1EndpointSlice, V1Pod } from '@kubernetes/client-node';
import { loadAll } from 'js-yaml';
import type { Cluster } from '../bed/cluster.ts';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { projectDirectory } from '../bed/project-directory.ts';

/** Where everything of ours is. */
export const NAMESPACE = 'kpack-notary';
export const DEPLOYMENT = 'kpack-notary-webhook';

/**
 * Writes the kustomization: `deploy/` as it is, with nothing but the names of the images set.
 *
 * @param components of `deploy/components`
 * @returns its directory
 */
export async function writeKustomization(
  cluster: Cluster,
  components: readonly string[] = [],
): Promise<string> {
  const directory = join(cluster.directory, 'install');
  await mkdir(directory, { recursive: true });
  // kustomize takes no absolute paths.
  const deploy = relative(directory, join(projectDirectory(), 'deploy'));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [deploy],
    components: components.map((name) => join(deploy, 'components', name)),
    images: ['webhook', 'signer'].map((name) => ({
      name: `registry.invalid/kpack-notary/${name}`,
      newName: `localhost/kpack-notary/${name}`,
    })),
  };
  // JSON is YAML too.
  await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization));
  return directory;
}

/** What a kustomization renders to. */
export async function render(cluster: Cluster, directory: string): Promise<KubeReference[]> {
  return loadAll(await cluster.kubectl('kustomize', directory)) as KubeReference[];
}

/**
 * Addresses of the replicas that requests are sent to. What a Deployment says of its replicas comes later:
 * one that has just died still counts there.
 */
export async function endpoints({ api }: Cluster): Promise<readonly string[]> {
  const slices = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: NAMESPACE };
  const { items } = demand(await api.list(slices));
  return (items as V1EndpointSlice[])
    .flatMap((slice) => slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready === true)
    .flatMap(({ addresses }) => addresses);
}

/** Waits until a rollout has ended; throws Error with kubectl's words where it does not. */
export async function rolledOut(cluster: Cluster): Promise<void> {
  const what = `deployment/${DEPLOYMENT}`;
  await cluster.kubectl('-n', NAMESPACE, 'rollout', 'status', what, '--timeout=120s');
}

/** Our pods that are not about to end. */
export async function replicas({ api }: Cluster): Promise<readonly V1Pod[]> {
  const pods = { apiVersion: 'v1', kind: 'Pod', namespace: NAMESPACE };
  const { items } = demand(await api.list(pods));
  return (items as V1Pod[]).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
}
