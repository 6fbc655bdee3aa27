/** Every build pod of kpack.io and every way to configure signing, in the real API server. */
import t from 'tap';
import { demand, type KubeAnswer } from '../bed/kube-client.ts';
import {
  buildFixture,
  changed,
  type PodManifest,
  signingNamespace,
} from '../support/build-fixture.ts';
import { injectionProblems } from '../support/injection-problems.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { withoutKpackSigner } from '../support/pod-changes.ts';
import { allContainers, container, SIGNER } from '../support/pod.ts';
import { hasSection, isWindows, kpackFixtures } from '../support/signable.ts';
import { WAYS, type Outcome, type Way } from './support/signing-ways.ts';

const cluster = await startTestCluster(t);

/** What a pod becomes where nobody signs, by fixture. */
const references = new Map<string, PodManifest>();

t.test('nothing of kpack.io is left out', async (t) => {
  t.equal(kpackFixtures.length, 46);
});

t.test('no build pod of another namespace waits for the webhook', async (t) => {
  await cluster.namespace('reference');
  const entries = ['pods.notary.kpack.io', 'pods-audit.notary.kpack.io'];
  const calls = () => Promise.all(entries.map((name) => cluster.calls({ name })));
  const before = await calls();
  for (const name of kpackFixtures) {
    // One at a time: what the account of a fixture has gets into its pod.
    const { pod } = await cluster.store(buildFixture(name), 'reference');
    references.set(name, demand(await cluster.post(pod, { dryRun: true })));
  }
  t.same(await calls(), before);
});

t.test('no plain pod of an enabled namespace waits for the webhook', async (t) => {
  await cluster.namespace('plain', { labels: { 'notary.kpack.io/signing': 'enabled' } });
  const { pod } = await cluster.store(buildFixture('v0.17.2/02-notary'), 'plain');
  const before = await cluster.calls();
  const sets: Record<string, string>[] = [{}, { app: 'web' }, { 'kpack.io/image': 'app' }];
  for (const labels of sets) {
    const plain = changed(pod, (copy) => (copy.metadata.labels = labels));
    demand(await cluster.post(plain, { dryRun: true }));
  }
  t.equal(await cluster.calls(), before);
});

interface Case {
  readonly name: string;
  readonly title: string;
  readonly way: Way;
  readonly namespace: string;
}

const cases = Object.entries(WAYS).flatMap(([title, way], at) =>
  kpackFixtures.map((name): Case => {
    const namespace = `${name.replace(/[^a-z0-9]+/g, '-')}-${at}`;
    return { name, title, way, namespace };
  }),
);

const posts = new Map<Case, PodManifest>();

t.test('what people write is stored, while the webhook is there or away', async () => {
  const put = async (one: Case) => {
    const { way, namespace, name } = one;
    const { metadata } = signingNamespace(way.label, way.namespace);
    const { labels = {}, annotations = {} } = metadata;
    await cluster.namespace(namespace, { labels, annotations });
    const fixture = { ...buildFixture(name), namespace: signingNamespace() };
    way.change?.(fixture);
    posts.set(one, (await cluster.store(fixture, namespace)).pod);
  };
  for (const one of cases.filter(({ way }) => !way.malformed)) await put(one);
  await cluster.whileAway(async () => {
    for (const one of cases.filter(({ way }) => way.malformed)) await put(one);
  });
});

for (const title of Object.keys(WAYS)) {
  t.test(`configured by ${title}`, async (t) => {
    for (const [one, pod] of posts) {
      if (one.title !== title) continue;
      const shape = { hasSection: hasSection(one.name), isWindows: isWindows(one.name) };
      const answer = await cluster.post(pod);
      t.same(problems(one, pod, answer, one.way.expect(shape)), [], one.name);
    }
  });
}

/** What the answer has that was not expected. */
function problems(
  { name, way }: Case,
  { metadata }: PodManifest,
  { ok, object, failure, warnings }: KubeAnswer<PodManifest>,
  expected: Outcome,
): string[] {
  if ('refused' in expected) {
    const isSo =
      failure?.code === 422 &&
      failure.reason === 'Invalid' &&
      failure.message.includes(expected.refused);
    return isSo ? [] : [`not refused with ${expected.refused}: ${JSON.stringify(failure)}`];
  }
  if (!ok) return [failure.message];
  const found = references.get(name);
  if (!found) return [`no reference for ${name}`];
  const reference = changed(found, (copy) => Object.assign(copy, { metadata }));
  const { annotations = {} } = object.metadata;
  if ('key' in expected) {
    const flags = container(object, SIGNER).args ?? [];
    return [
      ...injectionProblems(object, reference, expected.key),
      ...(way.flags ?? []).filter((flag) => !flags.includes(flag)).map((flag) => `no ${flag}`),
      ...(annotations['notary.kpack.io/injected'] ? [] : ['no annotation injected']),
    ];
  }
  const unsigned = way.label === 'audit' ? reference : withoutKpackSigner(reference);
  const isLeft =
    containersText(object) === containersText(unsigned) &&
    (annotations['notary.kpack.io/skipped'] ?? '').includes(expected.left) &&
    !annotations['notary.kpack.io/injected'];
  const isWarned = warnings.some((text) => text.includes(expected.warning));
  return [...(isLeft ? [] : ['not left as it was']), ...(isWarned ? [] : ['no warning'])];
}

function containersText(pod: PodManifest): string {
  return JSON.stringify([allContainers(pod), pod.spec.volumes?.length]).replace(
    /kube-api-access-\w+/g,
    'token',
  );
}
