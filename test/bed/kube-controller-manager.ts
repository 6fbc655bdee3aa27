/** The real kube-controller-manager: Deployments, EndpointSlices, service accounts and the rest. */
import { join } from 'node:path';
import type { Authority, Certificate } from './authority.ts';
import type { ControllerOptions } from './kube-scheduler.ts';
import { startService, type Service } from './service.ts';

/** Who it is to the API server. */
export const CONTROLLER_MANAGER_USER = { name: 'system:kube-controller-manager' } as const;

/** A controller manager to start. */
export interface ControllerManagerOptions extends ControllerOptions {
  /** Pods learn from it whose certificate the API server shows. */
  readonly authority: Pick<Authority, 'certificateFile'>;
  /** Signs the tokens of service accounts. */
  readonly accounts: Pick<Certificate, 'keyFile'>;
}

/**
 * Starts a controller manager, alone and therefore the leader.
 *
 * @throws Error with its log when it does not start
 */
export function startKubeControllerManager(options: ControllerManagerOptions): Promise<Service> {
  const { program, directory, kubeconfig, authority, accounts } = options;
  return startService({
    program,
    args: [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--secure-port=0',
      // Each controller with its own rights: those of the program itself do not do for a node.
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${accounts.keyFile}`,
      // Else it makes one that is the machine's.
      `--flex-volume-plugin-dir=${join(directory, 'volume-plugins')}`,
      `--root-ca-file=${authority.certificateFile}`,
    ],
    directory,
    ready: (output) => /Starting|Started/.test(output),
    timeLimit: 60_000,
  });
}
