/**
 * A real API server with kpack's kinds. kubectl installs deploy/ there as it stands. Replicas of the
 * webhook run as the Deployment would have them, and its Service finds them.
 */
import { networkInterfaces } from 'node:os';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { startKubeApiserver, type KubeApiserver } from '../bed/kube-apiserver.ts';
import { demand, type KubeAnswer, type KubeClient, type KubeOptions } from '../bed/kube-client.ts';
import { adminKubectl, type Kubectl } from '../bed/kubectl.ts';
import { needKubernetes } from '../bed/kubernetes-programs.ts';
import { onFreePort } from '../bed/port.ts';
import { startService } from '../bed/service.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import type { BuildFixture, PodManifest } from '../support/build-fixture.ts';
import { storeBuild, type StoredBuild } from '../support/kubernetes-build.ts';
import { makeNamespace, ownKubeconfig, prepareKpack } from '../support/kubernetes-setup.ts';
import { PROGRAM, until } from '../support/program.ts';
import { deployDirectory, environmentOf, type ManifestObject } from './manifests.ts';

/** A replica of the webhook. */
export interface Replica {
  /** Its log. */
  output(): string;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  /** Ends it; from then on the Service has no endpoint. */
  stop(): Promise<void>;
}

/** An API server to install into. */
export interface Installation {
  readonly apiserver: KubeApiserver;
  /** As the admin. */
  readonly api: KubeClient;
  readonly kubectl: Kubectl;
  /** Applies deploy/, or a directory that customises it. @returns what kubectl says */
  install(directory?: string): Promise<string>;
  /** Starts a replica with the settings of these objects, and waits until it is an endpoint. */
  replica(objects: readonly ManifestObject[], settings?: Settings): Promise<Replica>;
  /** Makes an opted-in namespace, or another, with the service account `default`. */
  namespace(name: string, signing?: string): Promise<void>;
  store(fixture: BuildFixture, namespace: string): Promise<StoredBuild>;
  /** Posts a pod as kpack's controller. */
  post(pod: PodManifest, options?: KubeOptions): Promise<KubeAnswer<PodManifest>>;
}

/** Settings of the program beside those of its manifests, or in their place. */
export type Settings = Readonly<Record<string, string>>;

/** The endpoint of the one replica, as the controller of EndpointSlices would have it. */
const ENDPOINTS = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'kpack-notary-webhook',
    namespace: 'kpack-notary',
    labels: { 'kubernetes.io/service-name': 'kpack-notary-webhook' },
  },
} as const;

/** How long a replica may take to be ready, in milliseconds. */
const TIME_LIMIT = 60_000;

/**
 * Starts an API server that has kpack's kinds and its account, and nothing of ours. Stopped when the
 * test has ended. Where there is no Kubernetes, the test file ends here, skipped.
 */
export async function startInstallation(
  t: Test,
  { hasKpack = true, audit = false } = {},
): Promise<Installation> {
  needKubernetes(t);
  const apiserver = await startKubeApiserver({ audit });
  t.teardown(() => apiserver.stop());
  const { admin: api } = apiserver;
  if (hasKpack) await prepareKpack(api);
  const kubectl = await adminKubectl(apiserver);
  return {
    apiserver,
    api,
    kubectl,
    install: (directory = deployDirectory()) => kubectl.succeed(['apply', '-k', directory]),
    replica: async (objects, settings = {}) => {
      const replica = await startReplica(apiserver, { ...environmentOf(objects), ...settings });
      t.teardown(() => replica.stop());
      t.teardown(() => {
        if (!t.passing()) console.error(replica.output());
      });
      return replica;
    },
    namespace: (name, signing) =>
      makeNamespace(
        api,
        name,
        signing === undefined ? {} : { labels: { 'notary.kpack.io/signing': signing } },
      ),
    store: (fixture, namespace) => storeBuild(api, fixture, namespace),
    post: (pod, options) => api.create(pod, { as: KPACK_USER, ...options }),
  };
}

async function startReplica(apiserver: KubeApiserver, environment: Settings): Promise<Replica> {
  const { admin: api, directory } = apiserver;
  const kubeconfig = await ownKubeconfig(apiserver);
  const home = await mkdtemp(join(directory, 'replica-'));
  return onFreePort((metricsPort) =>
    onFreePort(async (port) => {
      const service = await startService({
        program: 'node',
        args: [PROGRAM],
        directory: home,
        env: {
          ...environment,
          // The name in deploy/ is refused: it is there to be replaced.
          KPACK_NOTARY_SIGNER_IMAGE: 'registry.example.com/kpack-notary/signer:0.1.0',
          KPACK_NOTARY_KUBECONFIG: kubeconfig,
          KPACK_NOTARY_PORT: String(port),
          KPACK_NOTARY_METRICS_PORT: String(metricsPort),
          KPACK_NOTARY_SHUTDOWN_DELAY: '0',
        },
        // The kubelet does not look at certificates either.
        ready: (output) => output.includes('"ready"'),
        timeLimit: TIME_LIMIT,
        outputLimit: 4 * 1024 * 1024,
      });
      const metrics = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      await until(async () => /^kpack_notary_ready 1$/m.test(await metrics()));
      demand(
        await api.apply({
          ...ENDPOINTS,
          addressType: 'IPv4',
          endpoints: [{ addresses: [ownAddress()], conditions: { ready: true } }],
          ports: [{ name: 'https', port, protocol: 'TCP' }],
        }),
      );
      let isStopped = false;
      const stop = async () => {
        if (isStopped) return;
        isStopped = true;
        await api.delete(ENDPOINTS);
        await service.stop();
      };
      return { output: () => service.output(), metrics, stop };
    }),
  );
}

/** An address of this machine that an endpoint may have: loopback's may not. */
function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === 'IPv4' && !address.internal);
  if (found) return found.address;
  throw new Error(
    'this machine has no IPv4 address but those of loopback, which no endpoint may have',
  );
}
