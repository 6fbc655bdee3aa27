/** Attempts to get hold of the key, to be signed without a right to it, or to break the webhook. */
import t, { type Test } from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture, P, type PodManifest, URL } from '../support/build-fixture.ts';
import { KEY_SECRET, type Abuse, type Stage } from './support/abuse-case.ts';
import { CHANGE_CASES } from './support/abuse-cases-changes.ts';
import { COLLISION_CASES } from './support/abuse-cases-collisions.ts';
import { CONFIGURATION_CASES } from './support/abuse-cases-configuration.ts';
import { IDENTITY_CASES } from './support/abuse-cases-identity.ts';
import { LOAD_CASES } from './support/abuse-cases-load.ts';
import { MALFORMED_CASES } from './support/abuse-cases-malformed.ts';
import { NAMESPACE_CASES } from './support/abuse-cases-namespace.ts';
import { SECRET_CASES } from './support/abuse-cases-secrets.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { allContainers, SIGNER, signerFlags } from '../support/pod.ts';

const CASES: readonly Abuse[] = [
  ...IDENTITY_CASES,
  ...COLLISION_CASES,
  ...SECRET_CASES,
  ...NAMESPACE_CASES,
  ...CHANGE_CASES,
  ...CONFIGURATION_CASES,
  ...MALFORMED_CASES,
  ...LOAD_CASES,
];
const ENABLED = { [`${P}signing`]: 'enabled' };
const WORDS = { [`${P}v1.url`]: URL, [`${P}v1.secretRef`]: KEY_SECRET };

const cluster = await startTestCluster(t);
const { api } = cluster;
const honest = await stageOf('honest');

t.test('the abuse suite has at least forty cases, each with a name of its own', async (t) => {
  t.ok(new Set(CASES.map(({ name }) => name)).size >= 40);
  t.equal(new Set(CASES.map(({ name }) => name)).size, CASES.length);
});

for (const [i, abuse] of CASES.entries()) {
  t.test(abuse.name, async (t) => {
    const stage = await stageOf(`abuse-${i}`, abuse);
    const { ends } = abuse;
    abuse.change?.(stage.pod);
    const answer = await abuse.play(stage);
    const stored = await podsIn(stage.namespace);

    if ('refused' in ends) {
      const [status, code, words] = ends.refused;
      const text = answer.failure?.message ?? '';
      t.equal(answer.status, status, text);
      t.equal(/kpack-notary ([A-Z_]+):/.exec(text)?.[1] ?? '', code, text);
      t.match(text, words);
      for (const pod of stored) t.notMatch(pod.spec.ephemeralContainers, [{}]);
    } else {
      t.equal(answer.status, 201, answer.failure?.message ?? '');
      const pod = demand(answer) as PodManifest;
      const isSigned = allContainers(pod).some(({ name }) => name === SIGNER);
      t.equal(isSigned, 'signed' in ends);
      if ('signed' in ends) hasFlags(t, pod, stage, ends.signed);
      else {
        t.match(answer.warnings.join('\n'), ends.left);
        t.notOk(JSON.stringify(pod.spec).includes(KEY_SECRET), 'no key');
        t.notMatch(JSON.stringify(pod.spec), /-notary-v1-url/, "nor kpack's own signer");
        t.notOk(pod.metadata.annotations?.[`${P}injected`], 'not called signed');
      }
    }
    for (const pod of stored) t.same(otherWays(pod), [], 'nobody else has a way to the key');
    t.ok((await cluster.post(honest.pod, { dryRun: true })).ok, 'the next one is answered');
  });
}

t.test('no attempt was a mistake of ours', async (t) => {
  const decisions = await cluster.decisions();
  t.same(
    decisions.filter(({ code }) => code === 'WEBHOOK_FAILED' || code === 'REVIEW_INVALID'),
    [],
  );
});

/** A namespace with a Build that is to be signed. */
async function stageOf(
  namespace: string,
  {
    admin,
    prepare,
    isMissed,
    fixture: name = 'v0.17.2/01-plain-git',
  }: Pick<Abuse, 'admin' | 'prepare' | 'isMissed' | 'fixture'> = {},
): Promise<Stage> {
  await cluster.namespace(namespace, { labels: ENABLED, annotations: admin ?? {} });
  const fixture = buildFixture(name);
  for (const object of [fixture.image, fixture.build]) {
    if (object) object.metadata.annotations = { ...object.metadata.annotations, ...WORDS };
  }
  prepare?.(fixture);
  const store = () => cluster.store(fixture, namespace);
  const { image, ...stored } = await (isMissed ? cluster.whileAway(store) : store());
  if (!image) throw new Error('the fixture has no Image');
  return { ...stored, image, cluster, namespace };
}

async function podsIn(namespace: string): Promise<readonly PodManifest[]> {
  const { items } = demand(await api.list({ apiVersion: 'v1', kind: 'Pod', namespace }));
  return items as readonly PodManifest[];
}

/** What our container was told, and where the tags that it may sign come from. */
function hasFlags(
  t: Test,
  pod: PodManifest,
  { build }: Stage,
  expected: Readonly<Record<string, readonly string[]>>,
): void {
  const flags = signerFlags(pod);
  t.match(flags, expected);
  t.same(flags['allow-tag'], build.spec['tags'], 'signs the tags of the Build alone');
  t.match(pod.metadata.annotations, { [`${P}injected`]: /^\d/ });
  t.notOk(pod.metadata.annotations?.[`${P}skipped`]);
}

/** Volumes with the key beside ours, and containers beside ours that mount ours. */
function otherWays(pod: PodManifest): readonly string[] {
  const { volumes = [], ephemeralContainers = [], imagePullSecrets = [] } = pod.spec;
  const holds = (part: object) => JSON.stringify(part).includes(`"${KEY_SECRET}"`);
  const containers = [...allContainers(pod), ...ephemeralContainers];
  const others = containers.filter(({ name }) => name !== SIGNER);
  return [
    ...volumes.filter((each) => each.name !== 'notary-sign-key' && holds(each)),
    ...others.filter(
      (each) => holds(each) || each.volumeMounts?.some(({ name }) => name === 'notary-sign-key'),
    ),
    ...imagePullSecrets.filter(holds),
  ].map(({ name = '' }) => name);
}
