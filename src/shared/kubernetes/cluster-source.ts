import { statSync } from 'node:fs';
import type { ListingCluster } from './cluster.ts';
import type { AccessSource } from './kubernetes-access.ts';
import { manifestCluster } from './manifest-cluster.ts';
import { SettingsError } from '../settings-error.ts';

/** Which cluster is meant. */
export type ClusterSource =
  | { readonly kind: 'in-cluster' }
  | { readonly kind: 'kubeconfig'; readonly file: string }
  | { readonly kind: 'manifests'; readonly directory: string };

/** A cluster, with the way to its API where it has one. */
export interface OpenedCluster extends ListingCluster {
  readonly access?: AccessSource;
}

/**
 * The cluster that the two flags name; without them, the one that the program runs in.
 *
 * @param problems gets what is wrong
 */
export function clusterSource(
  values: Readonly<Record<'kubeconfig' | 'manifests', readonly string[]>>,
  problems: string[],
): ClusterSource {
  const [[kubeconfig], [manifests]] = [values.kubeconfig, values.manifests];
  if (kubeconfig !== undefined && manifests !== undefined) {
    problems.push('--kubeconfig and --manifests exclude each other');
  }
  if (kubeconfig !== undefined) return { kind: 'kubeconfig', file: kubeconfig };
  if (manifests !== undefined) return { kind: 'manifests', directory: manifests };
  return { kind: 'in-cluster' };
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** @throws SettingsError when there is no such cluster */
export async function openCluster(source: ClusterSource): Promise<OpenedCluster> {
  if (source.kind === 'manifests') {
    const { directory } = source;
    if (!isDirectory(directory)) {
      throw new SettingsError(`--manifests ${directory} is not a directory that can be read`);
    }
    return manifestCluster(directory);
  }
  // Loaded on demand: it is the largest library, and offline use does not need it.
  const { openKubernetesCluster } = await import('./kubernetes-cluster.ts');
  const kubeconfig = source.kind === 'kubeconfig' ? source.file : undefined;
  try {
    return openKubernetesCluster(kubeconfig);
  } catch (error) {
    const { message } = error as Error;
    throw new SettingsError(
      kubeconfig === undefined
        ? `not in a cluster, and neither --kubeconfig nor --manifests is given: ${message}`
        : `--kubeconfig ${kubeconfig} cannot be used: ${message.split('\n')[0] ?? ''}`,
    );
  }
}
