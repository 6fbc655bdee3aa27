import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { groupOf } from './build-pod.ts';
import { ClusterError, type Cluster, type ClusterObject, type ObjectReference } from './cluster.ts';

interface Manifest extends ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * A directory of manifests (YAML or JSON, `kind: List` too) in place of a cluster, read anew at each
 * look: for the demo, offline use and fast tests. Of Secrets it gives the metadata alone, as the
 * Kubernetes API is asked to.
 */
export function manifestCluster(directory: string): Cluster {
  return {
    async get(reference) {
      const manifests = await readManifests(directory);
      const found = manifests.find((manifest) => isMeant(manifest, reference));
      if (!found) return undefined;
      return reference.kind === 'Secret' ? { metadata: found.metadata } : found;
    },
  };
}

/** Whether a manifest is the object; any version of its group is served as any other. */
function isMeant({ apiVersion, kind, metadata }: Manifest, reference: ObjectReference): boolean {
  return (
    kind === reference.kind &&
    groupOf(apiVersion) === groupOf(reference.apiVersion) &&
    metadata.name === reference.name &&
    (reference.namespace === undefined || (metadata.namespace ?? 'default') === reference.namespace)
  );
}

/** @throws ClusterError */
async function readManifests(directory: string): Promise<readonly Manifest[]> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
    const documents = await Promise.all(
      names.map(async (name) => loadAll(await readFile(join(directory, name), 'utf8'))),
    );
    return documents.flat().flatMap(manifestsOf);
  } catch (cause) {
    throw new ClusterError(`${directory} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function manifestsOf(document: unknown): readonly Manifest[] {
  if (typeof document !== 'object' || document === null) return [];
  const { items } = document as { items?: unknown };
  if (Array.isArray(items)) return items.flatMap(manifestsOf);
  return 'metadata' in document && 'kind' in document ? [document as unknown as Manifest] : [];
}
