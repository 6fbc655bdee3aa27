/**
 * The real kube-apiserver with an etcd of its own: RBAC, every default admission plug-in, no
 * controllers, no nodes. On loopback, or where the pods of a node reach it.
 */
import { existsSync, rmSync, statfsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './cleanup.ts';
import { createAuthority, type Authority, type Certificate } from './authority.ts';
import { startEtcd, type Etcd } from './etcd.ts';
import { kubeClient, type KubeClient } from './kube-client.ts';
import { ensureKubernetes } from './kubernetes-programs.ts';
import { onFreePort } from './port.ts';
import { startService, type Service } from './service.ts';

/** An API server to start. */
export interface KubeApiserverOptions {
  /**
   * Addresses of this machine that it serves for the nodes and pods of a cluster, at the port that
   * the Service `kubernetes` has; loopback alone, at a free port, by default.
   */
  readonly addresses?: readonly string[];
  /** Keeps a log of every request, see {@link KubeApiserver.auditLog}. */
  readonly audit?: boolean;
  /** Flags beside those that it needs. */
  readonly args?: readonly string[];
}

/** Who shows up at an API server: by a token, or by a certificate of its CA. */
export type KubeUser = { readonly token: string } | { readonly certificate: Certificate };

/** A running API server. */
export interface KubeApiserver {
  /** Everything is in here, for this user alone; gone after {@link KubeApiserver.stop}. */
  readonly directory: string;
  /** Issued its certificate; certificates for clients are to be issued by it as well. */
  readonly authority: Authority;
  /** `https://127.0.0.1:<port>`, or the first of its addresses without a port. */
  readonly url: string;
  /** Signs the tokens of service accounts. */
  readonly accounts: Certificate;
  /** A client that may do everything. */
  readonly admin: KubeClient;
  readonly service: Service;
  readonly etcd: Etcd;
  /** With `audit`: one Event of audit.k8s.io a line, there before the request is answered. */
  readonly auditLog: string;
  /** Writes a kubeconfig file for a user, or the bearer of a token, and returns its path. */
  kubeconfig(name: string, user: KubeUser | string): Promise<string>;
  /** Stops everything and removes the directory. May be repeated. */
  stop(): Promise<void>;
}

/** What etcd takes at once: two segments of its log. Some machines have less shared memory. */
const MEMORY_NEEDED = 512 * 1024 * 1024;
const MEMORY = '/dev/shm';
const AUDIT_LOG = 'audit.log';
/** Of the Service `kubernetes`, whatever the port of the API server is. */
const SERVICE_PORT = 443;

/**
 * Starts an etcd and an API server and waits until it is ready: about four seconds. Builds the
 * programs where they are missing, see {@link ensureKubernetes}.
 *
 * @throws Error with the log of what does not start; then nothing is left running, and no directory
 */
export async function startKubeApiserver(
  options: KubeApiserverOptions = {},
): Promise<KubeApiserver> {
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
    const program = programs.kubeApiserver;
    const served = await serve({ program, directory, authority, etcd, ...options });
    const { service, admin, url, accounts } = served;
    parts.unshift({ stop: () => Promise.resolve(admin.close()) }, service);
    const kubeconfig = async (name: string, user: KubeUser | string): Promise<string> => {
      const file = join(directory, `${name}.kubeconfig`);
      const who = typeof user === 'string' ? { token: user } : user;
      await writeFile(file, kubeconfigOf(url, authority, who), { mode: 0o600 });
      return file;
    };
    const auditLog = join(directory, AUDIT_LOG);
    return {
      directory,
      authority,
      url,
      accounts,
      admin,
      service,
      etcd,
      auditLog,
      kubeconfig,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Serving extends KubeApiserverOptions {
  readonly program: string;
  readonly directory: string;
  readonly authority: Authority;
  readonly etcd: Etcd;
}

async function serve(options: Serving) {
  const { program, directory, authority, etcd, addresses, audit = false, args = [] } = options;
  const [certificate, client, accounts] = await Promise.all([
    authority.issue({ name: 'kube-apiserver', ...(addresses && { hosts: addresses }) }),
    authority.issue({ name: 'admin', organization: 'system:masters', usage: 'client' }),
    authority.issue({ name: 'service-accounts', usage: 'signing' }),
  ]);
  const start = async (port: number) => {
    const url = `https://${addresses === undefined ? `127.0.0.1:${port}` : addresses[0]}`;
    const admin = kubeClient({ url, ca: authority.certificatePem, user: client });
    try {
      const service = await startService({
        program,
        args: [
          `--etcd-servers=${etcd.url}`,
          `--secure-port=${port}`,
          `--tls-cert-file=${certificate.certificateFile}`,
          `--tls-private-key-file=${certificate.keyFile}`,
          `--client-ca-file=${authority.certificateFile}`,
          '--service-account-issuer=https://kubernetes.default.svc',
          `--service-account-key-file=${accounts.certificateFile}`,
          `--service-account-signing-key-file=${accounts.keyFile}`,
          '--service-cluster-ip-range=10.96.0.0/24',
          // A loopback address is no endpoint that a Service may have.
          '--endpoint-reconciler-type=none',
          '--profiling=false',
          // Webhooks are called at the addresses of their pods: there is no kube-proxy.
          '--enable-aggregator-routing=true',
          ...(audit ? await auditFlags(directory) : []),
          ...args,
          ...(addresses === undefined
            ? ['--bind-address=127.0.0.1', '--authorization-mode=RBAC']
            : [
                '--bind-address=0.0.0.0',
                `--advertise-address=${addresses[0]}`,
                '--authorization-mode=Node,RBAC',
                // As the API server it may ask kubelets for logs.
                `--kubelet-client-certificate=${client.certificateFile}`,
                `--kubelet-client-key=${client.keyFile}`,
                `--kubelet-certificate-authority=${authority.certificateFile}`,
                '--kubelet-preferred-address-types=InternalIP',
              ]),
        ],
        directory,
        // Memory is there, processors are few.
        env: { GOGC: '400' },
        // Nobody else's: it shows a certificate of our CA.
        ready: () =>
          admin.text('/readyz').then(
            () => true,
            () => false,
          ),
        timeLimit: 120_000,
      });
      return { service, admin, url, accounts };
    } catch (error) {
      admin.close();
      throw error;
    }
  };
  return addresses === undefined ? onFreePort(start) : start(SERVICE_PORT);
}

/** Who asked for what, without bodies; each request once, when it has been answered. */
async function auditFlags(directory: string): Promise<readonly string[]> {
  const policy = join(directory, 'audit-policy.json');
  const rules = [{ level: 'Metadata', omitStages: ['RequestReceived', 'ResponseStarted'] }];
  const text = JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules });
  await writeFile(policy, text);
  return [
    `--audit-policy-file=${policy}`,
    `--audit-log-path=${join(directory, AUDIT_LOG)}`,
    '--audit-log-mode=blocking',
  ];
}

/** In memory where there is enough of it. */
function fastDirectory(): string {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= MEMORY_NEEDED ? MEMORY : tmpdir();
}

/** JSON is YAML too. */
function kubeconfigOf(server: string, authority: Authority, user: KubeUser): string {
  const how =
    'token' in user
      ? { token: user.token }
      : {
          'client-certificate': user.certificate.certificateFile,
          'client-key': user.certificate.keyFile,
        };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'bed', cluster: { server, 'certificate-authority': authority.certificateFile } },
    ],
    users: [{ name: 'user', user: how }],
    contexts: [{ name: 'context', context: { cluster: 'bed', user: 'user' } }],
    'current-context': 'context',
  });
}
