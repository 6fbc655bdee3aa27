import t from 'tap';
import type { Cluster } from '../../../../src/shared/kubernetes/cluster.ts';
import type { ReviewOptions } from '../../../bed/webhook.ts';
import {
  buildFixture,
  changed,
  manifestsOf,
  setSection,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import {
  ask,
  countingRounds,
  unreadable,
  memoryCluster,
  verdictOf,
} from '../../../support/asking.ts';
import { review, serveBuild } from '../../../support/served.ts';

t.test('what is not new, or not a build pod, passes untouched', async (t) => {
  const given = buildFixture();
  setSection(given, 'malformed');
  const app = serveBuild(t, given);
  const { pod } = given;
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', namespace: 'apps', labels: pod.metadata.labels },
    data: { x: 'y' },
  };
  const deployment = { ...configMap, apiVersion: 'apps/v1', kind: 'Deployment' };
  const bare = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', namespace: 'apps' } };
  const plain = { ...bare, spec: { containers: [{ name: 'x', image: 'x' }] } };
  type Change = (request: Record<string, unknown>) => void;
  const cases: Record<string, readonly [ReviewOptions, Change?]> = {
    'an update of a build pod': [{ object: pod, oldObject: pod, operation: 'UPDATE' }],
    'a deletion': [
      { object: pod, oldObject: pod, operation: 'DELETE' },
      (request) => (request['object'] = null),
    ],
    'a connection': [
      { object: pod },
      (request) => {
        request['operation'] = 'CONNECT';
        request['subResource'] = 'exec';
      },
    ],
    'a binding of a pod': [{ object: pod }, (request) => (request['subResource'] = 'binding')],
    'an ephemeral container': [
      { object: pod, oldObject: pod, operation: 'UPDATE' },
      (request) => (request['subResource'] = 'ephemeralcontainers'),
    ],
    'a ConfigMap': [{ object: configMap }],
    'a Deployment': [{ object: deployment }],
    'a pod of others': [{ object: plain }],
    'a pod without labels': [{ object: { ...plain, metadata: { name: 'x' } } }],
    'a pod without a spec': [{ object: { ...bare, metadata: pod.metadata } }],
    'no object at all': [{ object: pod }, (request) => (request['object'] = null)],
    'a Pod of another group': [
      { object: changed(pod, (pod) => (pod.apiVersion = 'example.com/v1')) },
    ],
  };
  for (const [what, [options, change]] of Object.entries(cases)) {
    for (const question of ['mutate', 'validate'] as const) {
      const { uid, ...response } = await review(t, app, question, options, change);
      t.same(response, { allowed: true }, `${question}: ${what}`);
      t.ok(uid);
    }
  }
});

t.test('while the cluster does not answer, nothing is decided', async (t) => {
  const given = buildFixture('v0.17.2/07b-standard-containers-notary');
  const cluster = memoryCluster(manifestsOf(given));
  for (const kind of ['Namespace', 'Build', 'ServiceAccount', 'Image', 'Secret', 'LimitRange']) {
    for (const question of ['mutate', 'validate'] as const) {
      const response = await ask(question, given.pod, unreadable(cluster, kind));
      t.equal(verdictOf(response), '503 CLUSTER_UNAVAILABLE', kind);
      t.match(response.status?.message, `GET ${kind} failed. Fix: Mend the ${kind}.`);
    }
  }
  const mistaken: Cluster = { ...cluster, get: () => Promise.reject(new TypeError('a mistake')) };
  await t.rejects(
    ask('mutate', given.pod, mistaken),
    TypeError,
    'which is not for a mistake of ours',
  );
});

t.test('a namespace that cannot be found is not one that has not opted in', async (t) => {
  // The namespace of a new pod exists: whoever says otherwise is not its API server.
  const given = buildFixture();
  const cluster = memoryCluster([]);
  for (const question of ['mutate', 'validate'] as const) {
    const response = await ask(question, given.pod, cluster);
    t.equal(verdictOf(response), '503 CLUSTER_UNAVAILABLE');
  }
});

