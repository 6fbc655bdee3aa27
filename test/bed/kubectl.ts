/** kubectl, with rights and without, as its exit code, its words and its warnings. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, succeed, type CommandResult } from './command.ts';
import type { KubeApiserver } from './kube-apiserver.ts';
import { ensureKubectl } from './kubernetes-programs.ts';

/** kubectl of somebody who may do everything in a cluster. */
export interface Kubectl {
  /** Runs it, whatever its exit code. */
  run(args: readonly string[]): Promise<CommandResult>;
  /** Runs it, and returns what it says. @throws Error when it fails */
  succeed(args: readonly string[]): Promise<string>;
}

/** Long enough for what is applied and waited for. */
const TIME_LIMIT = 120_000;

/** kubectl with the rights of an admin of an API server. */
export async function adminKubectl(apiserver: KubeApiserver): Promise<Kubectl> {
  const { authority, directory, url } = apiserver;
  const user = { name: 'admin', organization: 'system:masters', usage: 'client' } as const;
  const [program, certificate] = await Promise.all([ensureKubectl(), authority.issue(user)]);
  const kubeconfig = join(directory, 'kubectl.kubeconfig');
  // JSON is YAML too.
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'bed',
        cluster: { server: url, 'certificate-authority': authority.certificateFile },
      },
    ],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate': certificate.certificateFile,
          'client-key': certificate.keyFile,
        },
      },
    ],
    contexts: [{ name: 'admin', context: { cluster: 'bed', user: 'admin' } }],
    'current-context': 'admin',
  };
  await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  const options = (args: readonly string[]) => ({
    program,
    args: [`--kubeconfig=${kubeconfig}`, ...args],
    directory,
    timeLimit: TIME_LIMIT,
  });
  return { run: (args) => runCommand(options(args)), succeed: (args) => succeed(options(args)) };
}

/** The manifests of a directory with a kustomization, as `kubectl apply -k` would apply them. */
export async function kustomize(directory: string): Promise<string> {
  const program = await ensureKubectl();
  return succeed({ program, args: ['kustomize', directory], directory });
}
