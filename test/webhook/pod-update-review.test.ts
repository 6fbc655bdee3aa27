import t from 'tap';
import { review } from '../../src/webhook/review.ts';
import type { PodManifest } from '../build-fixture.ts';
import { ask, inject, memoryCluster, validate, verdictOf } from './asking.ts';
import { container, SIGNER } from './pod.ts';
import { annotate, changed, P, world } from './world.ts';

const NAMES = ['v0.17.2/02-notary', 'v0.17.2/07b-standard-containers-notary'];
// What is known is in the two objects: the cluster has nothing to say.
const nothing = memoryCluster([]);

type Change = (pod: PodManifest) => void;
type Ephemeral = NonNullable<PodManifest['spec']['ephemeralContainers']>[number];

const update = (before: PodManifest, change: Change, subResource?: string) =>
  ask('validate', changed(before, change), nothing, {
    operation: 'UPDATE',
    oldObject: before,
    username: 'developer',
    ...(subResource !== undefined && { subResource }),
  });
const attach = (before: PodManifest, ephemeral: Partial<Ephemeral>) =>
  update(
    before,
    ({ spec }) => (spec.ephemeralContainers = [{ name: 'debug', image: 'x', ...ephemeral }]),
    'ephemeralcontainers',
  );

for (const name of NAMES) {
  t.test(`${name}: what was admitted stays`, async (t) => {
    const injected = await inject(world(name));
    const refused: Record<string, readonly [Change, RegExp]> = {
      'our image swapped': [
        (pod) => (container(pod, SIGNER).image = 'evil'),
        /the image of notary-sign would become evil/,
      ],
      'the step swapped that pushes': [
        (pod) => (container(pod, 'export').image = 'evil'),
        /the image of export would become evil/,
      ],
      'the step swapped that builds': [
        (pod) => (container(pod, 'build').image = 'evil'),
        /the image of build would become evil/,
      ],
      'called unsigned': [
        (pod) => Object.assign(pod.metadata.annotations ?? {}, { [`${P}skipped`]: 'x' }),
        /annotation notary.kpack.io\/skipped is ours/,
      ],
      'our mark taken off': [
        (pod) => delete pod.metadata.annotations?.[`${P}injected`],
        /annotation notary.kpack.io\/injected is ours/,
      ],
      'all annotations taken off': [
        (pod) => delete pod.metadata.annotations,
        /annotation notary.kpack.io\/injected is ours/,
      ],
      'our mark changed': [
        (pod) => annotate({ ...world(name), pod }, { [`${P}injected`]: '0.0.0' }),
        /annotation notary.kpack.io\/injected is ours/,
      ],
      'the label taken off that leads the pod to us': [
        (pod) => delete pod.metadata.labels?.['kpack.io/build'],
        /the label kpack.io\/build/,
      ],
      'that label changed': [
        (pod) => Object.assign(pod.metadata.labels ?? {}, { 'kpack.io/build': 'other' }),
        /the label kpack.io\/build/,
      ],
    };
    for (const [what, [change, reason]] of Object.entries(refused)) {
      const response = await update(injected, change);
      t.equal(verdictOf(response), '422 POD_CHANGE_REFUSED', what);
      t.match(response.status?.message, reason);
      const deleted: Change = (pod) => {
        change(pod);
        Object.assign(pod.metadata, { deletionTimestamp: '2026-11-24T00:00:00Z' });
      };
      t.equal(verdictOf(await update(injected, deleted)), 'allowed', `${what}, on its way out`);
    }
    const allowed: Record<string, Change> = {
      'kpack starts the first step': (pod) =>
        Object.assign(pod.metadata.annotations ?? {}, { 'build.kpack.io/ready': 'true' }),
      'kpack ends what still runs': ({ spec }) => (spec.activeDeadlineSeconds = 1),
      'an image of another container': (pod) => (container(pod, 'completion').image = 'other'),
      'another label': (pod) => Object.assign(pod.metadata.labels ?? {}, { team: 'x' }),
      'nothing at all': () => undefined,
    };
    for (const [what, change] of Object.entries(allowed)) {
      t.equal(verdictOf(await update(injected, change)), 'allowed', what);
    }
  });

  t.test(`${name}: no ephemeral container reaches the key`, async (t) => {
    const injected = await inject(world(name));
    const refused: Record<string, readonly [Partial<Ephemeral>, RegExp]> = {
      'it mounts our volume': [
        { volumeMounts: [{ name: 'notary-sign-key', mountPath: '/k' }] },
        /ephemeral container debug mounts volume notary-sign-key/,
      ],
      'it sees the processes of ours': [
        { targetContainerName: SIGNER },
        /ephemeral container debug targets notary-sign/,
      ],
      'it has a variable made of the Secret': [
        {
          env: [
            { name: 'X', valueFrom: { secretKeyRef: { name: 'notary-signing', key: 'password' } } },
          ],
        },
        /debug takes variables from Secret notary-signing/,
      ],
      'it sees the whole node': [
        { securityContext: { privileged: true } },
        /ephemeral container debug is privileged/,
      ],
      'it has variables made of the whole Secret': [
        { envFrom: [{ secretRef: { name: 'notary-signing' } }] },
        /debug takes variables from Secret notary-signing/,
      ],
    };
    for (const [what, [ephemeral, reason]] of Object.entries(refused)) {
      const response = await attach(injected, ephemeral);
      t.equal(verdictOf(response), '422 SECRET_EXPOSED', what);
      t.match(response.status?.message, reason);
    }
    const harmless = {
      targetContainerName: 'completion',
      volumeMounts: [{ name: 'report-dir', mountPath: '/r' }],
      env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'other', key: 'x' } } }],
    };
    t.equal(verdictOf(await attach(injected, harmless)), 'allowed');
  });

  t.test(`${name}: an ephemeral container that got in does not hold up the build`, async (t) => {
    const attached = changed(await inject(world(name)), ({ spec }) => {
      spec.ephemeralContainers = [{ name: 'debug', image: 'x', targetContainerName: SIGNER }];
    });
    const ready = await update(attached, (pod) =>
      Object.assign(pod.metadata.annotations ?? {}, { 'build.kpack.io/ready': 'true' }),
    );
    t.equal(verdictOf(ready), 'allowed');
    const another = await update(
      attached,
      ({ spec }) =>
        spec.ephemeralContainers?.push({ name: 'x', image: 'x', targetContainerName: SIGNER }),
      'ephemeralcontainers',
    );
    t.equal(verdictOf(another), '422 SECRET_EXPOSED');
    t.match(another.status?.message, /ephemeral container x targets/);
  });
}

