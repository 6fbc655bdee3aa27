import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { groupOf } from './build-pod.ts';
import { ClusterError, type Cluster, type ClusterObject, type ObjectReference } from './cluster.ts';

/** A file as it was when it was parsed. */
interface ParsedFile {
  /** Which file, how long, and when it was changed. */
  readonly state: string;
  readonly manifests: readonly Manifest[];
}

interface Manifest extends ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * A directory of manifests (YAML or JSON, `kind: List` too) in place of a cluster, read anew when
 * they change: for the demo, offline use and fast tests. Of Secrets it gives the metadata alone, as
 * the Kubernetes API is asked to.
 */
export function manifestCluster(directory: string): Cluster {
  const parsed = new Map<string, ParsedFile>();
  return {
    async get(reference) {
      const manifests = await readManifests(directory, parsed);
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
async function readManifests(
  directory: string,
  parsed: Map<string, ParsedFile>,
): Promise<readonly Manifest[]> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
    const files = await Promise.all(
      names.map((name) => readFileOnce(join(directory, name), parsed)),
    );
    return files.flat();
  } catch (cause) {
    throw new ClusterError(`${directory} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Parses a file again only when it has changed: parsing takes far longer than looking. */
async function readFileOnce(
  file: string,
  parsed: Map<string, ParsedFile>,
): Promise<readonly Manifest[]> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(file);
  const state = [ino, size, mtimeMs, ctimeMs].join();
  const known = parsed.get(file);
  if (known?.state === state) return known.manifests;
  const manifests = loadAll(await readFile(file, 'utf8')).flatMap(manifestsOf);
  parsed.set(file, { state, manifests });
  return manifests;
}

function manifestsOf(document: unknown): readonly Manifest[] {
  if (typeof document !== 'object' || document === null) return [];
  const { items } = document as { items?: unknown };
  if (Array.isArray(items)) return items.flatMap(manifestsOf);
  return 'metadata' in document && 'kind' in document ? [document as unknown as Manifest] : [];
}
