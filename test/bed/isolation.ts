/**
 * Namespaces of our own for a script and all that it starts: network, mounts, processes. When the
 * script ends, by whatever way, the kernel ends the rest and unmounts the rest; control groups, which
 * no namespace takes along, are removed by us.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
  type Dirent,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { atExit } from './cleanup.ts';
import { findProgram, searchPath } from './installed.ts';
import { holdLock } from './lock.ts';

/** How an isolated script ended. */
export interface IsolatedRun {
  /** Its exit code; 1 where a signal ended it. */
  readonly code: number;
  /** What it left behind, in words; empty as it has to be. */
  readonly left: readonly string[];
}

/** The first arguments of an isolated script. */
export interface Isolated {
  /** A control group of ours under each controller, as `/name`. */
  readonly cgroup: string;
}

/** Where programs write what they let nobody tell them to write elsewhere. Inside, in memory. */
const PLACES = ['/run', '/var/log', '/var/lib/kubelet', '/var/lib/cni', '/dev/shm'] as const;
/** Inside, in memory like all of /run; what is temporary goes there. */
const TEMPORARY = '/run/kpack-notary-bed';
const LOCK_FILE = '/run/kpack-notary-isolation.lock';
const NAMESPACES = ['--net', '--mount', '--propagation', 'private', '--pid', '--mount-proc'];
/** What a process of ours is told of its namespaces in; unshare itself stays outside of the first. */
const NAMESPACE_FILES = ['pid_for_children', 'net', 'mnt'] as const;
const CGROUPS = '/sys/fs/cgroup';

/**
 * A group weighs as much as one process beside it, whatever runs in it: not enough for what is many
 * processes. The files of versions 1 and 2.
 */
const WEIGHTS = [
  { file: 'cpu.shares', weight: '10240' },
  { file: 'cpu.weight', weight: '1000' },
] as const;
/** How long the kernel may take to end what ran there, in milliseconds. */
const END_LIMIT = 15_000;
const PAUSE = 50;

/**
 * Run inside, as process 1, which also takes the orphans. The kubelet sets three values of the
 * kernel's, for the whole machine: here it finds files in their place.
 */
const ENTER = `set -e
readlink /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/mnt >&3
exec 3>&-
for place in ${PLACES.join(' ')}; do mount -t tmpfs -o mode=755 tmpfs $place; done
mkdir -p /run/lock ${TEMPORARY}
while read -r file value; do
  echo $value >${TEMPORARY}/$(basename $file)
  mount --bind ${TEMPORARY}/$(basename $file) /proc/sys/$file
done <<END
vm/overcommit_memory 1
kernel/panic 10
kernel/panic_on_oops 1
END
ip link set lo up
set +e
"$@"
exit $?
`;

/** Why namespaces cannot be had here; undefined where they can. */
export function whyNotIsolated(): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are a thing of Linux';
  if (process.getuid?.() !== 0) return 'namespaces of our own take root';
  // Containers that may do nothing have root, too.
  const { status, stderr } = spawnSync('unshare', [...NAMESPACES, '--fork', 'true']);
  return status === 0 ? undefined : `root may make no namespaces here: ${String(stderr).trim()}`;
}

/**
 * Runs a script in namespaces of its own: with nothing of the network but a loopback interface, and
 * with a control group that is named by its first argument, see {@link isolated}. Its output is ours.
 * Where another process of this machine does the same, it waits.
 *
 * @param script absolute path, for this Node
 * @throws Error when unshare is missing or nothing starts in it
 */
