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
/** As many as one review reads at once, and some. */
const CONNECTIONS = 16;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** The cluster that a kubeconfig names, or the one that we run in. */
export function openKubernetesCluster(kubeconfig?: string): Cluster {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
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
      if (status === 200) return parseObject(body, path);
      if (status === 404) return undefined;
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
      current = { settings, agent: new Agent({ connect: tls, connections: CONNECTIONS }) };
    }
    return current.agent;
  };
}

function apiPath({ apiVersion, kind, namespace, name }: ObjectReference): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${PLURAL[kind]}/${encodeURIComponent(name)}`;
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
    const { statusCode, body } = await request(server.replace(/\/$/, '') + path, {
      dispatcher: connections(tls),
      headers: { ...headers, accept: isMetadataOnly ? METADATA_ONLY : 'application/json' },
      signal: AbortSignal.timeout(READ_TIMEOUT_MS),
    });
    return { status: statusCode, body: await readBody(body) };
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

function parseObject(body: string, path: string): ClusterObject {
  let object: unknown;
  try {
    object = JSON.parse(body);
  } catch (cause) {
    throw new ClusterError(`GET ${path} was answered with something else than JSON`, { cause });
  }
  const { metadata } = (object ?? {}) as { metadata?: unknown };
  if (typeof metadata !== 'object' || metadata === null) {
    throw new ClusterError(`GET ${path} was answered with something else than an object`);
  }
  return object as ClusterObject;
}
