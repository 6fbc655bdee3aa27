/** The real kube-scheduler, alone and therefore the leader. */
import { startService, type Service } from './service.ts';

/** Who it is to the API server. */
export const SCHEDULER_USER = { name: 'system:kube-scheduler' } as const;

/** A program that works on the API server's objects. */
export interface ControllerOptions {
  readonly program: string;
  /** Its current directory; exists. */
  readonly directory: string;
  readonly kubeconfig: string;
}

/**
 * Starts a scheduler; pods that it cannot place yet wait for it.
 *
 * @throws Error with its log when it does not start
 */
export function startKubeScheduler(options: ControllerOptions): Promise<Service> {
  const { program, directory, kubeconfig } = options;
  return startService({
    program,
    args: [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'],
    directory,
    ready: (output) => /Caches? (?:are )?synced|Starting Kubernetes Scheduler/.test(output),
    timeLimit: 60_000,
  });
}