t.test('a pod that we left unsigned keeps its reason, and is free otherwise', async (t) => {
  const given = world();
  annotate(given, { [`${P}signing`]: 'disabled' });
  const skipped = await inject(given);
  const off = await update(skipped, (pod) => delete pod.metadata.annotations?.[`${P}skipped`]);
  t.equal(verdictOf(off), '422 POD_CHANGE_REFUSED');
  t.equal(verdictOf(await attach(skipped, { targetContainerName: 'completion' })), 'allowed');

  const plain = world().pod;
  for (const change of [
    (pod: PodManifest) => delete pod.metadata.labels,
    (pod: PodManifest) => delete pod.metadata.annotations,
    (pod: PodManifest) => (container(pod, 'export').image = 'other'),
  ]) {
    t.equal(verdictOf(await update(plain, change)), 'allowed');
  }
  const forged = await update(plain, (pod) =>
    annotate({ ...given, pod }, { [`${P}injected`]: '1' }),
  );
  t.equal(verdictOf(forged), '422 POD_CHANGE_REFUSED', 'nor is it called signed');
});

t.test('mutate has nothing to say to updates, and nobody to other subresources', async (t) => {
  const injected = await inject(world());
  const swapped = changed(injected, (pod) => (container(pod, SIGNER).image = 'evil'));
  const options = { operation: 'UPDATE', oldObject: injected } as const;
  t.equal(verdictOf(await ask('mutate', swapped, nothing, options)), 'allowed');
  for (const subResource of ['status', 'resize', 'binding']) {
    const response = await ask('validate', swapped, nothing, { ...options, subResource });
    t.equal(verdictOf(response), 'allowed', subResource);
  }
});

t.test('pods of the cluster and of its system are never touched', async (t) => {
  const given = world();
  for (const namespace of ['kube-system', 'kube-public', 'kube-node-lease', 'signing-webhook']) {
    const pod = changed(given.pod, (pod) => Object.assign(pod.metadata, { namespace }));
    const settings = { ownNamespace: 'signing-webhook' };
    for (const question of ['mutate', 'validate'] as const) {
      t.equal(verdictOf(await ask(question, pod, nothing, { settings })), 'allowed', namespace);
    }
    const injected = await inject(given);
    const swapped = changed(injected, (pod) => {
      container(pod, SIGNER).image = 'evil';
      Object.assign(pod.metadata, { namespace });
    });
    const options = { operation: 'UPDATE', oldObject: injected, settings } as const;
    t.equal(verdictOf(await ask('validate', swapped, nothing, options)), 'allowed', namespace);
  }
  const mirror = changed(given.pod, (pod) => annotate({ ...given, pod }, MIRROR));
  const byKubelet = { username: 'system:node:worker-1' };
  for (const question of ['mutate', 'validate'] as const) {
    t.equal(verdictOf(await ask(question, mirror, nothing, byKubelet)), 'allowed', 'a mirror pod');
  }
  const posted = await validate(given, given.pod, byKubelet);
  t.equal(verdictOf(posted), '422 REQUESTER_NOT_KPACK', 'a kubelet has no other build pods');
});

t.test('what is no pod is not judged', async (t) => {
  const pod = await inject(world());
  const request = {
    uid: 'u',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    operation: 'UPDATE',
    subResource: undefined,
    namespace: 'apps',
    name: 'x',
    username: 'x',
    isDryRun: false,
  };
  const settings = {
    cluster: nothing,
    kpackUsers: [],
    ownNamespace: undefined,
    placement: NO_PLACEMENT,
    version: '',
  };
  for (const [object, oldObject] of [
    [null, pod],
    [pod, null],
    [{ kind: 'Pod' }, pod],
    [pod, { kind: 'Pod', spec: {} }],
  ]) {
    const verdict = await review('validate', { ...request, object, oldObject }, settings);
    t.equal(verdict.code, 'NOT_OURS');
  }
});

const MIRROR = { 'kubernetes.io/config.mirror': 'b1946ac92492d2347c6235b4d2611184' };
const NO_PLACEMENT = { image: 'x', cpu: '1', memory: '1' };
