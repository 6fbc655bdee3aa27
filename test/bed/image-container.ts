/**
 * Runs a container of an image: its root read-only, its user, variables and entrypoint those of the
 * image, no capability, and nothing in it but what is mounted. It has the network of this machine.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, type CommandOptions, type CommandResult } from './command.ts';
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

let count = 0;

/**
 * What runs the container to its end.
 *
 * @returns a program for {@link runCommand}, or anything that takes one; once
 */
export async function containerProgram(options: ImageContainerOptions): Promise<CommandOptions> {
  count += 1;
  const name = `kpack-notary-${process.pid}-${count}`;
  const bundle = join(options.directory, name);
  await mkdir(bundle, { recursive: true });
  await writeFile(join(bundle, 'config.json'), JSON.stringify(runtimeConfig(options)));
  return {
    program: 'runc',
    args: ['--root', join(options.directory, 'runc'), 'run', '--bundle', bundle, name],
    directory: bundle,
  };
}

/** Runs a container to its end, whatever its exit code. */
export async function runImage(options: ImageContainerOptions): Promise<CommandResult> {
  const program = await containerProgram(options);
  try {
    return await runCommand(program);
  } finally {
    await rm(program.directory, { recursive: true, force: true });
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
