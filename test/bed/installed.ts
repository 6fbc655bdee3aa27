/**
 * The real programs that the bed is made of: found on this machine, or installed where that is ours
 * to do (root on Debian or Ubuntu).
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { holdLock } from './lock.ts';

/** A program that the bed needs, by the name of its executable. */
export type Part =
  | 'notary'
  | 'notary-server'
  | 'notary-signer'
  | 'docker-registry'
  | 'docker'
  | 'openssl'
  | 'postgres'
  | 'promtool'
  | 'buildah'
  | 'runc'
  | 'ssh-keygen'
  | NodePart;

/** What a node is made of, beside programs of Kubernetes; no test needs it. */
type NodePart = 'containerd' | 'ctr' | 'host-local' | 'busybox' | 'ip' | 'unshare';

/** The Debian package that holds each part. */
const PACKAGES: Readonly<Record<Part, string>> = {
  notary: 'notary',
  'notary-server': 'notary',
  'notary-signer': 'notary',
  'docker-registry': 'docker-registry',
  docker: 'docker.io',
  openssl: 'openssl',
  postgres: 'postgresql',
  promtool: 'prometheus',
  buildah: 'buildah',
  runc: 'runc',
  'ssh-keygen': 'openssh-client',
  containerd: 'containerd',
  ctr: 'containerd',
  'host-local': 'containernetworking-plugins',
  busybox: 'busybox-static',
  ip: 'iproute2',
  unshare: 'util-linux',
};
const NODE = ['containerd', 'ctr', 'host-local', 'busybox', 'ip', 'unshare'] as const;
/** What a cluster of one node is made of, beside the programs of Kubernetes. */
export const NODE_PARTS: readonly Part[] = [...NODE, 'runc'];
const ALL_PARTS = (Object.keys(PACKAGES) as readonly Part[]).filter(
  (part) => !NODE.some((name) => name === part),
);

/** Services that these packages bring and may start, and the program that each of them runs. */
const SERVICES = [
  { service: 'docker-registry', program: 'docker-registry' },
  { service: 'docker', program: 'dockerd' },
  { service: 'containerd', program: 'containerd' },
  { service: 'postgresql', program: 'postgres' },
  { service: 'prometheus', program: 'prometheus' },
] as const;

/** Root alone gets as far as the lock, so it may live where root alone writes. */
const LOCK_FILE = '/run/kpack-notary-bed.lock';

/** Where Debian keeps the plug-ins that make networks of containers. */
export const CNI_PLUGINS = '/usr/lib/cni';

/** Debian keeps the programs of each PostgreSQL version in a directory of their own. */
const POSTGRESQL = '/usr/lib/postgresql';

/** Where programs are looked for: PATH, and directories that PATH often lacks, joined by colons. */
export function searchPath(): string {
  const postgresql = existsSync(POSTGRESQL) ? readdirSync(POSTGRESQL) : [];
  const newestFirst = postgresql.sort((a, b) => Number(b) - Number(a));
  const extra = [
    ...['/usr/sbin', '/usr/local/bin', '/usr/libexec', CNI_PLUGINS],
    ...newestFirst.map((version) => join(POSTGRESQL, version, 'bin')),
  ];
  return [...new Set([...(process.env['PATH'] ?? '').split(delimiter), ...extra])].join(delimiter);
}

/**
 * The absolute path of an executable, or undefined where it is missing.
 *
 * @param path directories joined by colons; relative and empty ones are passed over
 */
export function findProgram(name: string, path = searchPath()): string | undefined {
  return path
    .split(delimiter)
    .filter((directory) => isAbsolute(directory))
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

/**
 * Makes sure that programs are there. Installs what is missing when we are root and apt-get is
 * there; two processes that want to install take turns.
 *
 * @param parts what is needed; all parts by default
 * @param options.path where to look, directories joined by colons; {@link searchPath} by default
 * @throws Error that names what is missing and what to install, where installing is not ours to
 *   do; Error with apt-get's output where it fails
 */
export async function ensureInstalled(
  parts: readonly Part[] = ALL_PARTS,
  options: { readonly path?: string } = {},
): Promise<void> {
  const path = options.path ?? searchPath();
  if (missingOf(parts, path).length === 0) return;
  const aptGet = findProgram('apt-get', path);
  const flock = findProgram('flock', path);
  if (aptGet === undefined || flock === undefined || process.getuid?.() !== 0) {
    throw new Error(advice(missingOf(parts, path)));
  }
  const release = await holdLock(flock, LOCK_FILE);
  try {
    // Another process may have installed them while we waited for the lock.
    const missing = missingOf(parts, path);
    if (missing.length > 0) await install(missing, aptGet);
    const still = missingOf(missing, path);
    if (still.length > 0) throw new Error(advice(still));
  } finally {
    release();
  }
}

async function install(missing: readonly Part[], aptGet: string): Promise<void> {
  console.log(`Installing ${packagesOf(missing).join(', ')} (not found: ${missing.join(', ')})`);
  await run(aptGet, ['update']);
  // Newer Debian keeps the CLI apart from the engine, which the bed does not need.
  const cliAlone = await run('apt-cache', ['show', '--no-all-versions', 'docker-cli']).then(
    (text) => /^Package: docker-cli$/m.test(text),
    () => false,
  );
  const brought = SERVICES.filter(({ program }) => findProgram(program) === undefined);
  const packages = packagesOf(missing).map((name) =>
    name === 'docker.io' && cliAlone ? 'docker-cli' : name,
  );
  await run(aptGet, [
    'install',
    '-y',
    '--no-install-recommends',
    '-o',
    'DPkg::Lock::Timeout=120',
    ...packages,
  ]);
  for (const { service } of brought) await stopService(service);
}

/** Ends a service that an installation may have started; ours to end, since we brought it. */
async function stopService(service: string): Promise<void> {
  const [program, ...args] = existsSync('/run/systemd/system')
    ? (['systemctl', 'stop', `${service}.*`] as const)
    : (['invoke-rc.d', service, 'stop'] as const);
  // Fails where the service was not started, or did not come at all: as wanted.
  await run(program, args).catch(() => undefined);
}

/** Runs a program of the system with this process's environment: apt-get may need its proxies. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, {
    env: { ...process.env, PATH: searchPath(), DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return output;
  throw new Error(`${program} ${args.join(' ')} failed:\n${output.slice(-4000)}`);
}

function advice(missing: readonly Part[]): string {
  return (
    `not found: ${missing.join(', ')}. On Debian or Ubuntu: ` +
    `apt-get install --no-install-recommends ${packagesOf(missing).join(' ')}; ` +
    'elsewhere put these programs on PATH.'
  );
}

function packagesOf(parts: readonly Part[]): readonly string[] {
  return [...new Set(parts.map((part) => PACKAGES[part]))];
}

function missingOf(parts: readonly Part[], path: string): readonly Part[] {
  return parts.filter((part) => findProgram(part, path) === undefined);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
