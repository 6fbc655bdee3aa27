/** The real kubelet: one node, whose containers a containerd runs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from './authority.ts';
import type { Containerd } from './containerd.ts';
import { startService, type Service } from './service.ts';

/** A kubelet to start. */
export interface KubeletOptions {
  /** The program. */
  readonly program: string;
  /** Where all of it goes; exists. */
  readonly directory: string;
  readonly authority: Authority;
  /** With the rights of {@link NODE_USER}. */
  readonly kubeconfig: string;
  readonly containerd: Pick<Containerd, 'endpoint'>;
  /** The node's address; not a loopback one. */
  readonly address: string;
  /** A control group that exists, as `/name`, under which its own go. */
  readonly cgroup: string;
}

const NODE = 'bed';
/** Who the kubelet is to the API server. */
export const NODE_USER = { name: `system:node:${NODE}`, organization: 'system:nodes' } as const;

/**
 * Starts a kubelet; that its node is ready is for the API server to say.
 *
 * @throws Error with its log when it does not start
 */
export async function startKubelet(options: KubeletOptions): Promise<Service> {
  const { program, directory, authority, address } = options;
  const certificate = await authority.issue({ name: 'kubelet', hosts: [address, NODE] });
  const file = join(directory, 'kubelet.json');
  const resolver = join(directory, 'resolv.conf');
  // There is no DNS in the cluster.
  await writeFile(resolver, '');
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: authority.certificateFile },
    },
    authorization: { mode: 'AlwaysAllow' },
    tlsCertFile: certificate.certificateFile,
    tlsPrivateKeyFile: certificate.keyFile,
    containerRuntimeEndpoint: options.containerd.endpoint,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: options.cgroup,
    // There are machines that still have version 1.
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    resolvConf: resolver,
    volumePluginDir: join(directory, 'volume-plugins'),
    podLogsDir: join(directory, 'pod-logs'),
    // The disk of this machine is not ours to judge.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    nodeStatusUpdateFrequency: '2s',
    // Images are imported, and nobody showed credentials for them.
    imagePullCredentialsVerificationPolicy: 'NeverVerify',
  };
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  return startService({
    program,
    args: [
      `--config=${file}`,
      `--kubeconfig=${options.kubeconfig}`,
      `--hostname-override=${NODE}`,
      `--node-ip=${address}`,
      `--root-dir=${join(directory, 'kubelet')}`,
      `--cert-dir=${join(directory, 'kubelet-certificates')}`,
      '--v=2',
    ],
    directory,
    ready: (output) => output.includes('Started kubelet'),
    timeLimit: 60_000,
    outputLimit: 1024 * 1024,
  });
}
