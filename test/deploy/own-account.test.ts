/** What the token of the webhook can change, where components/own-account bounds it. */
import t, { type Test } from 'tap';
import { demand, kubeClient, type KubeAnswer, type KubeObject } from '../bed/kube-client.ts';
import { until } from '../support/program.ts';
import { startInstallation } from './installation.ts';
import { customization, deployedObjects } from './manifests.ts';

const cluster = await startInstallation(t);
const { api, apiserver } = cluster;
const directory = await customization(t.testdir(), ['own-account']);
await cluster.install(directory);

const ACCOUNT = 'system:serviceaccount:kpack-notary:kpack-notary-webhook';
const KINDS = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const;
const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name: 'kpack-notary-authority', namespace: 'kpack-notary' },
};

interface Entry {
  readonly name: string;
  readonly clientConfig: Record<string, unknown>;
  readonly [field: string]: unknown;
}

const configurationOf = (kind: string) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name: 'kpack-notary' } as Record<string, unknown> & { name: string },
  webhooks: [] as readonly Entry[],
});

/** A client with the account's own token. */
async function stolen() {
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'kpack-notary-webhook', namespace: 'kpack-notary' },
  };
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
    status: { token: '' },
  };
  const { status } = demand(await api.createSubresource(account, 'token', request));
  const { url, authority } = apiserver;
  const client = kubeClient({ url, ca: authority.certificatePem, user: status });
  t.teardown(() => client.close());
  return client;
}

const thief = await stolen();
const refused = (t: Test, answer: KubeAnswer<KubeObject>, what: string) =>
  t.match(
    answer.failure,
    {
      code: 422,
      message: /kpack-notary-own-account.* denied request: The account of kpack-notary/,
    },
    what,
  );

// The API server hears of a policy a moment later.
await until(async () => {
  const metadata = { ...SECRET.metadata, name: 'probe' };
  return !(await thief.create({ ...SECRET, metadata }, { dryRun: true })).ok;
});

t.test('the policy is one that the API server finds nothing to warn of', async (t) => {
  const applied = await cluster.kubectl.run([
    ...['apply', '-k', directory, '--dry-run=server', '--validate=strict'],
  ]);
  t.equal(applied.stderr, '');
});

t.test('the webhook makes its certificates, and mends what others break, as ever', async (t) => {
  const replica = await cluster.replica(await deployedObjects(directory));
  const bundles = async () => {
    const found = await Promise.all(KINDS.map((kind) => api.get(configurationOf(kind))));
    return found.flatMap((answer) =>
      demand(answer).webhooks.map(({ clientConfig }) => clientConfig['caBundle']),
    );
  };
  t.equal((await bundles()).filter((bundle) => typeof bundle === 'string').length, 6);
  const found = demand(await api.get(configurationOf(KINDS[0])));
  const webhooks = found.webhooks.map((entry) => {
    const { caBundle: _, ...clientConfig } = entry.clientConfig;
    return { ...entry, clientConfig };
  });
  demand(await api.update({ ...found, webhooks }));
  await until(async () => (await bundles()).every((bundle) => typeof bundle === 'string'));
  // What a rotation does.
  demand(await api.patch(SECRET, { data: null }));
  await until(async () => 'data' in demand(await api.get(SECRET)));
  await replica.stop();
});

