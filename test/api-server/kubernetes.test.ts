/** The real API server, the configurations and rights of deploy/, and our webhook. */
import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import { buildFixture, type PodManifest } from '../support/build-fixture.ts';
import { neighbour } from './support/kubernetes-neighbour.ts';
import { startScene } from '../support/kubernetes-scene.ts';
import { until } from '../support/program.ts';

const scene = await startScene(t);
const { api } = scene;

const ENABLED = { labels: { 'notary.kpack.io/signing': 'enabled' } };
const FIXTURE = 'v0.17.2/02-notary';
const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

t.test('a build pod is stored with its signer, which holds no token', async (t) => {
  await scene.namespace('signed', ENABLED);
  const { pod } = await scene.store(buildFixture('v0.17.2/02b-notary-registry-secrets'), 'signed');
  demand(await scene.post(pod));

  const stored = demand(await api.get(pod));
  t.same(names(stored), [...names(pod).slice(0, -1), 'notary-sign', 'completion']);
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
  await scene.namespace('reinvoked', ENABLED);
  const { pod } = await scene.store(buildFixture(FIXTURE), 'reinvoked');
  await neighbour(t, scene, 'reinvoked');

  const stored = demand(await scene.post(pod));
  t.same(names(stored), [...names(pod).slice(0, -1), 'notary-sign', 'completion', 'neighbour']);
  const asked = (await scene.decisions('reinvoked')).filter(({ kind }) => kind === 'Pod');
  t.same(
    asked.slice(-3).map(({ question, decision }) => [question, decision]),
    [
      ['mutate', 'patch'],
      ['mutate', 'allow'],
      ['validate', 'allow'],
    ],
  );
});

t.test("an update by kpack's controller reaches the validating webhook, and passes", async (t) => {
  await scene.namespace('updated', ENABLED);
  const { pod } = await scene.store(buildFixture(FIXTURE), 'updated');
  const stored = demand(await scene.post(pod));
  const before = await scene.calls({ operation: 'UPDATE' });

  const ready = { metadata: { annotations: { 'build.kpack.io/ready': 'true' } } };
  t.equal((await api.patch(stored, ready, { as: KPACK_USER })).status, 200);
  t.equal(await scene.calls({ operation: 'UPDATE' }), before + 1);
});

t.test(
  'Images, Builds and Namespaces reach it where they are written, labels or not',
  async (t) => {
    await scene.namespace('written');
    const { build, image = build } = await scene.store(buildFixture(FIXTURE), 'written');
    const note = { metadata: { annotations: { 'example.com/note': 'x' } } };
    for (const object of [image, build]) {
      for (const apiVersion of ['kpack.io/v1alpha1', 'kpack.io/v1alpha2']) {
        const metadata = { name: 'another', namespace: 'written' };
        const another = { ...object, apiVersion, metadata };
        const counted = await asked('kpack', async () => {
          demand(await api.create(another, { dryRun: true }));
          demand(await api.patch({ ...object, apiVersion }, note, { dryRun: true }));
        });
        t.equal(counted, 2, `${apiVersion} ${object.kind}`);
      }
    }
    const counted = await asked('namespaces', async () => {
      await scene.namespace('another');
      demand(await api.patch(namespaceNamed('another'), note));
    });
    t.equal(counted, 2);
  },
);

t.test(
  'system namespaces and ours never wait for the webhook, whatever their labels',
  async (t) => {
    for (const name of ['kube-system', 'kube-public', 'kube-node-lease', 'kpack-notary']) {
      const counted = await asked('', async () => {
        demand(await api.patch(namespaceNamed(name), { metadata: ENABLED }));
        const { pod } = await scene.store(buildFixture(FIXTURE), name);
        t.same(names(demand(await scene.post(pod))), names(pod));
      });
      t.equal(counted, 0, name);
    }
  },
);

t.test('other pods and other namespaces never wait for the webhook', async (t) => {
  await scene.namespace('plain', ENABLED);
  await scene.namespace('unlabelled');
  await scene.namespace('off', { labels: { 'notary.kpack.io/signing': 'disabled' } });
  const here = await scene.store(buildFixture(FIXTURE), 'plain');
  const there = await scene.store(buildFixture(FIXTURE), 'unlabelled');
  const off = await scene.store(buildFixture(FIXTURE), 'off');
  delete here.pod.metadata.labels;
  const before = await scene.calls();

  for (const { pod } of [here, there, off]) {
    t.same(names(demand(await scene.post(pod))), names(pod));
  }
  t.equal(await scene.calls(), before);
});

