import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAll, YAMLException } from 'js-yaml';
import {
  ClusterError,
  type ClusterObject,
  type ListedKind,
  type ListedObject,
  type ListingCluster,
  groupOf,
  KINDS,
} from './cluster.ts';

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
export function manifestCluster(directory: string): ListingCluster {
  const parsed = new Map<string, ParsedFile>();
  const list = async (kind: ListedKind | 'LimitRange', namespace: string) => {
    const { group } = KINDS[kind];
    const manifests = await readManifests(directory, parsed);
    return manifests.filter((manifest) => isOf(manifest, { kind, group, namespace }));
  };
  return {
    async get({ apiVersion, name, ...reference }) {
      const sought = { ...reference, group: groupOf(apiVersion) };
      const manifests = await readManifests(directory, parsed);
      const found = manifests.find(
        (manifest) => manifest.metadata.name === name && isOf(manifest, sought),
      );
      if (!found) return undefined;
      return sought.kind === 'Secret' ? { metadata: found.metadata } : found;
    },
    limitRanges: (namespace) => list('LimitRange', namespace),
    list: async (kind, namespace) => (await list(kind, namespace)) as readonly ListedObject[],
  };
}

/**
 * Whether a manifest is of a kind, in a namespace where one is named; any version of its group is
 * served as any other.
 */
function isOf(
  { apiVersion, kind, metadata }: Manifest,
  sought: { readonly kind: string; readonly group: string; readonly namespace?: string },
): boolean {
  return (
    kind === sought.kind &&
    groupOf(apiVersion) === sought.group &&
    (sought.namespace === undefined || (metadata.namespace ?? 'default') === sought.namespace)
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
    if (cause instanceof ClusterError) throw cause;
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new ClusterError(`${directory} cannot be read (${code})`, { cause });
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
  const manifests = parseYaml(await readFile(file, 'utf8'), file).flatMap(manifestsOf);
  parsed.set(file, { state, manifests });
  return manifests;
}

/** The parser's own message shows the text around the mistake, which may be a Secret's. */
function parseYaml(text: string, file: string): unknown[] {
  try {
    return loadAll(text);
  } catch (cause) {
    const mark = cause instanceof YAMLException ? cause.mark : undefined;
    const line = mark ? ` (line ${mark.line + 1})` : '';
    throw new ClusterError(`${file} is not YAML${line}`);
  }
}

function manifestsOf(document: unknown): readonly Manifest[] {
  if (typeof document !== 'object' || document === null) return [];
  const { items } = document as { items?: unknown };
  if (Array.isArray(items)) return items.flatMap(manifestsOf);
  const { kind, apiVersion, metadata } = document as Partial<Manifest>;
  const isManifest = typeof kind === 'string' && typeof apiVersion === 'string';
  const hasMetadata = typeof metadata === 'object' && (metadata as unknown) !== null;
  return isManifest && hasMetadata ? [document as Manifest] : [];
}