t.test('a namespace that has not opted in does not wait for the rest of the cluster', async (t) => {
  const given = buildFixture('v0.17.2/02-notary', signingNamespace('disabled'));
  const cluster = unreadable(memoryCluster(manifestsOf(given)), 'Build');
  t.equal(verdictOf(await ask('mutate', given.pod, cluster)), 'allowed');
});

t.test('the reads of a decision are few, and two rounds', async (t) => {
  for (const [name, ...others] of [
    ['v0.17.2/02b-notary-registry-secrets', ...Array.from({ length: 7 }, () => 'Secret')],
    ['v0.17.2/07b-standard-containers-notary', 'Secret', 'Secret', 'LimitRange'],
  ] as const) {
    const given = buildFixture(name);
    const cluster = memoryCluster(manifestsOf(given));
    const { cluster: counted, rounds } = countingRounds(cluster);
    t.equal(verdictOf(await ask('mutate', given.pod, counted)), 'patched');
    t.same(rounds, [
      ['Namespace', 'Build', 'ServiceAccount'],
      ['Image', 'Secret', ...others],
    ]);
  }
});

t.test('nobody but kpack makes the webhook read many objects', async (t) => {
  const given = buildFixture();
  given.serviceAccount.secrets = Array.from({ length: 1_000 }, (_, i) => ({ name: `s${i}` }));
  const cluster = memoryCluster(manifestsOf(given));
  let reads = 0;
  const counted: Cluster = {
    ...cluster,
    get: (reference) => {
      reads += 1;
      return cluster.get(reference);
    },
  };
  const response = await ask('mutate', given.pod, counted, { username: 'developer' });
  t.equal(verdictOf(response), '422 REQUESTER_NOT_KPACK');
  t.ok(reads <= 4, `${reads} reads`);
});

t.test(
  'Secrets are read for a Build that exists with that UID, and for nothing else',
  async (t) => {
    const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
    const kindsRead = async (build: Partial<typeof given.build> | undefined) => {
      const others = manifestsOf(given).filter(({ kind }) => kind !== 'Build');
      const manifests = build ? [...others, { ...given.build, ...build }] : others;
      const { cluster, rounds } = countingRounds(memoryCluster(manifests));
      for (const question of ['mutate', 'validate'] as const)
        await ask(question, given.pod, cluster);
      return new Set(rounds.flat());
    };
    t.ok((await kindsRead({})).has('Secret'));
    const another = { metadata: { ...given.build.metadata, uid: 'another' } };
    for (const build of [undefined, another]) {
      t.same([...(await kindsRead(build))], ['Namespace', 'Build', 'ServiceAccount']);
    }
  },
);

t.test(
  'a service account of more than 200 Secrets is refused by name, and not looked through',
  async (t) => {
    const given = buildFixture();
    const account = (count: number) => {
      given.serviceAccount.secrets = Array.from({ length: count }, (_, i) => ({ name: `s${i}` }));
      return countingRounds(memoryCluster(manifestsOf(given)));
    };
    t.equal(verdictOf(await ask('mutate', given.pod, account(200).cluster)), 'patched');
    for (const question of ['mutate', 'validate'] as const) {
      const { cluster, rounds } = account(201);
      const response = await ask(question, given.pod, cluster);
      t.equal(verdictOf(response), '422 SECRETS_TOO_MANY');
      t.match(response.status?.message, /service account \S+ names more than 200 Secrets\. Fix: /);
      const secrets = rounds.flat().filter((kind) => kind === 'Secret');
      t.ok(secrets.length <= 2, 'those that the configuration names');
    }
    // Named twice is named once.
    given.serviceAccount.secrets = Array.from({ length: 500 }, () => ({ name: 'same' }));
    const twice = memoryCluster(manifestsOf(given));
    t.equal(verdictOf(await ask('mutate', given.pod, twice)), 'patched');
  },
);