t.test('audit changes nothing, and warns', async (t) => {
  await scene.namespace('audited', { labels: { 'notary.kpack.io/signing': 'audit' } });
  const { pod } = await scene.store(buildFixture(FIXTURE), 'audited');
  const answer = await scene.post(pod);

  t.same(names(demand(answer)), names(pod));
  t.ok(answer.warnings.some((text) => /audit: .*would be changed/.test(text)));
  t.equal(await scene.calls({ name: 'pods-audit.notary.kpack.io', type: 'admit' }), 1);
});

t.test('audit refuses no change of a pod that was admitted before it, and warns', async (t) => {
  await scene.namespace('audited-later', ENABLED);
  const { pod } = await scene.store(buildFixture(FIXTURE), 'audited-later');
  const stored = demand(await scene.post(pod));
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
  const before = await scene.calls({ name: 'pods.notary.kpack.io', operation: 'UPDATE' });
  const ready = { metadata: { annotations: { 'build.kpack.io/ready': 'true' } } };
  await until(async () => {
    demand(await api.patch(demand(answer), ready, { as: KPACK_USER }));
    return (await scene.calls({ name: 'pods.notary.kpack.io', operation: 'UPDATE' })) > before;
  });
});

t.test('no change is judged without the label of the namespace, or that of the pod', async (t) => {
  await scene.namespace('label-off', ENABLED);
  const { pod } = await scene.store(buildFixture(FIXTURE), 'label-off');
  const swap = async () => {
    const stored = demand(await api.get(pod));
    for (const each of containers(stored)) each.image = 'registry.example.com/evil';
    return api.update(stored, { dryRun: true });
  };
  const stored = demand(await scene.post(pod));
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
  await scene.namespace('debugged', ENABLED);
  const { pod } = await scene.store(buildFixture(FIXTURE), 'debugged');
  const stored = demand(await scene.post(pod));
  const before = await scene.calls({ operation: 'UPDATE' });

  const debug = { name: 'debug', image: 'registry.example.com/busybox' };
  stored.spec.ephemeralContainers = [debug];
  const answer = await api.update(stored, { subresource: 'ephemeralcontainers' });
  t.match(demand(answer).spec.ephemeralContainers, [debug]);
  t.equal(await scene.calls({ operation: 'UPDATE' }), before + 1);
});

t.test('while the webhook is away, builds wait and everything else goes on', async (t) => {
  await scene.namespace('waiting', ENABLED);
  const { pod, image } = await scene.store(buildFixture(FIXTURE), 'waiting');
  await scene.whileAway(async () => {
    const refused = await scene.post(pod);
    t.match(refused.failure, { code: 500, message: 'pods.notary.kpack.io' });
    const annotated = { metadata: { annotations: { 'example.com/note': 'x' } } };
    t.ok(image && (await api.patch(image, annotated)).ok);
    await scene.namespace('born-meanwhile', ENABLED);
  });
  t.ok(names(demand(await scene.post(pod))).includes('notary-sign'));
});

t.test('a pod of a Build that somebody else posts is refused', async (t) => {
  await scene.namespace('posed', ENABLED);
  const { pod } = await scene.store(buildFixture(FIXTURE), 'posed');
  const groups = ['system:masters'];
  const { failure } = await scene.post(pod, { as: 'mallory', groups });
  t.match(failure, { code: 422, reason: 'Invalid', message: 'mallory' });
  t.match(failure?.message, KPACK_USER.split(':')[0]);
});

/** How often an entry, or any, was called meanwhile. */
async function asked(entry: string, work: () => Promise<void>): Promise<number> {
  const filter = entry === '' ? {} : { name: `${entry}.notary.kpack.io` };
  const before = await scene.calls(filter);
  await work();
  return (await scene.calls(filter)) - before;
}

function namespaceNamed(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function containers({ spec }: PodManifest) {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

function names(pod: PodManifest): string[] {
  return containers(pod).map(({ name }) => name);
}
