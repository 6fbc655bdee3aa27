/** Our webhook and another one that gives something to every container, in the real API server. */
import fastJsonPatch from 'fast-json-patch';
import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture, type PodManifest } from '../build-fixture.ts';
import { neighbour } from './kubernetes-neighbour.ts';
import { startScene } from './kubernetes-scene.ts';
import { allContainers, container, mountAt, SIGNER } from './pod.ts';
import { changed } from './world.ts';

const scene = await startScene(t);

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
        await scene.namespace(namespace, { labels: LABELS });
        const { pod } = await scene.store(buildFixture(fixture), namespace);
        await neighbour(t, scene, namespace, { name, patch: mesh });
        const stored = demand(await scene.post(pod));

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

        const asked = (await scene.decisions(namespace)).filter(({ kind }) => kind === 'Pod');
        const calls = asked.filter(({ name }) => name === pod.metadata.name);
        t.match(calls.at(-1), { question: 'validate', decision: 'allow', code: 'COMPLETE' });
        const mutations = calls.filter(({ question }) => question === 'mutate');
        t.equal(mutations[0]?.decision, 'patch');
        t.equal(mutations.length, 2, 'asked again after the other');
      });
    }
  });
}
