import { KubeConfig } from '@kubernetes/client-node';
import {
  apiVersionsOf,
  ClusterError,
  groupOf,
  KINDS,
  type ClusterObject,
  type ListedKind,
  type ListingCluster,
} from './cluster.ts';
import { exceededBound } from '../json-bounds.ts';
import { accessSource, type AccessSource } from './kubernetes-access.ts';
import { demandOk, isNotFound, JSON_TYPE, parseJson, request } from './kubernetes-request.ts';

/**
 * A service account with more brackets, commas and colons than that is not parsed. One with as many
 * Secrets as the webhook looks at has a tenth of them, told of each by who manages it included.
 */
const MOST_ACCOUNT_PARTS = 20_000;
/** For a read whose caller sets no limit of its own. */
const TIMEOUT_MS = 10_000;
/** Few enough that a page of large objects is below the limit of an answer. */
const PAGE = 100;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/**
 * The Kubernetes API of the cluster that a kubeconfig names; without one, of the cluster that the program
 * runs in. It is read over kept-alive connections: client-node's own client opens a new TLS connection
 * for each request. Of Secrets, only metadata is asked for.
 *
 * @throws Error when there is none
 */
export function openKubernetesCluster(
  kubeconfig?: string,
): ListingCluster & { readonly access: AccessSource } {
  if (kubeconfig === undefined && process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set');
  }
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
  const problem = problemOf(config);
  if (problem !== undefined) throw new Error(problem);
  const access = accessSource(config);
  return {
    access,
    async get({ apiVersion, kind, namespace, name }, signal = AbortSignal.timeout(TIMEOUT_MS)) {
      const { resource } = KINDS[kind];
      const path = `${pathOf(apiVersion, resource, namespace)}/${segment(name)}`;
      const accept = kind === 'Secret' ? METADATA_ONLY : JSON_TYPE;
      const answer = await request(access, { path, accept, signal });
      if (isNotFound(answer)) return undefined;
      demandOk(answer, `GET ${path}`, 'get', groupOf(apiVersion), resource);
      const { body } = answer;
      return kind === 'ServiceAccount' && hasTooManyParts(body)
        ? { metadata: { name }, secrets: 'too-many' }
        : parseObject(body, name, path);
    },
    limitRanges: (namespace, signal) => listObjects(access, 'LimitRange', namespace, signal),
    list: (kind, namespace) => listObjects(access, kind, namespace),
  };
}

/** Why a kubeconfig leads nowhere; undefined: it may lead somewhere. */
function problemOf(config: KubeConfig): string | undefined {
  const cluster = config.getCurrentCluster();
  if (!cluster) return 'it names no cluster';
  if (!config.getCurrentUser()) return 'its context names no user that it has';
  const { server, proxyUrl } = cluster;
  if (!isHttp(server)) return 'the server of its cluster is no https URL';
  // Only how it begins: it may hold a password.
  return proxyUrl === undefined || isHttp(proxyUrl)
    ? undefined
    : 'the proxy-url of its cluster is no http or https URL, and others are not supported';
}

function isHttp(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url);
}

/**
 * All objects of a kind in a namespace, with their kind.
 *
 * @param signal for all pages; without one, each has a limit of its own
 * @throws ClusterError
 */
async function listObjects<Kind extends ListedKind | 'LimitRange'>(
  access: AccessSource,
  kind: Kind,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly (ClusterObject & { readonly kind: Kind; readonly apiVersion: string })[]> {
  const { group, resource } = KINDS[kind];
  for (const apiVersion of apiVersionsOf(kind)) {
    const path = pathOf(apiVersion, resource, namespace);
    const items = await readPages(access, path, { group, resource }, signal);
    if (items) return items.map((item) => ({ ...item, kind, apiVersion }));
  }
  const fix = 'Install kpack, or name the cluster that it is installed in.';
  throw new ClusterError(`the Kubernetes API serves no ${resource}`, group === '' ? {} : { fix });
}

/** Undefined where the path is not served. */
async function readPages(
  access: AccessSource,
  path: string,
  { group, resource }: { readonly group: string; readonly resource: string },
  given: AbortSignal | undefined,
): Promise<readonly ClusterObject[] | undefined> {
  const items: ClusterObject[] = [];
  let next = '';
  do {
    const page = `${path}?limit=${PAGE}${next && `&continue=${encodeURIComponent(next)}`}`;
    const signal = given ?? AbortSignal.timeout(TIMEOUT_MS);
    const answer = await request(access, { path: page, accept: JSON_TYPE, signal });
    if (answer.status === 404) return undefined;
    demandOk(answer, `GET ${path}`, 'list', group, resource);
    const list = parseJson(answer.body) as Partial<List> | null | undefined;
    if (!Array.isArray(list?.items)) {
      throw new ClusterError(`GET ${path} was answered with something else than a list`);
    }
    items.push(...(list.items as ClusterObject[]));
    next = list.metadata?.continue ?? '';
  } while (next !== '');
  return items;
}

interface List {
  readonly metadata?: { readonly continue?: string };
  readonly items: readonly ClusterObject[];
}

function pathOf(apiVersion: string, resource: string, namespace: string | undefined): string {
  const [, group, version = ''] = /^(?:([^/]*)\/)?(.*)$/s.exec(apiVersion) ?? [];
  const root =
    group === undefined
      ? `/api/${segment(version)}`
      : `/apis/${segment(group)}/${segment(version)}`;
  const scope = namespace === undefined ? '' : `/namespaces/${segment(namespace)}`;
  return `${root}${scope}/${resource}`;
}

/** One segment of a path: a name that would lead elsewhere is the name of nothing. */
function segment(name: string): string {
  if (['', '.', '..'].includes(name)) throw new ClusterError(`"${name}" is no name of an object`);
  return encodeURIComponent(name);
}

function hasTooManyParts(body: string): boolean {
  const most = { depth: Infinity, parts: MOST_ACCOUNT_PARTS };
  return exceededBound(Buffer.from(body), most) !== undefined;
}

function parseObject(body: string, name: string, path: string): ClusterObject {
  const object = parseJson(body) as Partial<ClusterObject> | null | undefined;
  if (object === undefined) {
    throw new ClusterError(`GET ${path} was answered with something else than JSON`);
  }
  if (object?.metadata?.name !== name) {
    throw new ClusterError(`GET ${path} was answered with something else than an object ${name}`);
  }
  return object as ClusterObject;
}
