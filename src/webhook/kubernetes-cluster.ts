import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, request } from 'undici';
import {
  ClusterError,
  type Cluster,
  type ClusterKind,
  type ClusterObject,
  type ObjectReference,
} from './cluster.ts';

const PLURAL: Readonly<Record<ClusterKind, string>> = {
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  Secret: 'secrets',
  Build: 'builds',
  Image: 'images',
};
/** Two rounds of reads end well before the API server gives up on us after 5 s. */
const READ_TIMEOUT_MS = 2_000;
/** An object in etcd is at most 1.5 MiB. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024;
/** As many connections as one review needs at once, and some; builds come seldom, and they stay. */
const POOL = { connections: 16, keepAliveTimeout: 60_000 };
const BROKEN = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/**
 * The cluster that a kubeconfig names, or the one that we run in.
 *
 * @throws Error when there is none
 */
export function openKubernetesCluster(kubeconfig?: string): Cluster {
  if (kubeconfig === undefined && process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error('KUBERNETES_SERVICE_HOST is not set');
  }
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
  if (!config.getCurrentCluster()) throw new Error('it names no cluster');
  return kubernetesCluster(config);
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What a kubeconfig says about one request: whom to trust, and who we are. */
interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;
}

/**
 * The Kubernetes API, read over kept-alive connections: client-node's own client opens a new TLS
 * connection for each request. Of Secrets, only metadata is asked for.
 */
export function kubernetesCluster(config: KubeConfig): Cluster {
  const connections = connectionPool();
  return {
    async get(reference) {
      const path = apiPath(reference);
      const { status, body } = await read(config, connections, path, reference.kind === 'Secret');
      if (status === 200) return parseObject(body, reference.name, path);
      if (status === 404 && isNotFound(body)) return undefined;
      throw new ClusterError(
        `GET ${path} was answered with HTTP ${status}`,
        status === 401 || status === 403
          ? { fix: `Let the webhook's service account get ${PLURAL[reference.kind]}.` }
          : {},
      );
    },
  };
}

/** Connections by TLS settings: those of a token or CA that was rotated are not used again. */
function connectionPool(): (tls: Access['tls']) => Agent {
  let current: { readonly settings: string; readonly agent: Agent } | undefined;
  return (tls) => {
    const settings = JSON.stringify(tls);
    if (current?.settings !== settings) {
      void current?.agent.close();
      current = { settings, agent: new Agent({ ...POOL, connect: tls }) };
    }
    return current.agent;
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

async function read(
  config: KubeConfig,
  connections: (tls: Access['tls']) => Agent,
  path: string,
  isMetadataOnly: boolean,
): Promise<Answer> {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new ClusterError('the kubeconfig names no cluster');
  try {
    const { headers, tls } = await accessOf(config);
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
    const send = async () => {
      const { statusCode, body } = await request(server.replace(/\/$/, '') + path, {
        dispatcher: connections(tls),
        headers: { ...headers, accept: isMetadataOnly ? METADATA_ONLY : 'application/json' },
        signal,
      });
      return { status: statusCode, body: await readBody(body) };
    };
    // A kept connection may break just as it is used; a read may be sent again.
    return await send().catch((error: unknown) => {
      if (!BROKEN.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return send();
    });
  } catch (cause) {
    throw new ClusterError(`GET ${path} failed: ${(cause as Error).message}`, { cause });
  }
}

async function accessOf(config: KubeConfig): Promise<Access> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, rejectUnauthorized, servername, auth } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const basic = auth && { authorization: `Basic ${Buffer.from(auth).toString('base64')}` };
  return { headers: { ...(options.headers as Access['headers'] | undefined), ...basic }, tls };
}

async function readBody(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Whether a 404 is the API server's word on an object, and not that of something before it. */
function isNotFound(body: string): boolean {
  const status = parseJson(body) as { kind?: unknown; reason?: unknown } | null | undefined;
  return status?.kind === 'Status' && status.reason === 'NotFound';
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
