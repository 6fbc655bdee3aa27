import { KPACK_GROUP } from '../shared/names.ts';
import { ClusterError, type ClusterObject, type ListedKind, type ListedObject } from './cluster.ts';
import type { AccessSource } from './kubernetes-access.ts';
import { parseJson, read, refusalOf } from './kubernetes-read.ts';

/** Where lists are served; of kpack, the versions from the newest on. */
const SERVED: Readonly<
  Record<ListedKind, { readonly resource: string; readonly apiVersions: readonly string[] }>
> = {
  Image: { resource: 'images', apiVersions: ['kpack.io/v1alpha2', 'kpack.io/v1alpha1'] },
  Build: { resource: 'builds', apiVersions: ['kpack.io/v1alpha2', 'kpack.io/v1alpha1'] },
  Pod: { resource: 'pods', apiVersions: ['v1'] },
};
/** So few that a page of large objects is below what we read. */
const PAGE = 100;
const TIMEOUT_MS = 10_000;

interface List {
  readonly metadata?: { readonly continue?: string };
  readonly items: readonly ClusterObject[];
}

/**
 * All objects of a kind in a namespace.
 *
 * @param namespace as it stands in a path
 * @throws ClusterError
 */
export async function listObjects(
  source: AccessSource,
  kind: ListedKind,
  namespace: string,
): Promise<readonly ListedObject[]> {
  const { resource, apiVersions } = SERVED[kind];
  for (const apiVersion of apiVersions) {
    const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const items = await readPages(source, `${root}/namespaces/${namespace}/${resource}`, resource);
    if (items) return items.map((item) => ({ ...item, kind, apiVersion }));
  }
  throw new ClusterError(`the Kubernetes API serves no ${resource}`, {
    fix: 'Install kpack, or name the cluster that it is installed in.',
  });
}

/** Undefined where the path is not served. */
async function readPages(
  source: AccessSource,
  path: string,
  resource: string,
): Promise<readonly ClusterObject[] | undefined> {
  const items: ClusterObject[] = [];
  let next = '';
  do {
    const page = `${path}?limit=${PAGE}${next && `&continue=${encodeURIComponent(next)}`}`;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await read(source, { path: page, accept: 'application/json', signal });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) {
      const group = resource === 'pods' ? '' : KPACK_GROUP;
      throw new ClusterError(
        `GET ${path} was answered with HTTP ${answer.status}`,
        refusalOf(answer.status, 'list', group, resource),
      );
    }
    const list = parseJson(answer.body) as Partial<List> | null | undefined;
    if (!Array.isArray(list?.items)) {
      throw new ClusterError(`GET ${path} was answered with something else than a list`);
    }
    items.push(...(list.items as ClusterObject[]));
    next = list.metadata?.continue ?? '';
  } while (next !== '');
  return items;
}