t.test(
  'of the webhook configurations its token changes the caBundle, and nothing else',
  async (t) => {
    for (const kind of KINDS) {
      const before = demand(await api.get(configurationOf(kind)));
      const [first, ...others] = before.webhooks;
      if (!first) throw new Error('no webhook');
      const put = (change: object) => thief.patch(before, change, { dryRun: true });
      const entry = (change: object) => put({ webhooks: [{ ...first, ...change }, ...others] });
      const client = (change: object) =>
        entry({ clientConfig: { ...first.clientConfig, ...change } });
      t.ok((await client({ caBundle: first.clientConfig['caBundle'] })).ok);
      t.ok((await client({ caBundle: undefined })).ok, 'its caBundle');
      const attempts: Record<string, Promise<KubeAnswer<KubeObject>>> = {
        'another URL': entry({ clientConfig: { url: 'https://evil.example.com/' } }),
        'another Service': client({ service: { namespace: 'evil', name: 'evil', path: '/' } }),
        'another path': client({
          service: { ...(first.clientConfig['service'] as object), path: '/other' },
        }),
        'more rules': entry({
          rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] }],
        }),
        'no failure': entry({ failurePolicy: 'Ignore' }),
        'another namespace': entry({ namespaceSelector: {} }),
        'another object': entry({ objectSelector: {} }),
        'a condition': entry({ matchConditions: [{ name: 'never', expression: 'false' }] }),
        'more time': entry({ timeoutSeconds: 30 }),
        'one webhook less': put({ webhooks: others }),
        'one webhook more': put({ webhooks: [...before.webhooks, { ...first, name: 'a.b.evil' }] }),
        'none at all': put({ webhooks: null }),
        'a label': put({ metadata: { labels: { x: 'y' } } }),
        'an annotation': put({
          metadata: { annotations: { 'cert-manager.io/inject-ca-from': 'evil/evil' } },
        }),
        'an owner': put({
          metadata: {
            ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' }],
          },
        }),
        'a finalizer': put({ metadata: { finalizers: ['evil.example.com/x'] } }),
      };
      for (const [what, answer] of Object.entries(attempts)) refused(t, await answer, what);
    }
  },
);

t.test('what RBAC keeps from the account, the policy keeps from it as well', async (t) => {
  const powerful = { as: ACCOUNT, groups: ['system:masters'], dryRun: true };
  for (const kind of KINDS) {
    const configuration = configurationOf(kind);
    refused(t, await api.delete(configuration, powerful), `${kind}, deleted`);
    const another = { ...configuration, metadata: { name: 'another' } };
    refused(t, await api.create(another, powerful), `${kind}, made`);
  }
  refused(t, await api.delete(SECRET, powerful), 'its Secret, deleted');
});

t.test('its token makes one Secret, of that name and of no special type', async (t) => {
  demand(await api.delete(SECRET));
  const post = (metadata: object, more: object = {}) =>
    thief.create(
      { ...SECRET, metadata: { namespace: 'kpack-notary', ...metadata }, ...more },
      { dryRun: true },
    );
  t.ok((await post({ name: SECRET.metadata.name })).ok);
  const annotations = { 'kubernetes.io/service-account.name': 'kpack-notary-webhook' };
  const token = { type: 'kubernetes.io/service-account-token' };
  refused(t, await post({ name: 'other' }), 'another name');
  refused(t, await post({ generateName: 'kpack-notary-authority' }), 'a name to be made');
  refused(t, await post({ name: SECRET.metadata.name, annotations }, token), 'a token');
  refused(t, await post({ name: 'other', annotations }, token), 'a token of another name');
});

t.test('nobody else is bounded by it, and RBAC refuses its token all else', async (t) => {
  const metadata = { name: 'other', namespace: 'kpack-notary' };
  t.ok((await api.create({ ...SECRET, metadata }, { dryRun: true })).ok);
  const before = demand(await api.get(configurationOf(KINDS[0])));
  t.ok((await api.patch(before, { metadata: { labels: { x: 'y' } } }, { dryRun: true })).ok);

  const forbidden = [
    thief.delete(before),
    thief.create({ ...before, metadata: { name: 'another' } }),
    thief.delete(SECRET),
    thief.list({ apiVersion: 'v1', kind: 'Secret', namespace: 'kpack-notary' }),
    thief.create({ ...SECRET, metadata: { ...SECRET.metadata, namespace: 'default' } }),
    thief.patch(
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: 'kpack-notary-own-account' },
      },
      { spec: { validationActions: ['Warn'] } },
    ),
  ];
  for (const { failure } of await Promise.all(forbidden)) {
    t.match(failure, { code: 403, message: new RegExp(ACCOUNT) });
  }
});
