/**
 * The real kube-apiserver and etcd: those of KUBEBUILDER_ASSETS, or built once from their Go modules
 * and kept in the user's cache directory.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { projectDirectory } from '../fixture.ts';
import { atExit } from './cleanup.ts';
import { findProgram, searchPath } from './installed.ts';
import { holdLock } from './lock.ts';

/** Absolute paths of the programs. */
export interface KubernetesPrograms {
  readonly etcd: string;
  readonly kubeApiserver: string;
}

const PACKAGES = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
} as const;

/** Where go.mod says which versions; a module of its own, with no code. */
const moduleDirectory = (): string => join(projectDirectory(), 'test/bed/kubernetes');

/**
 * Why there are no Kubernetes programs here and none can be made; undefined where there are.
 *
 * @param path where to look for Go, directories joined by colons
 */
export function whyNoKubernetes(path = searchPath()): string | undefined {
  const isThere = assets() !== undefined || findBuilt(buildPlan()) !== undefined;
  if (isThere || findProgram('go', path) !== undefined) return undefined;
  return (
    'there is no real kube-apiserver: neither Go to build it with is on PATH, ' +
    'nor is KUBEBUILDER_ASSETS set to a directory with etcd and kube-apiserver'
  );
}

/** Ends a test file where there is no Kubernetes: skipped, and the reason printed. */
export function needKubernetes(
  t: { plan(count: 0, comment: string): void },
  path = searchPath(),
): void {
  const reason = whyNoKubernetes(path);
  if (reason === undefined) return;
  t.plan(0, reason);
  process.exit();
}

/**
 * Makes sure that the programs are there. Building them takes minutes, and says so; two processes
 * that want to build take turns, and none of them ever sees half a program.
 *
 * @throws Error when KUBEBUILDER_ASSETS lacks one of them, when there is no Go, or with Go's output
 *   when it cannot build them
 */
export async function ensureKubernetes(): Promise<KubernetesPrograms> {
  const given = assets();
  if (given !== undefined) {
    const found = findPrograms(given);
    if (found) return found;
    throw new Error(`KUBEBUILDER_ASSETS is ${given}, which lacks etcd or kube-apiserver`);
  }
  const plan = buildPlan();
  const built = findBuilt(plan);
  if (built) return built;
  const go = findProgram('go');
  if (go === undefined) throw new Error(whyNoKubernetes());
  mkdirSync(plan.directory, { recursive: true });
  const flock = findProgram('flock');
  // Without a lock two processes may both build; renaming keeps either result whole.
  const release = flock === undefined ? undefined : await holdLock(flock, `${plan.directory}.lock`);
  try {
    return findBuilt(plan) ?? (await build(go, plan));
  } finally {
    release?.();
  }
}

function assets(): string | undefined {
  return process.env['KUBEBUILDER_ASSETS'] || undefined;
}

interface BuildPlan {
  /** `v1.36.3`. */
  readonly versions: Readonly<Record<keyof typeof PACKAGES, string>>;
  readonly ldflags: string;
  /** Where the programs go: another one for other versions or flags. */
  readonly directory: string;
}

function buildPlan(): BuildPlan {
  const [goMod = '', goSum = ''] = ['go.mod', 'go.sum'].map((file) =>
    readFileSync(join(moduleDirectory(), file), 'utf8'),
  );
  const versionOf = (module: string) => {
    const line = goMod.split('\n').find((text) => text.trim().startsWith(`${module} v`));
    return line?.trim().split(' ')[1] ?? '';
  };
  const versions = {
    etcd: versionOf(PACKAGES.etcd),
    'kube-apiserver': versionOf('k8s.io/kubernetes'),
  };
  const [major, minor] = versions['kube-apiserver'].slice(1).split('.');
  const stamp = (name: string, value = '') => `-X k8s.io/component-base/version.${name}=${value}`;
  const ldflags = [
    '-s -w',
    stamp('gitVersion', versions['kube-apiserver']),
    stamp('gitMajor', major),
    stamp('gitMinor', minor),
  ].join(' ');
  const inputs = [goMod, goSum, ldflags, process.platform, process.arch];
  const key = createHash('sha256').update(inputs.join('\0')).digest('hex').slice(0, 16);
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return { versions, ldflags, directory: join(cache, 'kpack-notary', `kubernetes-${key}`) };
}

function findBuilt({ directory }: BuildPlan): KubernetesPrograms | undefined {
  return findPrograms(directory);
}

function findPrograms(directory: string): KubernetesPrograms | undefined {
  const etcd = findProgram('etcd', directory);
  const kubeApiserver = findProgram('kube-apiserver', directory);
  return etcd !== undefined && kubeApiserver !== undefined ? { etcd, kubeApiserver } : undefined;
}

async function build(go: string, plan: BuildPlan): Promise<KubernetesPrograms> {
  const { directory, ldflags, versions } = plan;
  const started = performance.now();
  const what = `kube-apiserver ${versions['kube-apiserver']} and etcd ${versions.etcd}`;
  console.log(`Building ${what} into ${directory}: about 7 minutes on 2 cores, once`);
  const unfinished = mkdtempSync(`${directory}-unfinished-`);
  const forget = atExit(() => rmSync(unfinished, { recursive: true, force: true }));
  try {
    for (const [program, source] of Object.entries(PACKAGES)) {
      const file = join(unfinished, program);
      await run(go, ['build', '-trimpath', '-ldflags', ldflags, '-o', file, source]);
      renameSync(file, join(directory, program));
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    forget();
  }
  console.log(`Built ${what} in ${Math.round((performance.now() - started) / 1000)} s`);
  return { etcd: join(directory, 'etcd'), kubeApiserver: join(directory, 'kube-apiserver') };
}

/** Runs Go with this process's environment, which may hold its proxies and caches. */
async function run(go: string, args: readonly string[]): Promise<void> {
  const child = spawn(go, args, {
    cwd: moduleDirectory(),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const forget = atExit(() => child.kill());
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(forget);
  if (code !== 0) throw new Error(`go ${args.join(' ')} failed:\n${output.slice(-4000)}`);
}
