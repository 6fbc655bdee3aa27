/** The real containerd, with its interface for kubelets. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './command.ts';
import { CNI_PLUGINS } from './installed.ts';
import { startService, type Service } from './service.ts';

/** A containerd to start. */
export interface ContainerdOptions {
  /** Where all of it goes; exists. */
  readonly directory: string;
  /** The directory of CNI configurations. */
  readonly networks: string;
  /** Name of the image that holds a pod's namespaces; to be imported. */
  readonly sandboxImage: string;
}

/** A running containerd. Its containers do not end with it. */
export interface Containerd extends Service {
  /** `unix:///...`. */
  readonly endpoint: string;
  /**
   * Makes the images of an archive known under the names that it has for them.
   *
   * @param file a docker archive or an OCI archive
   * @throws Error with the output of ctr
   */
  importImage(file: string): Promise<void>;
  /** The names of the images that are there. */
  images(): Promise<readonly string[]>;
}

/**
 * Starts a containerd and waits until it answers.
 *
 * @throws Error with its log when it does not start
 */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { directory, networks, sandboxImage } = options;
  const socket = join(directory, 'containerd.sock');
  const file = join(directory, 'containerd.toml');
  await writeFile(
    file,
    `version = 2
root = "${directory}/containerd"
state = "${directory}/containerd-state"
oom_score = 0
[grpc]
  address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${directory}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandboxImage}"
  # Not everybody who is root may write a negative oom_score_adj.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_PLUGINS}"
    conf_dir = "${networks}"
`,
  );
  const ctr = (...words: readonly string[]) =>
    succeed({
      program: 'ctr',
      args: ['--address', socket, '--namespace', 'k8s.io', ...words],
      directory,
      timeLimit: 120_000,
    });
  const service = await startService({
    program: 'containerd',
    args: ['--config', file],
    directory,
    ready: (output) => output.includes('containerd successfully booted'),
    timeLimit: 60_000,
  });
  return Object.assign(service, {
    endpoint: `unix://${socket}`,
    importImage: async (archive: string) => {
      await ctr('images', 'import', archive);
    },
    images: async () => (await ctr('images', 'list', '--quiet')).trim().split('\n'),
  });
}
