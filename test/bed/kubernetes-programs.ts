/**
 * The real programs of Kubernetes: those of KUBEBUILDER_ASSETS, or built once from their Go modules
 * and kept in the user's cache directory.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { projectDirectory } from './project-directory.ts';
import { atExit } from './cleanup.ts';
import { findProgram, searchPath } from './installed.ts';
import { holdLock } from './lock.ts';

/** Absolute paths of what an API server needs. */
export interface KubernetesPrograms {
  readonly etcd: string;
  readonly kubeApiserver: string;
}

/**
 * Where each program comes from, and the seconds that it takes on two cores where nothing is cached,
 * in this order: each is quicker for what the ones before it have in common with it.
 */
const SOURCES = {
  etcd: { source: 'go.etcd.io/etcd/server/v3', seconds: 15 },
  'kube-apiserver': { source: 'k8s.io/kubernetes/cmd/kube-apiserver', seconds: 370 },
  kubectl: { source: 'k8s.io/kubernetes/cmd/kubectl', seconds: 35 },
  'kube-scheduler': { source: 'k8s.io/kubernetes/cmd/kube-scheduler', seconds: 20 },
  'kube-controller-manager': {
    source: 'k8s.io/kubernetes/cmd/kube-controller-manager',
    seconds: 45,
  },
  kubelet: { source: 'k8s.io/kubernetes/cmd/kubelet', seconds: 45 },
} as const;

/** A program of Kubernetes, by the name of its executable. */
export type KubernetesProgram = keyof typeof SOURCES;

/** What tests need: an API server, and the tool that people install with. */
export const TEST_PROGRAMS = ['etcd', 'kube-apiserver', 'kubectl'] as const;

/** What a whole cluster with a node needs. */
export const CLUSTER_PROGRAMS = Object.keys(SOURCES) as readonly KubernetesProgram[];

/** Where go.mod says which versions; a module of its own, with no code. */
const moduleDirectory = (): string => join(projectDirectory(), 'test/bed/kubernetes');

/**
 * Why there is no API server here and none can be made; undefined where there is.
 *
 * @param path where to look for Go, directories joined by colons
 */
export function whyNoKubernetes(path = searchPath()): string | undefined {
  const isThere = missingOf(['etcd', 'kube-apiserver'], buildPlan()).length === 0;
  if (isThere || assets() !== undefined || findProgram('go', path) !== undefined) return undefined;
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
 * Makes sure that etcd and kube-apiserver are there, as {@link ensurePrograms} does.
 *
 * @throws Error as {@link ensurePrograms}
 */
export async function ensureKubernetes(): Promise<KubernetesPrograms> {
  const programs = await ensurePrograms(['etcd', 'kube-apiserver']);
  return { etcd: programs.etcd, kubeApiserver: programs['kube-apiserver'] };
}

/**
 * Makes sure that kubectl is there, in the version of the API server.
 *
 * @returns its absolute path
 * @throws Error as {@link ensurePrograms}
 */
export async function ensureKubectl(): Promise<string> {
  return (await ensurePrograms(['kubectl'])).kubectl;
}

/**
 * Makes sure that programs are there. Building them takes minutes, and says so; two processes that
 * want to build take turns, and none of them ever sees half a program.
 *
 * @returns their absolute paths
 * @throws Error when KUBEBUILDER_ASSETS lacks one that such a directory has by custom
 *   ({@link TEST_PROGRAMS}), when there is no Go, or with Go's output when it cannot build them
 */
export async function ensurePrograms<Name extends KubernetesProgram>(
  programs: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  const plan = buildPlan();
  const missing = missingOf(programs, plan);
  const given = assets();
  const lacking = TEST_PROGRAMS.filter((program) => missing.some((name) => name === program));
  if (given !== undefined && lacking.length > 0) {
    throw new Error(`KUBEBUILDER_ASSETS is ${given}, which lacks ${lacking.join(' and ')}`);
  }
  if (missing.length > 0) await buildInTurn(programs, plan);
  const found = programs.map((program) => [program, findBuilt(program, plan) ?? ''] as const);
  return Object.fromEntries(found) as Record<Name, string>;
}

async function buildInTurn(programs: readonly KubernetesProgram[], plan: BuildPlan): Promise<void> {
  const go = findProgram('go');
  if (go === undefined) {
    throw new Error(`there is no Go on PATH to build ${missingOf(programs, plan).join(', ')} with`);
  }
  mkdirSync(plan.directory, { recursive: true });
  const flock = findProgram('flock');
  // Without a lock two processes may both build; renaming keeps either result whole.
  const release = flock === undefined ? undefined : await holdLock(flock, `${plan.directory}.lock`);
  try {
    // Another process may have built them while we waited for the lock.
    const missing = missingOf(programs, plan);
    if (missing.length > 0) await build(go, missing, plan);
  } finally {
    release?.();
  }
}

function assets(): string | undefined {
  return process.env['KUBEBUILDER_ASSETS'] || undefined;
}

interface BuildPlan {
  /** `v1.36.3`. */
  readonly kubernetes: string;
  /** `v3.6.8`. */
  readonly etcd: string;
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
  const kubernetes = versionOf('k8s.io/kubernetes');
  const [major, minor] = kubernetes.slice(1).split('.');
  const stamp = (name: string, value = '') => `-X k8s.io/component-base/version.${name}=${value}`;
  const ldflags = [
    '-s -w',
    stamp('gitVersion', kubernetes),
    stamp('gitMajor', major),
    stamp('gitMinor', minor),
  ].join(' ');
  const inputs = [goMod, goSum, ldflags, process.platform, process.arch];
  const key = createHash('sha256').update(inputs.join('\0')).digest('hex').slice(0, 16);
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const directory = join(cache, 'kpack-notary', `kubernetes-${key}`);
  return { kubernetes, etcd: versionOf(SOURCES.etcd.source), ldflags, directory };
}

/** The program of KUBEBUILDER_ASSETS where there is that directory and it is in it, or ours. */
function findBuilt(program: KubernetesProgram, { directory }: BuildPlan): string | undefined {
  const given = assets();
  const isCustom = TEST_PROGRAMS.some((name) => name === program);
  return findProgram(program, given !== undefined && isCustom ? given : directory);
}

function missingOf<Name extends KubernetesProgram>(
  programs: readonly Name[],
  plan: BuildPlan,
): readonly Name[] {
  return programs.filter((program) => findBuilt(program, plan) === undefined);
}

async function build(
  go: string,
  programs: readonly KubernetesProgram[],
  plan: BuildPlan,
): Promise<void> {
  const { directory, ldflags } = plan;
  const started = performance.now();
  const what = programs
    .map((program) => `${program} ${program === 'etcd' ? plan.etcd : plan.kubernetes}`)
    .join(', ');
  const seconds = programs.reduce((sum, program) => sum + SOURCES[program].seconds, 0);
  const minutes = Math.ceil(seconds / 60);
  console.log(`Building ${what} into ${directory}: about ${minutes} minutes on 2 cores, once`);
  const unfinished = mkdtempSync(`${directory}-unfinished-`);
  const forget = atExit(() => rmSync(unfinished, { recursive: true, force: true }));
  try {
    for (const program of programs) {
      const file = join(unfinished, program);
      const { source } = SOURCES[program];
      await run(go, ['build', '-trimpath', '-ldflags', ldflags, '-o', file, source]);
      renameSync(file, join(directory, program));
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    forget();
  }
  console.log(`Built ${what} in ${Math.round((performance.now() - started) / 1000)} s`);
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
