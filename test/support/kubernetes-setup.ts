/** How a real API server comes to ask our webhook, by the manifests of deploy/. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { loadAll } from 'js-yaml';
import type { KubeApiserver } from '../bed/kube-apiserver.ts';
import { demand, type KubeClient, type KubeReference } from '../bed/kube-client.ts';
import { KPACK_USER, type Webhook } from '../bed/webhook.ts';
import type { Manifest } from './build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { decisionsOf } from './kubernetes-calls.ts';
import { kpackAccount, probePod, SHARED } from './kubernetes-objects.ts';

/** What a namespace may have. */
export type NamespaceOptions = Pick<Manifest['metadata'], 'labels' | 'annotations'>;

/** How long anything may take to come into force, in milliseconds. */
const TIME_LIMIT = 60_000;

/** Everything that is in a cluster before the webhook is, and its rights. */
export async function prepareCluster(api: KubeClient): Promise<void> {
  await makeNamespace(api, 'kpack-notary');
  const rights = await manifests('deploy/rbac.yaml');
  await Promise.all(rights.map((object) => apply(api, object)));
  await prepareKpack(api);
}

/** kpack's kinds, and its account with the rights that it needs. */
export async function prepareKpack(api: KubeClient): Promise<void> {
  const crds = await manifests('test/bed/kubernetes/kpack-crds.yaml');
  await Promise.all([...crds, ...SHARED].map((object) => apply(api, object)));
  await makeNamespace(api, 'kpack');
  await Promise.all(kpackAccount().map((object) => apply(api, object)));
  for (const kind of ['Image', 'Build']) {
    for (const version of ['v1alpha1', 'v1alpha2']) {
      await inForce(`kpack.io/${version} ${kind}`, () =>
        api.list({ apiVersion: `kpack.io/${version}`, kind }),
      );
    }
  }
}

/**
 * A kubeconfig with the rights of deploy/rbac.yaml and no others, or with those of another service
 * account in its namespace.
 */
export async function ownKubeconfig(
  apiserver: KubeApiserver,
  name = 'kpack-notary-webhook',
): Promise<string> {
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'kpack-notary' },
  };
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 24 * 3600 },
    status: { token: '' },
  };
  const answer = await apiserver.admin.createSubresource(account, 'token', request);
  const { status } = demand(answer);
  return apiserver.kubeconfig(name, status.token);
}

/** Applies deploy/webhooks.yaml, with nothing but address and certificate authority of its own. */
export async function configureWebhooks(
  api: KubeClient,
  webhook: Pick<Webhook, 'url' | 'output'>,
  ca: string,
): Promise<void> {
  const caBundle = Buffer.from(ca).toString('base64');
  for (const configuration of await manifests('deploy/webhooks.yaml')) {
    const { webhooks } = configuration as unknown as { webhooks: WebhookEntry[] };
    for (const { clientConfig } of webhooks) {
      const { path } = clientConfig.service ?? { path: '' };
      delete clientConfig.service;
      Object.assign(clientConfig, { url: webhook.url + path, caBundle });
    }
    await apply(api, configuration);
  }
  const name = 'probe';
  await makeNamespace(api, name, { labels: { 'notary.kpack.io/signing': 'enabled' } });
  await inForce('the webhook configurations', async () => {
    const answer = await api.create(probePod(name), { dryRun: true });
    const byKpack = await api.create(probePod(name), { as: KPACK_USER, dryRun: true });
    const asked = new Set(decisionsOf(webhook.output()).map(({ question }) => question));
    // kpack has the right to post it, and is told that it is none of its pods.
    return { ...answer, ok: answer.ok && byKpack.status === 422 && asked.size === 2 };
  });
}

interface WebhookEntry {
  readonly clientConfig: { service?: { readonly path: string } };
}

/** Makes a namespace, and the service account that a controller would make in it. */
export async function makeNamespace(
  api: KubeClient,
  name: string,
  meta: NamespaceOptions = {},
): Promise<void> {
  demand(await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, ...meta } }));
  const metadata = { name: 'default', namespace: name };
  demand(await api.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata }));
}

async function apply<T extends KubeReference>(api: KubeClient, object: T): Promise<T> {
  return demand(await api.apply(object));
}

async function manifests(path: string): Promise<readonly KubeReference[]> {
  return loadAll(await readFile(join(projectDirectory(), path), 'utf8')) as KubeReference[];
}

/** Waits until the API server, which hears of changes a little later, answers as it should. */
async function inForce(
  what: string,
  ask: () => Promise<{ readonly ok: boolean; readonly failure?: unknown }>,
): Promise<void> {
  const overtime = AbortSignal.timeout(TIME_LIMIT);
  for (;;) {
    const { ok, failure } = await ask();
    if (ok) return;
    if (overtime.aborted) {
      throw new Error(`${what}: not in force after ${TIME_LIMIT} ms: ${JSON.stringify(failure)}`);
    }
    await pause(20);
  }
}
