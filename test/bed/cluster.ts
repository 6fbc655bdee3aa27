/**
 * A whole cluster of one node: etcd, API server, scheduler, controller manager, containerd, kubelet.
 * For a script that runs isolated: nothing of it is stopped, it ends with its namespaces.
 */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { V1Node } from '@kubernetes/client-node';
import { findProgram } from './installed.ts';
import { runCommand, succeed, type CommandResult } from './command.ts';
import { startContainerd, type Containerd } from './containerd.ts';
import { makeImageArchive } from './image-archive.ts';
import type { Isolated } from './isolation.ts';
import { startKubeApiserver, type KubeApiserver } from './kube-apiserver.ts';
import type { KubeClient, KubeReference } from './kube-client.ts';
import { CONTROLLER_MANAGER_USER, startKubeControllerManager } from './kube-controller-manager.ts';
import { SCHEDULER_USER, startKubeScheduler } from './kube-scheduler.ts';
import { NODE_USER, startKubelet } from './kubelet.ts';
import { CLUSTER_PROGRAMS, ensurePrograms, type KubernetesProgram } from './kubernetes-programs.ts';
import { API_ADDRESS, makeNodeNetwork, NODE_ADDRESS } from './node-network.ts';
import type { Service } from './service.ts';

/** A running cluster. */
export interface Cluster {
  /** For what belongs to it; ends with the namespaces. */
  readonly directory: string;
  readonly apiserver: KubeApiserver;
  /** A client that may do everything. */
  readonly api: KubeClient;
  readonly containerd: Containerd;
  /** Absolute paths of the programs. */
  readonly programs: Readonly<Record<KubernetesProgram, string>>;
  /** File with the rights of the admin. */
  readonly kubeconfig: string;
  /** What runs, for its logs. */
  readonly services: Readonly<Record<string, Service>>;
  /**
   * kubectl as the admin, or as whom its flags say.
   *
   * @returns its stdout
   * @throws Error with its output when it fails
   */
  kubectl(...args: readonly string[]): Promise<string>;
  /** The same, whatever its exit code. */
  tryKubectl(...args: readonly string[]): Promise<CommandResult>;
}

const SANDBOX_IMAGE = 'localhost/pause:1';
const READY_LIMIT = 90_000;
const NODE: KubeReference & V1Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'bed' } };

/**
 * Starts a cluster and waits until its node is ready: about eight seconds.
 *
 * @throws Error with the log of what does not start
 */
export async function startCluster({ cgroup }: Isolated): Promise<Cluster> {
  const programs = await ensurePrograms(CLUSTER_PROGRAMS);
  const directory = join(tmpdir(), 'cluster');
  await mkdir(directory, { recursive: true });
  const networks = await makeNodeNetwork(directory);
  const [apiserver, containerd, sandbox] = await Promise.all([
    startKubeApiserver({ addresses: [NODE_ADDRESS, API_ADDRESS] }),
    startContainerd({ directory, networks, sandboxImage: SANDBOX_IMAGE }),
    makeSandboxImage(directory),
  ]);
  await containerd.importImage(sandbox);
  const { admin: api, authority, accounts } = apiserver;
  const kubeconfigFor = async (user: { readonly name: string; readonly organization?: string }) => {
    const certificate = await authority.issue({ ...user, usage: 'client' });
    return apiserver.kubeconfig(user.name.replaceAll(':', '-'), { certificate });
  };
  const [scheduler, manager, node, admin] = await Promise.all(
    [
      SCHEDULER_USER,
      CONTROLLER_MANAGER_USER,
      NODE_USER,
      { name: 'kubectl', organization: 'system:masters' },
    ].map(kubeconfigFor),
  );
  const [kubeScheduler, kubeControllerManager, kubelet] = await Promise.all([
    startKubeScheduler({
      program: programs['kube-scheduler'],
      directory,
      kubeconfig: scheduler ?? '',
    }),
    startKubeControllerManager({
      program: programs['kube-controller-manager'],
      directory,
      kubeconfig: manager ?? '',
      authority,
      accounts,
    }),
    startKubelet({
      program: programs.kubelet,
      directory,
      authority,
      kubeconfig: node ?? '',
      containerd,
      address: NODE_ADDRESS,
      cgroup,
    }),
  ]);
  const services = {
    etcd: apiserver.etcd,
    'kube-apiserver': apiserver.service,
    'kube-scheduler': kubeScheduler,
    'kube-controller-manager': kubeControllerManager,
    containerd,
    kubelet,
  };
  await untilNodeReady(api, kubelet);
  const kubeconfig = admin ?? '';
  const command = (args: readonly string[]) => ({
    program: programs.kubectl,
    args: [`--kubeconfig=${kubeconfig}`, ...args],
    directory,
    timeLimit: 180_000,
  });
  return {
    directory,
    apiserver,
    api,
    containerd,
    programs,
    kubeconfig,
    services,
    kubectl: (...args) => succeed(command(args)),
    tryKubectl: (...args) => runCommand(command(args)),
  };
}

/** An image that does nothing, for as long as it is let. */
async function makeSandboxImage(directory: string): Promise<string> {
  const busybox = findProgram('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed');
  const archive = join(directory, 'pause.tar');
  await makeImageArchive({
    archive,
    entrypoints: { [SANDBOX_IMAGE]: ['/bin/sleep', String(2 ** 31 - 1)] },
    files: { '/bin/busybox': { from: busybox }, '/bin/sleep': { to: 'busybox' } },
    user: '65535:65535',
  });
  return archive;
}

async function untilNodeReady(api: KubeClient, kubelet: Service): Promise<void> {
  const overtime = AbortSignal.timeout(READY_LIMIT);
  for (;;) {
    const { object } = await api.get<KubeReference & V1Node>(NODE);
    const isReady = object?.status?.conditions?.some(
      ({ type, status }) => type === 'Ready' && status === 'True',
    );
    // Until the controller manager takes it off, no pod is placed there.
    const isTainted = (object?.spec?.taints ?? []).length > 0;
    if (isReady === true && !isTainted) return;
    if (overtime.aborted) {
      throw new Error(`the node is not ready after ${READY_LIMIT} ms:\n${kubelet.output()}`);
    }
    await pause(50);
  }
}
