/** Our webhook and another one that gives something to every container, in the real API server. */
import fastJsonPatch from 'fast-json-patch';
import t, { type Test } from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture, changed, type PodManifest } from '../support/build-fixture.ts';
import { neighbour } from './support/kubernetes-neighbour.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { allContainers, container, mountAt, SIGNER } from '../support/pod.ts';
import { changeSigner, HARMLESS, WIDENING, type SignerChange } from '../support/signer-changes.ts';

const cluster = await startTestCluster(t);

const SHAPES = [
  'v0.17.2/02b-notary-registry-secrets',
  'v0.17.2/05b-rebase-notary',
  'v0.17.2/07b-standard-containers-notary',
  'v0.17.2/07c-standard-containers-rebase',
  'v0.2.0/02-notary',
];
const LABELS = { 'notary.kpack.io/signing': 'enabled' };
const PROXY = { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' };
const BUNDLE = '/etc/ssl/certs/mesh';

/** Sidecars of both sorts, first and last, then variables and a CA for every container there is. */
function mesh(pod: PodManifest) {
  const after = changed(pod, (copy) => {
    const { spec } = copy;
    if (!spec.volumes?.some(({ name }) => name === 'mesh')) {
      const init = (spec.initContainers ??= []);
      (spec.volumes ??= []).push({ name: 'mesh', emptyDir: {} });
      init.unshift({ name: 'mesh-native', image: 'mesh', restartPolicy: 'Always' });
      init.push({ name: 'mesh-init', image: 'mesh' });
      spec.containers.unshift({ name: 'mesh-classic', image: 'mesh' });
    }
    for (const each of allContainers(copy)) {
      if (!mountAt(each, BUNDLE)) {
        (each.volumeMounts ??= []).push({ name: 'mesh', mountPath: BUNDLE });
      }
      if (!each.env?.some(({ name }) => name === PROXY.name)) (each.env ??= []).unshift(PROXY);
    }
  });
  const operations = fastJsonPatch.compare(pod, after);
  return operations.length > 0 ? operations : undefined;
}

for (const name of ['aaa-mesh', 'zzz-mesh']) {
  t.test(`${name}: both have their way, and the pod is stored`, async (t) => {
    for (const fixture of SHAPES) {
      await t.test(fixture, async (t) => {
        const namespace = `${name}-${fixture.replace(/[^a-z0-9]+/g, '-')}`;
        await cluster.namespace(namespace, { labels: LABELS });
        const { pod } = await cluster.store(buildFixture(fixture), namespace);
        await neighbour(t, cluster, namespace, { name, patch: mesh });
        const stored = demand(await cluster.post(pod));

        const names = allContainers(stored).map((each) => each.name);
        t.equal(new Set(names).size, names.length, 'nothing is there twice');
        const ours = ['mesh-native', 'mesh-init', 'mesh-classic', SIGNER];
        const others = allContainers(pod).map((each) => each.name);
        t.same([...names].sort(), [...others, ...ours].sort());
        for (const each of allContainers(stored)) {
          const given = each.volumeMounts?.filter(({ mountPath }) => mountPath === BUNDLE);
          t.equal(given?.length, 1, `${each.name} has the CA once`);
          const variables = each.env?.filter((variable) => variable.name === PROXY.name);
          t.match(variables, [PROXY], `${each.name} has the proxy once`);
        }
        const init = stored.spec.initContainers ?? [];
        const at = (step: string) => init.findIndex((each) => each.name === step);
        const step = names.includes('export') ? 'export' : 'rebase';
        const isInit = at(step) >= 0;
        t.equal(at(SIGNER) > at(step), isInit, 'after the export');
        t.notMatch(JSON.stringify(container(stored, 'completion')), 'notary-v1-url');

        const podDecisions = (await cluster.decisions(namespace)).filter(
          ({ kind }) => kind === 'Pod',
        );
        const calls = podDecisions.filter(({ name }) => name === pod.metadata.name);
        t.match(calls.at(-1), { question: 'validate', decision: 'allow', code: 'COMPLETE' });
        const mutations = calls.filter(({ question }) => question === 'mutate');
        t.equal(mutations[0]?.decision, 'patch');
        t.equal(mutations.length, 2, 'asked again after the other');
      });
    }
  });
}

/** A policy of the cluster that changes the signing container, wherever it meets it. */
async function policy(t: Test, name: string, fixture: string) {
  const namespace = `${name}-${fixture.replace(/[^a-z0-9]+/g, '-')}`;
  await cluster.namespace(namespace, { labels: LABELS });
  const { pod } = await cluster.store(buildFixture(fixture), namespace);
  const current: { changes: readonly SignerChange[] } = { changes: [] };
  const patch = (pod: PodManifest) => {
    if (!allContainers(pod).some((each) => each.name === SIGNER)) return undefined;
    const after = changed(pod, (copy) => changeSigner(copy, current.changes));
    const operations = fastJsonPatch.compare(pod, after);
    return operations.length > 0 ? operations : undefined;
  };
  await neighbour(t, cluster, namespace, { name, patch });
  return (...changes: readonly SignerChange[]) => {
    current.changes = changes;
    return cluster.post(pod, { dryRun: true });
  };
}

for (const fixture of [
  'v0.17.2/02b-notary-registry-secrets',
  'v0.17.2/07c-standard-containers-rebase',
]) {
  t.test(`${fixture}: what a policy says aloud, or confines, is admitted`, async (t) => {
    const post = await policy(t, 'zzz-aloud', fixture);
    const valid: SignerChange[] = [];
    for (const [what, change] of Object.entries(HARMLESS)) {
      const { ok, failure } = await post(change);
      // Some the API server itself takes of other containers alone.
      t.ok(ok || failure.message.startsWith('Pod "app-build-'), `${what}: ${failure?.message}`);
      if (ok) valid.push(change);
    }
    t.ok(valid.length >= Object.keys(HARMLESS).length - 2, 'nearly all are valid');
    t.ok(container(demand(await post(...valid)), SIGNER), 'all of them together');
  });

  t.test(`${fixture}: what a policy widens fails the Build, and names the field`, async (t) => {
    const post = await policy(t, 'zzz-wide', fixture);
    const cases: Record<string, RegExp> = {
      'another image': /notary-sign\.image has been changed/,
      'a command that wraps it': /notary-sign\.command\.0 has been changed/,
      'an argument': /notary-sign\.args\.\d+ has been changed/,
      'a terminal': /notary-sign\.tty has been changed/,
      'an unmasked /proc': /notary-sign\.securityContext\.procMount has been changed/,
      'another Secret': /volume notary-sign-key\.secret\.secretName has been changed/,
      'files of the usual mode': /volume notary-sign-key\.secret\.defaultMode has been changed/,
    };
    for (const [what, words] of Object.entries(cases)) {
      const { status, failure } = await post(...[WIDENING[what]].flatMap((each) => each ?? []));
      t.equal(status, 422, `${what}: kpack fails the Build, and shows this`);
      t.match(failure?.message, /kpack-notary SIGNER_TAMPERED: /, what);
      t.match(failure?.message, words, what);
    }
  });
}
