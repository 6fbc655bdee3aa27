/**
 * Runs a container of a pod without a container runtime: its own command, arguments and variables,
 * with its mounts as directories. Nothing of the command line is written by hand.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Container, V1Pod, V1Volume } from '@kubernetes/client-node';
import { runCommand, type CommandResult } from './command.ts';
import { demandNoSecrets, secretsOfFiles } from './secret-watch.ts';

/** Data of the Secrets of the pod's namespace, by name: file → content. */
export type SecretData = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** A container to run. */
export interface ContainerOptions {
  readonly pod: V1Pod;
  /** Name of the container. */
  readonly name: string;
  readonly secrets: SecretData;
  /** Holds the volumes by name; what is in an emptyDir there stays, as between containers of a pod. */
  readonly directory: string;
  /** Directories of the image that the command names → where their files are here. */
  readonly image: Readonly<Record<string, string>>;
  /** Milliseconds after which it is killed. */
  readonly timeLimit?: number;
}

/** How a container ended. */
export interface ContainerResult extends CommandResult {
  /** What the kubelet would keep of its termination log. */
  readonly terminationMessage: string;
}

/** Where the volume of that name is. */
export function volumeDirectory(directory: string, volume: string): string {
  return join(directory, 'volumes', volume);
}

/**
 * Runs the container to its end, whatever its exit code.
 *
 * @throws Error when the pod has no such container, or it mounts a volume of a kind that only a
 *   kubelet can make; Error when it tells what is in a Secret of the namespace
 */
export async function runContainer(options: ContainerOptions): Promise<ContainerResult> {
  const { pod, name, directory, secrets } = options;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const container = containers.find((candidate) => candidate.name === name);
  if (!container) throw new Error(`the pod has no container ${name}`);
  await mkdir(directory, { recursive: true });

  const places = new Map(Object.entries(options.image));
  for (const { name: volumeName, mountPath } of container.volumeMounts ?? []) {
    const volume = pod.spec?.volumes?.find((candidate) => candidate.name === volumeName);
    places.set(mountPath, await makeVolume(volume, volumeName, options));
  }
  const terminationLog = join(directory, `${name}.termination-log`);
  await writeFile(terminationLog, '');
  places.set(container.terminationMessagePath ?? '/dev/termination-log', terminationLog);

  const [program = '', ...args] = commandLine(container).map((word) => hostPathOf(word, places));
  const env = Object.fromEntries(
    (container.env ?? []).map((variable) => [
      variable.name,
      hostPathOf(variable.value ?? '', places),
    ]),
  );
  const result = await runCommand({
    program,
    args,
    directory,
    env,
    ...(options.timeLimit !== undefined && { timeLimit: options.timeLimit }),
  });
  const terminationMessage = await readFile(terminationLog, 'utf8');
  const { stdout, stderr } = result;
  const all = [...secrets].flatMap(([name, files]) => secretsOfFiles(name, files));
  demandNoSecrets(all, { stdout, stderr, terminationMessage });
  return { ...result, terminationMessage };
}

function commandLine({ command = [], args = [] }: V1Container): readonly string[] {
  return [...command, ...args];
}

/** A path of the container (a word, or what follows its last `=`) as a path of ours. */
function hostPathOf(word: string, places: ReadonlyMap<string, string>): string {
  const start = word.lastIndexOf('=') + 1;
  const path = word.slice(start);
  const mount = [...places.keys()]
    .filter((candidate) => path === candidate || path.startsWith(`${candidate}/`))
    .sort((a, b) => b.length - a.length)[0];
  if (mount === undefined) return word;
  return word.slice(0, start) + (places.get(mount) ?? '') + path.slice(mount.length);
}

async function makeVolume(
  volume: V1Volume | undefined,
  name: string,
  { directory, secrets }: ContainerOptions,
): Promise<string> {
  const place = volumeDirectory(directory, name);
  if (volume?.emptyDir) {
    await mkdir(place, { recursive: true });
    return place;
  }
  const data = secrets.get(volume?.secret?.secretName ?? '');
  if (!data) throw new Error(`volume ${name} is no emptyDir, and no Secret that there is`);
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  for (const [file, content] of Object.entries(data)) {
    await writeFile(join(place, file), content);
    await chmod(join(place, file), volume?.secret?.defaultMode ?? 0o644);
  }
  return place;
}