export async function runIsolated(script: string, args: readonly string[]): Promise<IsolatedRun> {
  const unshare = findProgram('unshare');
  const setpriv = findProgram('setpriv');
  if (unshare === undefined || setpriv === undefined) {
    throw new Error('unshare and setpriv of util-linux are not installed');
  }
  const flock = findProgram('flock');
  // One at a time: what is made for one and removed after it would be taken from another.
  const release = flock === undefined ? undefined : await holdLock(flock, LOCK_FILE);
  const cgroup = `kpack-notary-bed-${process.pid}`;
  const made = PLACES.filter((place) => !existsSync(place));
  for (const place of made) mkdirSync(place, { recursive: true });
  const mounts = mountsAt(PLACES);
  for (const controller of controllers()) {
    const group = join(controller, cgroup);
    mkdirSync(group);
    for (const { file, weight } of WEIGHTS) {
      if (existsSync(join(group, file))) writeFileSync(join(group, file), weight);
    }
  }

  const words = [process.execPath, script, `/${cgroup}`, ...args];
  const child = spawn(
    setpriv,
    [
      ...['--pdeathsig', 'KILL', unshare, ...NAMESPACES, '--fork', '--kill-child=KILL'],
      ...['sh', '-c', ENTER, 'sh', ...words],
    ],
    {
      env: { ...process.env, PATH: searchPath(), TMPDIR: TEMPORARY },
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    },
  );
  let inside: readonly string[] = [];
  const held: number[] = [];
  const clean = (): readonly string[] => {
    child.kill('SIGKILL');
    const left = leftBehind(child, inside, cgroup, made, mounts);
    for (const file of held.splice(0)) closeSync(file);
    return left;
  };
  const forget = atExit(() => {
    for (const what of clean()) console.error(`left behind: ${what}`);
  });
  const told = firstLines(child.stdio[3] as Readable, NAMESPACE_FILES.length).then((names) => {
    inside = names;
    // A namespace that nobody holds is gone, and its number may be the next one's.
    const files = NAMESPACE_FILES.map((kind) => `/proc/${child.pid}/ns/${kind}`);
    held.push(...files.map((file) => openSync(file, 'r')));
  });
  // What ends before it has told its namespaces has none.
  told.catch(() => undefined);
  const [code] = (await once(child, 'exit')) as [number | null];
  const left = clean();
  forget();
  release?.();
  return { code: code ?? 1, left };
}

/** What the arguments of a script say that {@link runIsolated} runs. */
export function isolated(args: readonly string[]): Isolated {
  const [cgroup = ''] = args;
  return { cgroup };
}

/** The first lines of a stream that stays open. */
function firstLines(stream: Readable, count: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const lines = text.split('\n');
      if (lines.length > count) resolve(lines.slice(0, count));
    });
    stream.once('end', () => reject(new Error(`ended after ${text}`)));
  });
}

/** Removes what no namespace took along, and looks for the rest. */
function leftBehind(
  child: ChildProcess,
  namespaces: readonly string[],
  cgroup: string,
  made: readonly string[],
  mounts: readonly string[],
): readonly string[] {
  const end = performance.now() + END_LIMIT;
  const processes = () => processesIn(namespaces).filter((pid) => pid !== child.pid);
  while (processes().length > 0 && performance.now() < end) wait();
  const groups = controllers().map((controller) => join(controller, cgroup));
  // A group is busy for a moment after its last process.
  while (!groups.map(removeTree).every(Boolean) && performance.now() < end) wait();
  for (const place of made) tryToRemove(place);
  return [
    ...processes().map((pid) => `process ${pid} (${commandOf(pid)})`),
    ...groups.filter((group) => existsSync(group)).map((group) => `control group ${group}`),
    ...made.filter((place) => existsSync(place)).map((place) => `files in ${place}`),
    ...mountsAt(PLACES)
      .filter((mount) => !mounts.includes(mount))
      .map((mount) => `mount ${mount}`),
  ];
}

/** The directories in which each controller has its groups: one for all since version 2. */
function controllers(): readonly string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS];
  const names = readdirSync(CGROUPS, { withFileTypes: true });
  // Some are links to others.
  return names
    .filter((entry: Dirent) => entry.isDirectory())
    .map(({ name }) => join(CGROUPS, name))
    .filter((directory) => existsSync(join(directory, 'cgroup.procs')));
}

/** @returns whether it is gone */
function removeTree(directory: string): boolean {
  if (!existsSync(directory)) return true;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  }
  return tryToRemove(directory);
}

function tryToRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

/** Process ids of those in one of the namespaces, `net:[4026532008]`. */
function processesIn(namespaces: readonly string[]): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) =>
    ['pid', 'net', 'mnt'].some((kind) => {
      try {
        return namespaces.includes(readlinkSync(`/proc/${pid}/ns/${kind}`));
      } catch {
        return false; // It has ended, or is about to.
      }
    }),
  );
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'ended meanwhile';
  }
}

/** Our own mounts at or under these directories. */
function mountsAt(places: readonly string[]): readonly string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mount) => places.some((place) => mount === place || mount.startsWith(`${place}/`)));
}

/** Nothing else can be done meanwhile: this also runs while our process ends. */
function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}
