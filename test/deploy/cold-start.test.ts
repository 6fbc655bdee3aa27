/** Everything at once into an empty cluster, in any order; and the cluster while the webhook is away. */
import t from 'tap';
import { demand, type KubeAnswer } from '../bed/kube-client.ts';
import { buildFixture, type PodManifest } from '../support/build-fixture.ts';
import { prepareKpack } from '../support/kubernetes-setup.ts';
import { until } from '../support/program.ts';
import { ALERT_CASES } from './alert-cases.ts';
import { startInstallation } from './installation.ts';
import { deployDirectory, deployedObjects, replicaPod, type ManifestObject } from './manifests.ts';

const FIXTURE = 'v0.17.2/02-notary';

const cluster = await startInstallation(t, { hasKpack: false });
const { api } = cluster;
const objects = await deployedObjects(deployDirectory());
const isConfiguration = ({ kind }: ManifestObject) => kind.endsWith('WebhookConfiguration');

/** Orders in which the objects of deploy/ may reach a cluster. */
const orders: Readonly<Record<string, readonly ManifestObject[]>> = {
  'as kubectl does': objects,
  backwards: [...objects].reverse(),
  'the webhook first': [
    ...objects.filter(isConfiguration),
    ...objects.filter((object) => !isConfiguration(object)),
  ],
  'the webhook last': [
    ...objects.filter((object) => !isConfiguration(object)),
    ...objects.filter(isConfiguration),
  ],
};

for (const [order, sequence] of Object.entries(orders)) {
  t.test(`applied ${order}, all of it is there in two rounds at most`, async (t) => {
    const refused = await applyEach(sequence);
    // What was too early for its namespace, as with every tool that applies by and by.
    t.same(await applyEach(refused), []);
    await remove();
  });
}

t.test('while nobody answers, everything but opted-in builds goes on', async (t) => {
  t.same(await applyEach(await applyEach(orders['the webhook first'] ?? [])), []);
  // kpack is installed after us.
  await prepareKpack(api);
  await cluster.namespace('apps', 'enabled');
  await cluster.namespace('audited', 'audit');
  await cluster.namespace('unlabelled');
  await api.create({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'kube-system' },
  });

  await t.test('our own pods', async (t) => {
    const answer = await api.create(replicaPod(objects), { dryRun: true });
    t.equal(answer.failure?.message, undefined);
  });

  await t.test("kpack's controller, and pods of the system", async (t) => {
    for (const where of ['kpack', 'kube-system', 'apps']) {
      const answer = await api.create(plainPod(where), { dryRun: true });
      t.equal(answer.failure?.message, undefined);
    }
  });

  await t.test('Images, Builds and Namespaces, and builds of other namespaces', async (t) => {
    for (const where of ['audited', 'unlabelled']) {
      const { pod } = await cluster.store(buildFixture(FIXTURE), where);
      const answer = await cluster.post(pod, { dryRun: true });
      t.notOk(isSigned(demand(answer)), where);
    }
  });

  await t.test('an opted-in build is refused, with what kpack tries again after', async (t) => {
    const { pod } = await cluster.store(buildFixture(FIXTURE), 'apps');
    const { failure } = await cluster.post(pod);
    t.match(failure, { code: 500, reason: 'InternalError' });
    t.match(failure?.message, 'failed calling webhook "pods.notary.kpack.io"');
    t.match(failure?.message, 'no endpoints available for service "kpack-notary-webhook"');
  });
});

t.test('as soon as a replica is ready, the same pod is admitted and signed', async (t) => {
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'apps');
  const webhook = await cluster.replica(objects);
  const answer = await postUntilAdmitted(pod);
  t.ok(isSigned(answer));

  await t.test('and when it is gone again, builds wait again and nothing else does', async (t) => {
    await webhook.stop();
    const again = await cluster.store(buildFixture(FIXTURE), 'apps');
    again.pod.metadata.name += '-again';
    let failure = (await cluster.post(again.pod, { dryRun: true })).failure;
    await until(async () => {
      failure = (await cluster.post(again.pod, { dryRun: true })).failure;
      return failure !== undefined;
    });
    t.match(failure, { code: 500 });
    const finished = { metadata: { annotations: { 'example.com/note': 'x' } } };
    t.ok(
      (
        await api.patch(
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } },
          finished,
        )
      ).ok,
    );
    t.ok((await api.create(plainPod('apps'), { dryRun: true })).ok);
    t.ok((await api.delete(answer)).ok, 'pods can be deleted');
  });
});

t.test('the API server counts what it could not ask, as the alert reads it', async (t) => {
  const [series = ''] = ALERT_CASES.filter(({ alert }) => alert === 'KpackNotaryUnreachable')
    .flatMap((alertCase) => Object.keys(alertCase.series))
    .filter((name) => name.includes('calling_webhook_error'));
  const [name = ''] = series.split('{');
  const labels = [...series.matchAll(/(?:name|error_type)="[^"]*"/g)].map(([pair]) => pair);
  t.equal(labels.length, 2);
  const counted = (await api.text('/metrics'))
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.every((pair) => line.includes(pair)));
  t.ok(counted.length > 0, series);
});

/** Applies objects one after another. @returns those that were refused, because of what is missing */
async function applyEach(sequence: readonly ManifestObject[]): Promise<readonly ManifestObject[]> {
  const refused: ManifestObject[] = [];
  for (const object of sequence) {
    const { ok, failure } = await api.apply(object);
    if (ok) continue;
    t.match(failure, { code: 404, message: 'namespaces "kpack-notary" not found' });
    refused.push(object);
  }
  return refused;
}

/** Takes everything away again, and does for the namespace what its controller would do. */
async function remove(): Promise<void> {
  for (const object of [...objects].reverse()) demand(await api.delete(object));
  const reference = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kpack-notary' } };
  const found = demand(await api.get(reference));
  demand(await api.update({ ...found, spec: { finalizers: [] } }, { subresource: 'finalize' }));
  await until(async () => (await api.get(reference)).status === 404);
}

function plainPod(where: string) {
  const container = {
    name: 'controller',
    image: 'registry.example.com/controller',
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
  const metadata = { name: 'plain', namespace: where };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } };
}

function isSigned(pod: PodManifest): boolean {
  return pod.spec.initContainers?.some(({ name }) => name === 'notary-sign') ?? false;
}

/** Posts a pod as kpack does: again and again until it is admitted. */
async function postUntilAdmitted(pod: PodManifest): Promise<PodManifest> {
  let answer: KubeAnswer<PodManifest> | undefined;
  await until(async () => {
    answer = await cluster.post(pod);
    return answer.ok;
  });
  if (answer === undefined) throw new Error('never posted');
  return demand(answer);
}
