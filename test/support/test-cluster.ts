/**
 * A real API server that asks our webhook as the manifests of deploy/ tell it to, with the rights that
 * they give; and what kpack would do there.
 */
import type { Test } from 'tap';
import { startKubeApiserver, type KubeApiserver } from '../bed/kube-apiserver.ts';
import type { KubeAnswer, KubeClient, KubeOptions } from '../bed/kube-client.ts';
import { needKubernetes } from '../bed/kubernetes-programs.ts';
import { KPACK_USER, startWebhook, type Webhook } from '../bed/webhook.ts';
import type { BuildFixture, PodManifest } from './build-fixture.ts';
import { storeBuild, type StoredBuild } from './kubernetes-build.ts';
import { decisionsOf, webhookCalls, type CallFilter, type Decision } from './kubernetes-calls.ts';
import {
  configureWebhooks,
  makeNamespace,
  ownKubeconfig,
  prepareCluster,
  type NamespaceOptions,
} from './kubernetes-setup.ts';
import { IMAGE_FLAG, PROGRAM, until } from './program.ts';

/** A cluster to start. */
export interface TestClusterOptions {
  /** Flags of the webhook, beside those that it needs. */
  readonly args?: readonly string[];
  /** Flags of the API server, likewise. */
  readonly apiserverArgs?: readonly string[];
}

/** An API server, our webhook, and hands to act with. */
export interface TestCluster {
  readonly apiserver: KubeApiserver;
  /** As the admin. */
  readonly api: KubeClient;
  readonly webhook: Webhook;
  /** Makes a namespace, with the service account `default` that a controller would make. */
  namespace(name: string, options?: NamespaceOptions): Promise<void>;
  /** Stores what a build pod was made from, and gives the pod the owner that it has here. */
  store(fixture: Omit<BuildFixture, 'namespace'>, namespace: string): Promise<StoredBuild>;
  /** Posts a pod as kpack's controller; `as` names somebody else. */
  post(pod: PodManifest, options?: KubeOptions): Promise<KubeAnswer<PodManifest>>;
  /** How often the API server has asked our webhook; without a filter all counts. */
  calls(filter?: CallFilter): Promise<number>;
  /** What the webhook has decided so far, by its log; of one namespace where it is named. */
  decisions(namespace?: string): Promise<readonly Decision[]>;
  /** Does something while the webhook is away: nothing answers at its address. */
  whileAway<T>(work: () => Promise<T>): Promise<T>;
}

/** An object that is nobody's, to be found in the log again. */
const MARK = { apiVersion: 'test/v1', kind: 'Mark', metadata: {} };

/** How much of a log is shown when a test failed. */
const LINES_SHOWN = 30;

/**
 * Starts an API server with kpack's kinds, then the webhook with a token of its own service account,
 * then applies the webhook configurations, and waits until they are in force: some six seconds.
 * One does for a test file, with a namespace for each test. Stopped when the test has ended; when it
 * failed, the ends of the logs are printed.
 *
 * Where there is no Kubernetes, the test file ends here, skipped.
 *
 * @throws Error when a part does not start, or does not come into force; then nothing is left running
 */
export async function startTestCluster(
  t: Test,
  { args = [], apiserverArgs = [] }: TestClusterOptions = {},
): Promise<TestCluster> {
  needKubernetes(t);
  const apiserver = await startKubeApiserver({ args: apiserverArgs });
  t.teardown(() => apiserver.stop());
  const { admin: api, authority, directory } = apiserver;
  await prepareCluster(api);
  const webhook = await startWebhook({
    program: PROGRAM,
    directory,
    authority,
    args: [`--kubeconfig=${await ownKubeconfig(apiserver)}`, IMAGE_FLAG, ...args],
  });
  t.teardown(() => webhook.stop());
  t.teardown(() => {
    if (!t.passing()) console.error(lastWords(apiserver, webhook));
  });
  await configureWebhooks(api, webhook, authority.certificatePem);
  return testCluster(apiserver, webhook);
}

function testCluster(apiserver: KubeApiserver, webhook: Webhook): TestCluster {
  const { admin: api } = apiserver;
  return {
    apiserver,
    api,
    webhook,
    namespace: (name, options) => makeNamespace(api, name, options),
    store: (fixture, namespace) => storeBuild(api, fixture, namespace),
    post: (pod, options) => api.create(pod, { as: KPACK_USER, ...options }),
    calls: (filter) => webhookCalls(api, filter),
    decisions: async (namespace) => {
      // Its log may come later than its answers: what came before the mark is all there with it.
      const { uid } = await webhook.post('validate', { object: MARK });
      await until(() => webhook.output().includes(uid));
      return decisionsOf(webhook.output()).filter(
        (decision) =>
          decision.kind !== MARK.kind &&
          (namespace === undefined || decision.namespace === namespace),
      );
    },
    whileAway: async (work) => {
      await webhook.kill();
      try {
        return await work();
      } finally {
        await webhook.restart();
      }
    },
  };
}

/** What may tell why a test failed: the webhook's log, and what the API server complains about. */
function lastWords({ service }: KubeApiserver, webhook: Webhook): string {
  const complaints = service
    .output()
    .split('\n')
    .filter((line) => /^[EWF]\d{4} /.test(line));
  const decisions = webhook.output().trimEnd().split('\n');
  return [
    'webhook:',
    ...decisions.slice(-LINES_SHOWN),
    'kube-apiserver:',
    ...complaints.slice(-LINES_SHOWN),
  ].join('\n');
}
