/** deploy/ from the first `kubectl apply -k` to the last `kubectl delete -k`, in a real API server. */
import { join } from 'node:path';
import t from 'tap';
import { demand, type KubeAnswer } from '../bed/kube-client.ts';
import { buildFixture, type PodManifest } from '../support/build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { until } from '../support/program.ts';
import { startInstallation } from './installation.ts';
import { customization, deployDirectory, deployedObjects, replicaPod } from './manifests.ts';

const FIXTURE = 'v0.17.2/02-notary';
/** The manifests of a version before this one. */
const EARLIER = join(projectDirectory(), 'test/fixtures/deploy/rights-and-webhooks-alone.yaml');
/** The API server waits for five seconds for a webhook; nothing of ours makes anybody wait longer. */
const ANSWER_LIMIT = 6_000;

const cluster = await startInstallation(t);
const { api, kubectl } = cluster;
const objects = await deployedObjects(deployDirectory());
const configurations = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].map(
  (kind) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: 'kpack-notary' },
  }),
);
const ours = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kpack-notary' } };

t.test(
  'over an earlier version, while builds run: none fails, and none is left unsigned',
  async (t) => {
    await kubectl.succeed(['apply', '-f', EARLIER]);
    // As the certificate of that version would be made: by the program of this one, given its rights.
    await kubectl.succeed(['apply', '-f', join(deployDirectory(), 'rbac.yaml')]);
    await cluster.replica(objects);
    await kubectl.succeed(['apply', '-f', EARLIER]);
    await cluster.namespace('building', 'enabled');
    const { pod } = await cluster.store(buildFixture(FIXTURE), 'building');
    await until(async () => (await cluster.post(pod, { dryRun: true })).ok);

    const upgrade = new AbortController();
    const answers: KubeAnswer<PodManifest>[] = [];
    const building = (async () => {
      while (!upgrade.signal.aborted) answers.push(await cluster.post(pod, { dryRun: true }));
    })();
    const said = await cluster.install();
    upgrade.abort();
    await building;
    t.match(said, 'deployment.apps/kpack-notary-webhook created');
    t.match(said, 'mutatingwebhookconfiguration.admissionregistration.k8s.io/kpack-notary');
    t.ok(answers.length > 0);
    for (const { ok, object, failure } of answers) {
      if (ok) t.ok(isSigned(object));
      // What kpack posts again: a right that goes from one role to another is nobody's for a moment.
      else t.match(failure, { code: 503, message: 'CLUSTER_UNAVAILABLE' });
    }
    t.ok((await cluster.post(pod, { dryRun: true })).ok);
  },
);

t.test('applied again it changes nothing, and nothing is warned of', async (t) => {
  const dryRun = await kubectl.run([
    ...['apply', '-k', deployDirectory()],
    ...['--dry-run=server', '--validate=strict'],
  ]);
  t.equal(dryRun.code, 0);
  t.equal(dryRun.stderr, '');
  const lines = dryRun.stdout.trim().split('\n');
  t.equal(lines.length, objects.length);
  for (const line of lines) t.match(line, /(unchanged|configured) \(server dry run\)$/);
  const difference = await kubectl.run(['diff', '-k', deployDirectory()]);
  t.equal(difference.stdout, '', 'the caBundle is not looked upon as drift');
  t.equal(difference.code, 0);
});

t.test('whoever applies it, in either way, leaves the caBundle to the webhook', async (t) => {
  const bundles = async () => {
    const found = await Promise.all(configurations.map((reference) => api.get(reference)));
    return found.flatMap((answer) =>
      (demand(answer) as unknown as Configuration).webhooks.map(
        ({ clientConfig }) => clientConfig.caBundle ?? '',
      ),
    );
  };
  const before = await bundles();
  t.equal(before.length, 6);
  for (const bundle of before)
    t.match(Buffer.from(bundle, 'base64').toString(), /^-----BEGIN CERT/);
  await cluster.install();
  t.same(await bundles(), before);
  // As GitOps tools do.
  const text = await kubectl.run([
    'apply',
    '--server-side',
    '--force-conflicts',
    '-k',
    deployDirectory(),
  ]);
  t.equal(text.code, 0, text.stderr);
  t.same(await bundles(), before);
});

t.test('every component that needs no kinds of others is applied without a warning', async (t) => {
  const directory = await customization(t.testdir(), [
    'network-policy',
    'namespace-permissions',
    'own-account',
  ]);
  const applied = await kubectl.run([
    'apply',
    '-k',
    directory,
    '--dry-run=server',
    '--validate=strict',
  ]);
  t.equal(applied.code, 0, applied.stderr);
  t.equal(applied.stderr, '');
  const files = await customization(t.testdir(), ['certificate-files']);
  const again = await kubectl.run(['apply', '-k', files, '--dry-run=server', '--validate=strict']);
  t.equal(again.stderr, '');
});

t.test(
  'its namespace takes our pods as the Deployment makes them, and none that may more',
  async (t) => {
    const answer = await api.create(replicaPod(objects), { dryRun: true });
    t.equal(answer.failure?.message, undefined);
    t.same(answer.warnings, []);
    for (const more of [{ runAsUser: 0 }, { capabilities: { add: ['NET_RAW'] } }]) {
      const pod = replicaPod(objects);
      Object.assign(pod.spec.containers[0]?.securityContext ?? {}, more);
      const { failure } = await api.create(pod, { dryRun: true });
      t.match(failure, { code: 403, message: 'violates PodSecurity "restricted:latest"' });
    }
  },
);

t.test('uninstalled while builds run: nobody waits, and nothing is left', async (t) => {
  await cluster.namespace('left', 'enabled');
  const { pod } = await cluster.store(buildFixture(FIXTURE), 'left');
  demand(await cluster.post(pod, { dryRun: true }));
  const end = new AbortController();
  let longest = 0;
  const building = (async () => {
    while (!end.signal.aborted) {
      const started = performance.now();
      await cluster.post(pod, { dryRun: true });
      longest = Math.max(longest, performance.now() - started);
    }
  })();
  // There is no controller here that empties the namespace.
  await kubectl.succeed(['delete', '-k', deployDirectory(), '--wait=false']);
  await until(async () => {
    const { object } = await cluster.post(pod, { dryRun: true });
    return object !== undefined && !isSigned(object);
  });
  end.abort();
  await building;
  t.ok(longest < ANSWER_LIMIT, `${Math.round(longest)} ms`);

  const kinds = await kubectl.succeed(['api-resources', '--verbs=list', '--output=name']);
  const found = await kubectl.succeed([
    ...['get', kinds.trim().split('\n').join(','), '--all-namespaces', '--output=name'],
    ...['--selector=app.kubernetes.io/name=kpack-notary', '--ignore-not-found'],
  ]);
  t.equal(found.trim(), 'namespace/kpack-notary', 'which goes with all that is in it');
  const { metadata } = demand(await api.get(ours));
  t.ok('deletionTimestamp' in metadata);
  // The replica is still there, as in a namespace that is being emptied, and makes nothing anew.
  for (const reference of configurations) t.equal((await api.get(reference)).status, 404);
});

interface Configuration {
  readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}

function isSigned(pod: PodManifest): boolean {
  return pod.spec.initContainers?.some(({ name }) => name === 'notary-sign') ?? false;
}
