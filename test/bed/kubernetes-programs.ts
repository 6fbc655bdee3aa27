/**
 * The real programs of Kubernetes: those of KUBEBUILDER_ASSETS, or built once from their Go modules
 * and kept in the user's cache directory.
 */
import { buildInTurn, goModule, type GoModule, type GoProgram } from './go-module.ts';
import { findProgram, searchPath } from './installed.ts';

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

/**
 * Why there is no API server here and none can be made; undefined where there is.
 *
 * @param path where to look for Go, directories joined by colons
 */
export function whyNoKubernetes(path = searchPath()): string | undefined {
  const isThere = missingOf(['etcd', 'kube-apiserver'], kubernetesModule()).length === 0;
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
  const module = kubernetesModule();
  const missing = missingOf(programs, module);
  const given = assets();
  const lacking = TEST_PROGRAMS.filter((program) => missing.some((name) => name === program));
  if (given !== undefined && lacking.length > 0) {
    throw new Error(`KUBEBUILDER_ASSETS is ${given}, which lacks ${lacking.join(' and ')}`);
  }
  if (missing.length > 0) {
    await buildInTurn(module, () =>
      missingOf(programs, module).map((name) => programOf(name, module)),
    );
  }
  const found = programs.map((program) => [program, findBuilt(program, module) ?? ''] as const);
  return Object.fromEntries(found) as Record<Name, string>;
}

function assets(): string | undefined {
  return process.env['KUBEBUILDER_ASSETS'] || undefined;
}

function kubernetesModule(): GoModule {
  return goModule('kubernetes', (versionOf) => {
    const version = versionOf('k8s.io/kubernetes');
    const [major, minor] = version.slice(1).split('.');
    const stamp = (name: string, value = '') => `-X k8s.io/component-base/version.${name}=${value}`;
    const stamps = [
      stamp('gitVersion', version),
      stamp('gitMajor', major),
      stamp('gitMinor', minor),
    ];
    return ['-s -w', ...stamps].join(' ');
  });
}

function programOf(name: KubernetesProgram, module: GoModule): GoProgram {
  const version = module.versionOf(name === 'etcd' ? SOURCES.etcd.source : 'k8s.io/kubernetes');
  return { name, version, ...SOURCES[name] };
}

/** The program of KUBEBUILDER_ASSETS where there is that directory and it is in it, or ours. */
function findBuilt(program: KubernetesProgram, { cache }: GoModule): string | undefined {
  const given = assets();
  const isCustom = TEST_PROGRAMS.some((name) => name === program);
  return findProgram(program, given !== undefined && isCustom ? given : cache);
}

function missingOf<Name extends KubernetesProgram>(
  programs: readonly Name[],
  module: GoModule,
): readonly Name[] {
  return programs.filter((program) => findBuilt(program, module) === undefined);
}
