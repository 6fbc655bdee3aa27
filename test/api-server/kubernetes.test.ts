/** The real API server, the configurations and rights of deploy/, and our webhook. */
import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import { buildFixture, type PodManifest } from '../support/build-fixture.ts';
import { neighbour } from './support/kubernetes-neighbour.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { until } from '../support/program.ts';

const cluster = await startTestCluster(t);
const { api } = cluster;

const ENABLED = { labels: { 'notary.kpack.io/signing': 'enabled' } };
const FIXTURE = 'v0.17.2/02-notary';
const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

t.test('a build pod is stored with its signer, which holds no token', async (t) => {
  await cluster.namespace('signed', ENABLED);
  const { pod } = await cluster.store(
    buildFixture('v0.17.2/02b-notary-registry-secrets'),
    'signed',
  );
  demand(await cluster.post(pod));

  const stored = demand(await api.get(pod));
  t.same(containerNames(stored), [
    ...containerNames(pod).slice(0, -1),
    'notary-sign',
    'completion',
  ]);
  const tokens = new Set(
    stored.spec.volumes?.filter(({ projected }) => projected).map(({ name }) => name),
  );
  t.equal(tokens.size, 1);
  for (const { name, volumeMounts = [] } of containers(stored)) {
    const mounted = volumeMounts.filter((mount) => mount.mountPath === TOKEN);
    t.equal(mounted.length, 1, `${name} has something there`);
    const holdsToken = mounted.some((mount) => tokens.has(mount.name));
    t.equal(holdsToken, name !== 'notary-sign', `${name} and the token`);
  }
});

t.test('asked again after another webhook, it leaves its signer as it is', async (t) => {
  await cluster.namespace('reinvoked', ENABLED);
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'reinvoked');
  await neighbour(t, cluster, 'reinvoked');

  const stored = demand(await cluster.post(pod));
  t.same(containerNames(stored), [
    ...containerNames(pod).slice(0, -1),
    'notary-sign',
    'completion',
    'neighbour',
  ]);
  const podDecisions = (await cluster.decisions('reinvoked')).filter(({ kind }) => kind === 'Pod');
  t.same(
    podDecisions.slice(-3).map(({ question, decision }) => [question, decision]),
    [
      ['mutate', 'patch'],
      ['mutate', 'allow'],
      ['validate', 'allow'],
    ],
  );
});

t.test("an update by kpack's controller reaches the validating webhook, and passes", async (t) => {
  await cluster.namespace('updated', ENABLED);
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'updated');
  const stored = demand(await cluster.post(pod));
  const before = await cluster.calls({ operation: 'UPDATE' });

  const ready = { metadata: { annotations: { 'build.kpack.io/ready': 'true' } } };
  t.equal((await api.patch(stored, ready, { as: KPACK_USER })).status, 200);
  t.equal(await cluster.calls({ operation: 'UPDATE' }), before + 1);
});

t.test(
  'Images, Builds and Namespaces reach it where they are written, labels or not',
  async (t) => {
    await cluster.namespace('written');
    const { build, image = build } = await cluster.store(buildFixture(FIXTURE), 'written');
    const note = { metadata: { annotations: { 'example.com/note': 'x' } } };
    for (const object of [image, build]) {
      for (const apiVersion of ['kpack.io/v1alpha1', 'kpack.io/v1alpha2']) {
        const metadata = { name: 'another', namespace: 'written' };
        const another = { ...object, apiVersion, metadata };
        const counted = await callsDuring('kpack', async () => {
          demand(await api.create(another, { dryRun: true }));
          demand(await api.patch({ ...object, apiVersion }, note, { dryRun: true }));
        });
        t.equal(counted, 2, `${apiVersion} ${object.kind}`);
      }
    }
    const counted = await callsDuring('namespaces', async () => {
      await cluster.namespace('another');
      demand(await api.patch(namespaceNamed('another'), note));
    });
    t.equal(counted, 2);
  },
);

t.test(
  'system namespaces and ours never wait for the webhook, whatever their labels',
  async (t) => {
    for (const name of ['kube-system', 'kube-public', 'kube-node-lease', 'kpack-notary']) {
      const counted = await callsDuring('', async () => {
        demand(await api.patch(namespaceNamed(name), { metadata: ENABLED }));
        const { pod } = await cluster.store(buildFixture(FIXTURE), name);
        t.same(containerNames(demand(await cluster.post(pod))), containerNames(pod));
      });
      t.equal(counted, 0, name);
    }
  },
);

t.test('other pods and other namespaces never wait for the webhook', async (t) => {
  await cluster.namespace('plain', ENABLED);
  await cluster.namespace('unlabelled');
  await cluster.namespace('off', { labels: { 'notary.kpack.io/signing': 'disabled' } });
  const here = await cluster.store(buildFixture(FIXTURE), 'plain');
  const there = await cluster.store(buildFixture(FIXTURE), 'unlabelled');
  const off = await cluster.store(buildFixture(FIXTURE), 'off');
  delete here.pod.metadata.labels;
  const before = await cluster.calls();

  for (const { pod } of [here, there, off]) {
    t.same(containerNames(demand(await cluster.post(pod))), containerNames(pod));
  }
  t.equal(await cluster.calls(), before);
});

