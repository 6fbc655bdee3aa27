/**
 * A real API server, and replicas of our webhook that keep their own certificates, with the rights for
 * that and no others.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { loadAll } from 'js-yaml';
import type { Test } from 'tap';
import { startKubeApiserver, type KubeApiserver } from '../../bed/kube-apiserver.ts';
import {
  demand,
  type KubeAnswer,
  type KubeClient,
  type KubeObject,
  type KubeReference,
} from '../../bed/kube-client.ts';
import { needKubernetes } from '../../bed/kubernetes-programs.ts';
import { freePort, onFreePort } from '../../bed/port.ts';
import { startService } from '../../bed/service.ts';
import { projectDirectory } from '../../bed/project-directory.ts';
import { probePod } from '../../support/kubernetes-objects.ts';
import { makeNamespace, ownKubeconfig, prepareCluster } from '../../support/kubernetes-setup.ts';
import { IMAGE_FLAG, PROGRAM, until } from '../../support/program.ts';

export const NAMESPACE = 'kpack-notary';
export const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'kpack-notary-authority', namespace: NAMESPACE },
};
const CONFIGURATION = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  metadata: { name: 'kpack-notary' },
};
export const CONFIGURATIONS = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
].map((kind) => ({ ...CONFIGURATION, kind }));
/** In which build pods are judged. */
const JUDGED = 'judged';
const RBAC = 'rbac.authorization.k8s.io';
const ACCOUNT = 'kpack-notary-webhook';

/** What the CA needs, beside deploy/rbac.yaml. */
const RIGHTS: readonly (KubeReference & Readonly<Record<string, unknown>>)[] = [
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'Role',
    metadata: { name: 'authority', namespace: NAMESPACE },
    rules: [
      { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
      {
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: [SECRET.metadata.name],
        verbs: ['get', 'update'],
      },
    ],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'authority', namespace: NAMESPACE },
    roleRef: { apiGroup: RBAC, kind: 'Role', name: 'authority' },
    subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, name: ACCOUNT }],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'authority' },
    rules: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
        resourceNames: ['kpack-notary'],
        verbs: ['get', 'patch'],
      },
    ],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'authority' },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'authority' },
    subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, name: ACCOUNT }],
  },
];

/** A Secret as the API has it. */
export interface SecretManifest extends KubeReference {
  readonly data?: Readonly<Record<string, string>>;
}

/** A webhook configuration, as far as the tests look at it. */
export interface Configuration extends KubeReference {
  readonly webhooks: readonly Entry[];
}

export interface Entry {
  readonly name: string;
  readonly clientConfig: { url?: string; service?: { readonly path: string }; caBundle?: string };
}

/** One of our webhooks. */
export interface Replica {
  readonly port: number;
  readonly metricsPort: number;
  output(): string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface CertificateSetup {
  readonly apiserver: KubeApiserver;
  readonly api: KubeClient;
  readonly replicas: readonly Replica[];
  /** Puts the configurations of deploy/ there, as they are but for addresses: turn by turn the replicas'. */
  configure(): Promise<void>;
  /** The manifests of deploy/, with addresses. */
  configurations(): Promise<readonly Configuration[]>;
  /** The `caBundle` of every entry that is there. */
  bundles(): Promise<readonly string[]>;
  secret(): Promise<SecretManifest | undefined>;
  /** Posts, as a dry run, a build pod that two replicas have to be asked about. */
  ask(): Promise<KubeAnswer<KubeObject>>;
  /** Whether all is well: one bundle everywhere, which every replica is trusted by, and pods pass. */
  isWell(): Promise<boolean>;
}

/**
 * Starts an API server and, at once, several replicas. There are no webhook configurations yet.
 *
 * Where there is no Kubernetes, the test file ends here, skipped.
 */
export async function startCertificateSetup(t: Test, count: number): Promise<CertificateSetup> {
  needKubernetes(t);
  const apiserver = await startKubeApiserver();
  t.teardown(() => apiserver.stop());
  const { admin: api } = apiserver;
  await prepareCluster(api);
  for (const object of RIGHTS) demand(await api.apply(object));
  await makeNamespace(api, JUDGED, { labels: { 'notary.kpack.io/signing': 'enabled' } });
  const kubeconfig = await ownKubeconfig(apiserver);
  const replicas = await Promise.all(
    Array.from({ length: count }, () => startReplica(t, apiserver, kubeconfig)),
  );
  t.teardown(() => {
    if (t.passing()) return;
    for (const replica of replicas)
      console.error(replica.output().split('\n').slice(-30).join('\n'));
  });
  const configurations = async () => {
    const text = await readFile(join(projectDirectory(), 'deploy/webhooks.yaml'), 'utf8');
    const all = loadAll(text) as Configuration[];
    for (const [at, { clientConfig }] of all.flatMap(({ webhooks }) => webhooks).entries()) {
      const { port } = replicas[at % replicas.length] ?? { port: 0 };
      clientConfig.url = `https://localhost:${port}${clientConfig.service?.path ?? ''}`;
      delete clientConfig.service;
    }
    return all;
  };
  const bundles = async () => {
    const answers = await Promise.all(CONFIGURATIONS.map((one) => api.get(one)));
    return answers.flatMap((answer) => {
      const { webhooks } = demand(answer) as unknown as Configuration;
      return webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? '');
    });
  };
  const ask = () => api.create(probePod(JUDGED), { dryRun: true });
  return {
    apiserver,
    api,
    replicas,
    configurations,
    configure: async () => {
      for (const configuration of await configurations()) demand(await api.apply(configuration));
    },
    bundles,
    secret: async () => {
      const answer = await api.get(SECRET);
      return answer.ok ? answer.object : undefined;
    },
    ask,
    isWell: async () => {
      const [bundle = '', ...others] = await bundles();
      if (bundle === '' || others.some((other) => other !== bundle)) return false;
      const peers = await Promise.all(replicas.map(({ port }) => servedTo(port, bundle)));
      return peers.every((peer) => peer !== undefined) && (await ask()).ok;
    },
  };
}

/** One more replica. */
export async function startReplica(
  t: Test,
  { directory }: KubeApiserver,
  kubeconfig: string,
  args: readonly string[] = [],
): Promise<Replica> {
  return onFreePort(async (port) => {
    const metricsPort = await freePort();
    const service = await startService({
      program: 'node',
      args: [
        PROGRAM,
        `--port=${port}`,
        `--metrics-port=${metricsPort}`,
        '--certificate-secret=kpack-notary-authority',
        // The API server calls them by this name, not by that of a Service.
        '--service=localhost',
        `--own-namespace=${NAMESPACE}`,
        `--kubeconfig=${kubeconfig}`,
        IMAGE_FLAG,
        ...args,
      ],
      directory,
      ready: port,
      timeLimit: 30_000,
      outputLimit: 16 * 1024 * 1024,
    });
    t.teardown(() => service.stop());
    return {
      port,
      metricsPort,
      output: () => service.output(),
      kill: () => service.kill(),
      restart: () => service.restart(),
      stop: () => service.stop(),
    };
  });
}

/** What a server shows to a client that trusts a `caBundle`: DER; undefined where it is refused. */
export async function servedTo(port: number, caBundle: string): Promise<Buffer | undefined> {
  const ca = Buffer.from(caBundle, 'base64').toString();
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().raw;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** Waits until all is well, and says how long that took, in milliseconds. */
export async function wellAfter(cluster: CertificateSetup): Promise<number> {
  const started = performance.now();
  await until(() => cluster.isWell());
  return performance.now() - started;
}
