import { ClusterError, type ClusterObject, type ListedKind, groupOf } from './cluster.ts';
import type { AccessSource } from './kubernetes-access.ts';
import { parseJson, refusalOf, request } from './kubernetes-request.ts';

/** Where lists are served; of kpack, the versions from the newest on. */
const SERVED: Readonly<
  Record<
    ListedKind | 'LimitRange',
    { readonly resource: string; readonly apiVersions: readonly string[] }
  >
> = {
  Image: { resource: 'images', apiVersions: ['kpack.io/v1alpha2', 'kpack.io/v1alpha1'] },
  Build: { resource: 'builds', apiVersions: ['kpack.io/v1alpha2', 'kpack.io/v1alpha1'] },
  Pod: { resource: 'pods', apiVersions: ['v1'] },
  LimitRange: { resource: 'limitranges', apiVersions: ['v1'] },
};
/** Few enough that a page of large objects is below the limit of an answer. */
const PAGE = 100;
const TIMEOUT_MS = 10_000;

interface List {
  readonly metadata?: { readonly continue?: string };
  readonly items: readonly ClusterObject[];
}

/**
 * All objects of a kind in a namespace, with their kind.
 *
 * @param namespace as it stands in a path
 * @param signal for all pages; without one, each has a limit of its own
 * @throws ClusterError
 */
export async function listObjects<Kind extends keyof typeof SERVED>(
  source: AccessSource,
  kind: Kind,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly (ClusterObject & { readonly kind: Kind; readonly apiVersion: string })[]> {
  const { resource, apiVersions } = SERVED[kind];
  for (const apiVersion of apiVersions) {
    const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const path = `${root}/namespaces/${namespace}/${resource}`;
    const items = await readPages(source, path, { group: groupOf(apiVersion), resource }, signal);
    if (items) return items.map((item) => ({ ...item, kind, apiVersion }));
  }
  const fix = 'Install kpack, or name the cluster that it is installed in.';
  const isCore = apiVersions.includes('v1');
  throw new ClusterError(`the Kubernetes API serves no ${resource}`, isCore ? {} : { fix });
}

/** Undefined where the path is not served. */
async function readPages(
  source: AccessSource,
  path: string,
  { group, resource }: { readonly group: string; readonly resource: string },
  given: AbortSignal | undefined,
): Promise<readonly ClusterObject[] | undefined> {
  const items: ClusterObject[] = [];
  let next = '';
  do {
    const page = `${path}?limit=${PAGE}${next && `&continue=${encodeURIComponent(next)}`}`;
    const signal = given ?? AbortSignal.timeout(TIMEOUT_MS);
    const answer = await request(source, { path: page, accept: 'application/json', signal });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) {
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