t.test('audit changes nothing, and warns', async (t) => {
  await cluster.namespace('audited', { labels: { 'notary.kpack.io/signing': 'audit' } });
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'audited');
  const answer = await cluster.post(pod);

  t.same(containerNames(demand(answer)), containerNames(pod));
  t.ok(answer.warnings.some((text) => /audit: .*would be changed/.test(text)));
  t.equal(await cluster.calls({ name: 'pods-audit.notary.kpack.io', type: 'admit' }), 1);
});

t.test('audit refuses no change of a pod that was admitted before it, and warns', async (t) => {
  await cluster.namespace('audited-later', ENABLED);
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'audited-later');
  const stored = demand(await cluster.post(pod));
  const image = 'registry.example.com/busybox';
  stored.spec.ephemeralContainers = [{ name: 'debug', image, targetContainerName: 'notary-sign' }];
  const attach = (dryRun: boolean) =>
    api.update(stored, { subresource: 'ephemeralcontainers', dryRun });
  t.equal((await attach(true)).status, 422);
  const audit = { metadata: { labels: { 'notary.kpack.io/signing': 'audit' } } };
  demand(await api.patch(namespaceNamed('audited-later'), audit));
  // The API server learns of the label a moment later.
  await until(async () => (await attach(true)).ok);
  const answer = await attach(false);
  t.match(answer.warnings.join(), /audit: would be refused: kpack-notary SECRET_EXPOSED/);
  // Enabled again, what got in meanwhile does not hold up kpack.
  demand(await api.patch(namespaceNamed('audited-later'), { metadata: ENABLED }));
  const before = await cluster.calls({ name: 'pods.notary.kpack.io', operation: 'UPDATE' });
  const ready = { metadata: { annotations: { 'build.kpack.io/ready': 'true' } } };
  await until(async () => {
    demand(await api.patch(demand(answer), ready, { as: KPACK_USER }));
    return (await cluster.calls({ name: 'pods.notary.kpack.io', operation: 'UPDATE' })) > before;
  });
});

t.test('no change is judged without the label of the namespace, or that of the pod', async (t) => {
  await cluster.namespace('label-off', ENABLED);
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'label-off');
  const swap = async () => {
    const stored = demand(await api.get(pod));
    for (const each of containers(stored)) each.image = 'registry.example.com/evil';
    return api.update(stored, { dryRun: true });
  };
  const stored = demand(await cluster.post(pod));
  for (const label of [null, 'enabled']) {
    const change = { metadata: { labels: { 'notary.kpack.io/signing': label } } };
    demand(await api.patch(namespaceNamed('label-off'), change));
    await until(async () => (await swap()).status === (label === null ? 200 : 422));
  }
  delete stored.metadata.labels;
  demand(await api.update(stored, { subresource: 'status' }));
  t.ok((await swap()).ok, 'whoever may write pods/status takes off that of the pod');
});

t.test('an ephemeral container reaches the validating webhook', async (t) => {
  await cluster.namespace('debugged', ENABLED);
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'debugged');
  const stored = demand(await cluster.post(pod));
  const before = await cluster.calls({ operation: 'UPDATE' });

  const debug = { name: 'debug', image: 'registry.example.com/busybox' };
  stored.spec.ephemeralContainers = [debug];
  const answer = await api.update(stored, { subresource: 'ephemeralcontainers' });
  t.match(demand(answer).spec.ephemeralContainers, [debug]);
  t.equal(await cluster.calls({ operation: 'UPDATE' }), before + 1);
});

t.test('while the webhook is away, builds wait and everything else goes on', async (t) => {
  await cluster.namespace('waiting', ENABLED);
  const { pod, image } = await cluster.store(buildFixture(FIXTURE), 'waiting');
  await cluster.whileAway(async () => {
    const refused = await cluster.post(pod);
    t.match(refused.failure, { code: 500, message: 'pods.notary.kpack.io' });
    const annotated = { metadata: { annotations: { 'example.com/note': 'x' } } };
    t.ok(image && (await api.patch(image, annotated)).ok);
    await cluster.namespace('born-meanwhile', ENABLED);
  });
  t.ok(containerNames(demand(await cluster.post(pod))).includes('notary-sign'));
});

t.test('a pod of a Build that somebody else posts is refused', async (t) => {
  await cluster.namespace('posed', ENABLED);
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'posed');
  const groups = ['system:masters'];
  const { failure } = await cluster.post(pod, { as: 'mallory', groups });
  t.match(failure, { code: 422, reason: 'Invalid', message: 'mallory' });
  t.match(failure?.message, KPACK_USER.split(':')[0]);
});

/** How often an entry, or any, was called meanwhile. */
async function callsDuring(entry: string, work: () => Promise<void>): Promise<number> {
  const filter = entry === '' ? {} : { name: `${entry}.notary.kpack.io` };
  const before = await cluster.calls(filter);
  await work();
  return (await cluster.calls(filter)) - before;
}

function namespaceNamed(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function containers({ spec }: PodManifest) {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

function containerNames(pod: PodManifest): string[] {
  return containers(pod).map(({ name }) => name);
}
