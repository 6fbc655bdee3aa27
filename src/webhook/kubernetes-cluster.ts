import type { OutgoingHttpHeaders } from 'node:http';
import { Agent, request, type RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
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

/**
 * The Kubernetes API, read over kept-alive connections: client-node's own client opens a new TLS
 * connection for each request. Of Secrets, only metadata is asked for.
 */
export function kubernetesCluster(config: KubeConfig): Cluster {
  const agent = new Agent({ keepAlive: true });
  return {
    async get(reference) {
      const path = apiPath(reference);
      const { status, body } = await read(config, agent, path, reference.kind === 'Secret');
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

function apiPath({ apiVersion, kind, namespace, name }: ObjectReference): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${PLURAL[kind]}/${encodeURIComponent(name)}`;
}

async function read(
  config: KubeConfig,
  agent: Agent,
  path: string,
  isMetadataOnly: boolean,
): Promise<Answer> {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new ClusterError('the kubeconfig names no cluster');
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
    const headers = {
      ...(options.headers as OutgoingHttpHeaders | undefined),
      accept: isMetadataOnly ? METADATA_ONLY : 'application/json',
    };
    const url = new URL(server.replace(/\/$/, '') + path);
    return await exchange(url, { ...options, headers, agent, timeout: READ_TIMEOUT_MS });
  } catch (cause) {
    throw new ClusterError(`GET ${path} failed: ${(cause as Error).message}`, { cause });
  }
}

function exchange(url: URL, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, signal: AbortSignal.timeout(READ_TIMEOUT_MS) });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > BODY_LIMIT_BYTES) response.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    sent.end();
  });
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
