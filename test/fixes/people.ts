/** What people have who run kubectl: a cluster, and a shell in which they may do everything there. */
import { mkdtemp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KubeApiserver } from '../bed/kube-apiserver.ts';
import { ensureKubectl } from '../bed/kubernetes-programs.ts';
import type { Shell } from './scenario.ts';

/** The shell of an admin, who is nobody that a webhook knows. */
export async function adminShell(apiserver: KubeApiserver): Promise<Shell> {
  const { authority, directory } = apiserver;
  const user = { name: 'somebody', organization: 'system:masters', usage: 'client' } as const;
  const certificate = await authority.issue(user);
  return {
    directory: await mkdtemp(join(directory, 'shell-')),
    env: { KUBECONFIG: await apiserver.kubeconfig('somebody', { certificate }) },
    programs: dirname(await ensureKubectl()),
  };
}
