/**
 * Runs a container of an image: its root read-only, its user, variables and entrypoint those of the
 * image, no capability, and nothing in it but what is mounted. It has the network of this machine.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProgramOptions } from './child.ts';
import { atExit } from './cleanup.ts';
import { runCommand, succeed, type CommandResult } from './command.ts';
import { ensureInstalled } from './installed.ts';
import type { UnpackedImage } from './oci-archive.ts';

/** A container to run. */
export interface ImageContainerOptions {
  readonly image: UnpackedImage;
  /** What a pod declares as its `command`; the image's entrypoint by default. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** Besides those of the image. */
  readonly env?: Readonly<Record<string, string>>;
  /** Directories of the container → of this machine. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Gets files of the runtime. */
  readonly directory: string;
}

/** A container that can be run, once. */
export interface PreparedContainer {
  /** Runs it to its end; signals reach the program in it. */
  readonly program: ProgramOptions;
  /** Process id, as this machine counts, of the program in the running container. */
  pid(): Promise<number>;
  /** Ends what is left of it. To be called whatever became of the program. */
  remove(): Promise<void>;
}

let count = 0;

/** Prepares a container for whoever runs programs. */
export async function prepareContainer(options: ImageContainerOptions): Promise<PreparedContainer> {
  await ensureInstalled(['runc']);
  count += 1;
  const name = `kpack-notary-${process.pid}-${count}`;
  const bundle = join(options.directory, name);
  const pidFile = join(bundle, 'pid');
  await mkdir(bundle, { recursive: true });
  await writeFile(join(bundle, 'config.json'), JSON.stringify(runtimeConfig(options)));
  const runc = (...args: readonly string[]): ProgramOptions => ({
    program: 'runc',
    args: ['--root', join(options.directory, 'runc'), ...args],
    directory: options.directory,
  });
  // A runc that was killed leaves its container running.
  const forget = atExit(() => {
    const { program, args } = runc('delete', '--force', name);
    spawnSync(program, args ?? []);
  });
  return {
    program: runc('run', '--bundle', bundle, '--pid-file', pidFile, name),
    pid: async () => Number(await readFile(pidFile, 'utf8')),
    remove: async () => {
      await succeed(runc('delete', '--force', name));
      await rm(bundle, { recursive: true, force: true });
      forget();
    },
  };
}

/** Runs a container to its end, whatever its exit code. */
export async function runImage(options: ImageContainerOptions): Promise<CommandResult> {
  const container = await prepareContainer(options);
  try {
    return await runCommand(container.program);
  } finally {
    await container.remove();
  }
}

/** What runc is told: config.json of the OCI runtime specification. */
function runtimeConfig(options: ImageContainerOptions): object {
  const { image, args = [], env = {}, mounts = {} } = options;
  const { User = '', Env = [], Entrypoint = [], Cmd = [] } = image.config.config;
  const [uid, gid] = User.split(':').map(Number);
  const ours = options.command ?? Entrypoint;
  return {
    ociVersion: '1.0.2',
    process: {
      args: [...ours, ...(args.length > 0 ? args : Cmd)],
      env: [...Env, ...Object.entries(env).map(([key, value]) => `${key}=${value}`)],
      user: { uid, gid },
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [] },
      noNewPrivileges: true,
    },
    root: { path: image.root, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...Object.entries(mounts).map(([destination, source]) => ({
        destination,
        source,
        options: ['bind', 'rw'],
      })),
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
  };
}
