import { KubeConfig } from '@kubernetes/client-node';
import {
  ClusterError,
  type ClusterKind,
  type ClusterObject,
  type ListingCluster,
  type ObjectReference,
  groupOf,
} from './cluster.ts';
import { exceededBound } from '../json-bounds.ts';
import { accessSource, type AccessSource } from './kubernetes-access.ts';
import { listObjects } from './kubernetes-list.ts';
import { isNotFound, parseJson, refusalOf, request } from './kubernetes-request.ts';

/** A cluster, with the way to its API. */
export interface KubernetesCluster extends ListingCluster {
  readonly access: AccessSource;
}

const PLURAL: Readonly<Record<ClusterKind, string>> = {
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  Secret: 'secrets',
  Build: 'builds',
  Image: 'images',
};
/**
 * A service account with more brackets, commas and colons than that is not parsed. One with as many
 * Secrets as the webhook looks at has a tenth of them, told of each by who manages it included.
 */
const MOST_ACCOUNT_PARTS = 20_000;
/** For a read whose caller sets no limit of its own. */
const READ_TIMEOUT_MS = 10_000;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/**
 * The cluster that a kubeconfig names; without one, the cluster that the program runs in.
 *
 * @throws Error when there is none
 */
export function openKubernetesCluster(kubeconfig?: string): KubernetesCluster {
  if (kubeconfig === undefined && process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set');
  }
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
  const problem = problemOf(config);
  if (problem !== undefined) throw new Error(problem);
  return kubernetesCluster(config);
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
 * The Kubernetes API, read over kept-alive connections: client-node's own client opens a new TLS
 * connection for each request. Of Secrets, only metadata is asked for.
 */
export function kubernetesCluster(config: KubeConfig): KubernetesCluster {
  const source = accessSource(config);
  return {
    access: source,
    async get(reference, signal = AbortSignal.timeout(READ_TIMEOUT_MS)) {
      const path = apiPath(reference);
      const accept = reference.kind === 'Secret' ? METADATA_ONLY : 'application/json';
      const answer = await request(source, { path, accept, signal });
      const { status, body } = answer;
      if (status === 200) {
        return reference.kind === 'ServiceAccount' && hasTooManyParts(body)
          ? { metadata: { name: reference.name }, secrets: 'too-many' }
          : parseObject(body, reference.name, path);
      }
      if (isNotFound(answer)) return undefined;
      throw new ClusterError(
        `GET ${path} was answered with HTTP ${status}`,
        refusalOf(status, 'get', groupOf(reference.apiVersion), PLURAL[reference.kind]),
      );
    },
    limitRanges: async (namespace, signal) =>
      listObjects(source, 'LimitRange', segment(namespace), signal),
    list: async (kind, namespace) => listObjects(source, kind, segment(namespace)),
  };
}

function apiPath({ apiVersion, kind, namespace, name }: ObjectReference): string {
  const [, group, version = ''] = /^(?:([^/]*)\/)?(.*)$/s.exec(apiVersion) ?? [];
  const root =
    group === undefined
      ? `/api/${segment(version)}`
      : `/apis/${segment(group)}/${segment(version)}`;
  const scope = namespace === undefined ? '' : `/namespaces/${segment(namespace)}`;
  return `${root}${scope}/${PLURAL[kind]}/${segment(name)}`;
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
