/**
 * The real kube-apiserver with an etcd of its own, on loopback: RBAC, every default admission
 * plug-in, no controllers, no nodes.
 */
import { existsSync, rmSync, statfsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './cleanup.ts';
import { createAuthority, type Authority } from './authority.ts';
import { startEtcd, type Etcd } from './etcd.ts';
import { kubeClient, type KubeClient } from './kube-client.ts';
import { ensureKubernetes } from './kubernetes-programs.ts';
import { onFreePort } from './port.ts';
import { startService, type Service } from './service.ts';

/** A running API server. */
export interface KubeApiserver {
  /** Everything is in here, for this user alone; gone after {@link KubeApiserver.stop}. */
  readonly directory: string;
  /** Issued its certificate; certificates for clients are to be issued by it as well. */
  readonly authority: Authority;
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** A client that may do everything. */
  readonly admin: KubeClient;
  readonly service: Service;
  readonly etcd: Etcd;
  /** Writes a kubeconfig file for the bearer of a token, and returns its path. */
  kubeconfig(name: string, token: string): Promise<string>;
  /** Stops everything and removes the directory. May be repeated. */
  stop(): Promise<void>;
}

/** What etcd takes at once: two segments of its log. Some machines have less shared memory. */
const MEMORY_NEEDED = 512 * 1024 * 1024;
const MEMORY = '/dev/shm';

/**
 * Starts an etcd and an API server and waits until it is ready: about four seconds. Builds the
 * programs where they are missing, see {@link ensureKubernetes}.
 *
 * @throws Error with the log of what does not start; then nothing is left running, and no directory
 */
export async function startKubeApiserver(): Promise<KubeApiserver> {
  const programs = await ensureKubernetes();
  const directory = await mkdtemp(join(fastDirectory(), 'kpack-notary-kubernetes-'));
  const forget = atExit(() => rmSync(directory, { recursive: true, force: true }));
  // In the order in which they end: without its etcd, an API server takes long to stop.
  const parts: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const part of parts) await part.stop();
    await rm(directory, { recursive: true, force: true });
    forget();
  };
  try {
    const authority = await createAuthority(join(directory, 'authority'));
    const etcd = await startEtcd({ program: programs.etcd, directory });
    parts.push(etcd);
    const { service, admin, url } = await serve(programs.kubeApiserver, directory, authority, etcd);
    parts.unshift({ stop: () => Promise.resolve(admin.close()) }, service);
    const kubeconfig = async (name: string, token: string): Promise<string> => {
      const file = join(directory, `${name}.kubeconfig`);
      await writeFile(file, kubeconfigOf(url, authority, token), { mode: 0o600 });
      return file;
    };
    return { directory, authority, url, admin, service, etcd, kubeconfig, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serve(program: string, directory: string, authority: Authority, etcd: Etcd) {
  const [certificate, client, accounts] = await Promise.all([
    authority.issue({ name: 'kube-apiserver' }),
    authority.issue({ name: 'admin', organization: 'system:masters', usage: 'client' }),
    authority.issue({ name: 'service-accounts', usage: 'signing' }),
  ]);
  return onFreePort(async (port) => {
    const url = `https://127.0.0.1:${port}`;
    const admin = kubeClient({ url, ca: authority.certificatePem, user: client });
    try {
      const service = await startService({
        program,
        args: [
          `--etcd-servers=${etcd.url}`,
          '--bind-address=127.0.0.1',
          `--secure-port=${port}`,
          `--tls-cert-file=${certificate.certificateFile}`,
          `--tls-private-key-file=${certificate.keyFile}`,
          `--client-ca-file=${authority.certificateFile}`,
          '--service-account-issuer=https://kubernetes.default.svc',
          `--service-account-key-file=${accounts.certificateFile}`,
          `--service-account-signing-key-file=${accounts.keyFile}`,
          '--service-cluster-ip-range=10.96.0.0/24',
          '--authorization-mode=RBAC',
          // A loopback address is no endpoint that a Service may have.
          '--endpoint-reconciler-type=none',
          '--profiling=false',
        ],
        directory,
        // Nobody else's: it shows a certificate of our authority.
        ready: () =>
          admin.text('/readyz').then(
            () => true,
            () => false,
          ),
        timeLimit: 120_000,
      });
      return { service, admin, url };
    } catch (error) {
      admin.close();
      throw error;
    }
  });
}

/** In memory where there is enough of it. */
function fastDirectory(): string {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= MEMORY_NEEDED ? MEMORY : tmpdir();
}

/** JSON is YAML too. */
function kubeconfigOf(server: string, authority: Authority, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'bed', cluster: { server, 'certificate-authority': authority.certificateFile } },
    ],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'context', context: { cluster: 'bed', user: 'user' } }],
    'current-context': 'context',
  });
}
