import fc from 'fast-check';
import t from 'tap';
import { routeReview } from '../../../../src/webhook/admission/router.ts';
import {
  ADMIN,
  annotate,
  buildFixture,
  changed,
  DEVELOPER,
  P,
  type PodManifest,
  secret,
  unconfiguredBuild,
  URL,
} from '../../../support/build-fixture.ts';
import { ask, inject, memoryCluster, validate, verdictOf } from '../../../support/asking.ts';
import { allContainers, container, SIGNER } from '../../../support/pod.ts';
import { runs } from '../../../support/runs.ts';

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
    const given = buildFixture(name);
    given.pod.spec.containers.push({ name: 'mesh', image: 'mesh:1' });
    const injected = await inject(given);
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
      'completion swapped': [
        (pod) => (container(pod, 'completion').image = 'evil'),
        /the image of completion would become evil/,
      ],
      'a neighbour swapped': [
        (pod) => (container(pod, 'mesh').image = 'evil'),
        /the image of mesh would become evil/,
      ],
      'a digest beside another tag': [
        (pod) => (container(pod, 'mesh').image = `mesh:2@sha256:${'ab'.repeat(32)}`),
        /the image of mesh would become mesh:2@sha256:/,
      ],
      'a digest taken off': [
        (pod) => (container(pod, SIGNER).image = 'registry.example.com/kpack-notary/signer'),
        /the image of notary-sign would become/,
      ],
      'a digest that is none': [
        (pod) => (container(pod, 'mesh').image = 'mesh:1@sha256:x'),
        /the image of mesh would become mesh:1@sha256:x/,
      ],
      'an image taken off': [
        (pod) => delete container(pod, 'build').image,
        /the image of build would become undefined/,
      ],
      'the signer starved': [
        (pod) => (container(pod, SIGNER).resources = { limits: { cpu: '1m', memory: '1Mi' } }),
        /the resources of notary-sign would be changed/,
      ],
      'called unsigned': [
        (pod) => Object.assign(pod.metadata.annotations ?? {}, { [`${P}skipped`]: 'x' }),
        /annotation notary.kpack.io\/skipped belongs to kpack-notary/,
      ],
      'our mark taken off': [
        (pod) => delete pod.metadata.annotations?.[`${P}injected`],
        /annotation notary.kpack.io\/injected belongs to kpack-notary/,
      ],
      'all annotations taken off': [
        (pod) => delete pod.metadata.annotations,
        /annotation notary.kpack.io\/injected belongs to kpack-notary/,
      ],
      'our mark changed': [
        (pod) => annotate({ ...buildFixture(name), pod }, { [`${P}injected`]: '0.0.0' }),
        /annotation notary.kpack.io\/injected belongs to kpack-notary/,
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
      'a digest beside the same tag': (pod) =>
        (container(pod, 'mesh').image = `mesh:1@sha256:${'ab'.repeat(32)}`),
      'what another container may use': (pod) =>
        (container(pod, 'mesh').resources = { limits: { cpu: '1m' } }),
      'another label': (pod) => Object.assign(pod.metadata.labels ?? {}, { team: 'x' }),
      'nothing at all': () => undefined,
    };
    for (const [what, change] of Object.entries(allowed)) {
      t.equal(verdictOf(await update(injected, change)), 'allowed', what);
    }
  });

  t.test(`${name}: no ephemeral container reaches the key`, async (t) => {
    const given = buildFixture(name);
    given.serviceAccount.secrets = [{ name: 'notary-creds' }];
    given.secrets.push(secret('notary-creds', {}, { 'kpack.io/notary.v1': URL }));
    const injected = await inject(given);
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
      'it is to see the whole node, under Windows': [
        { securityContext: { windowsOptions: { hostProcess: true } } },
        /ephemeral container debug is privileged/,
      ],
      'it has an unmasked /proc': [
        { securityContext: { procMount: 'Unmasked' } },
        /ephemeral container debug has an unmasked \/proc/,
      ],
      ...Object.fromEntries(
        ['SYS_ADMIN', 'DAC_READ_SEARCH', 'cap_sys_admin', 'CAP_SYS_MODULE', 'ALL'].map((name) => [
          `it has the capability ${name}`,
          [
            { securityContext: { capabilities: { add: ['NET_ADMIN', name] } } },
            /ephemeral container debug has the capability [A-Z_]+, and so reaches all/,
          ] as const,
        ]),
      ),
      'it looks into the processes of a step': [
        {
          targetContainerName: 'completion',
          securityContext: { capabilities: { add: ['SYS_PTRACE'] } },
        },
        /ephemeral container debug has the capability SYS_PTRACE, and sees/,
      ],
      'it has a variable made of the credentials': [
        {
          env: [
            { name: 'X', valueFrom: { secretKeyRef: { name: 'notary-creds', key: 'password' } } },
          ],
        },
        /debug takes variables from Secret notary-creds/,
      ],
      'it mounts the volume of the credentials': [
        { volumeMounts: [{ name: 'notary-sign-credentials-0', mountPath: '/c' }] },
        /ephemeral container debug mounts volume notary-sign-credentials-0/,
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
      volumeMounts: [{ name: 'layers-dir', mountPath: '/l' }],
      env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'other', key: 'x' } } }],
    };
    t.equal(verdictOf(await attach(injected, harmless)), 'allowed');
    // As kubectl debug gives them, by its profiles general and netadmin.
    for (const add of [['SYS_PTRACE'], ['NET_ADMIN', 'NET_RAW']]) {
      const debug = { securityContext: { capabilities: { add } } };
      t.equal(verdictOf(await attach(injected, debug)), 'allowed', add.join());
    }
  });

  t.test(`${name}: no ephemeral container reaches what decides what is signed`, async (t) => {
    const injected = await inject(buildFixture(name));
    const volumes = ['report-dir', ...(name.includes('07b') ? ['build-wait-dir'] : [])];
    for (const volume of volumes) {
      for (const way of [
        { volumeMounts: [{ name: volume, mountPath: '/x' }] },
        { volumeMounts: [{ name: volume, mountPath: '/x', readOnly: true }] },
        { volumeDevices: [{ name: volume, devicePath: '/dev/x' }] },
      ]) {
        const response = await attach(injected, way);
        t.equal(verdictOf(response), '422 POD_CHANGE_REFUSED', volume);
        t.match(response.status?.message, `debug mounts volume ${volume}, which decides`);
      }
    }
  });

  t.test(`${name}: an ephemeral container that got in does not hold up the build`, async (t) => {
    const attached = changed(await inject(buildFixture(name)), ({ spec }) => {
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
  const given = buildFixture();
  annotate(given, { [`${P}signing`]: 'disabled' });
  const skipped = await inject(given);
  const off = await update(skipped, (pod) => delete pod.metadata.annotations?.[`${P}skipped`]);
  t.equal(verdictOf(off), '422 POD_CHANGE_REFUSED');
  t.equal(verdictOf(await attach(skipped, { targetContainerName: 'completion' })), 'allowed');

  const plain = buildFixture().pod;
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

t.test(
  'a key of the Namespace stays out of reach where the Image has its own or none',
  async (t) => {
    const name = 'admin-key';
    for (const annotations of [{}, { [`${P}signing`]: 'disabled' }, DEVELOPER]) {
      const given = unconfiguredBuild(ADMIN);
      annotate(given, annotations);
      const pod = await inject(given);
      for (const debug of [
        { env: [{ name: 'X', valueFrom: { secretKeyRef: { name, key: 'root.key' } } }] },
        { envFrom: [{ secretRef: { name } }] },
      ]) {
        t.equal(verdictOf(await attach(pod, debug)), '422 SECRET_EXPOSED');
      }
      const harmless = { env: [{ name: 'X', value: 'x' }], envFrom: [{ configMapRef: { name } }] };
      t.equal(verdictOf(await attach(pod, harmless)), 'allowed');
    }
  },
);

t.test('mutate has nothing to say to updates, and nobody to other subresources', async (t) => {
  const injected = await inject(buildFixture());
  const swapped = changed(injected, (pod) => (container(pod, SIGNER).image = 'evil'));
  const options = { operation: 'UPDATE', oldObject: injected } as const;
  t.equal(verdictOf(await ask('mutate', swapped, nothing, options)), 'allowed');
  for (const subResource of ['status', 'binding', 'eviction']) {
    const response = await ask('validate', swapped, nothing, { ...options, subResource });
    t.equal(verdictOf(response), 'allowed', subResource);
  }
});

t.test('a pod that shares its processes lets nobody look into them', async (t) => {
  const injected = changed(
    await inject(buildFixture()),
    ({ spec }) => (spec.shareProcessNamespace = true),
  );
  const debug = { securityContext: { capabilities: { add: ['CAP_SYS_PTRACE'] } } };
  t.equal(verdictOf(await attach(injected, debug)), '422 SECRET_EXPOSED');
});

t.test('docker Secrets that the signer mounts are as closed as its own', async (t) => {
  const injected = await inject(buildFixture('v0.17.2/02b-notary-registry-secrets'));
  const { volumeMounts = [] } = container(injected, SIGNER);
  const docker = volumeMounts.filter(({ mountPath }) =>
    mountPath.startsWith('/var/build-secrets/'),
  );
  t.ok(docker.length > 0);
  for (const { name } of docker) {
    const response = await attach(injected, { volumeMounts: [{ name, mountPath: '/x' }] });
    t.equal(verdictOf(response), '422 SECRET_EXPOSED', name);
  }
});

t.test('a change of the resources of a running pod is judged like any other', async (t) => {
  const injected = await inject(buildFixture('v0.17.2/07b-standard-containers-notary'));
  const resize = (step: string) =>
    update(
      injected,
      (pod) => (container(pod, step).resources = { limits: { cpu: '1m', memory: '1Mi' } }),
      'resize',
    );
  t.equal(verdictOf(await resize(SIGNER)), '422 POD_CHANGE_REFUSED');
  t.equal(verdictOf(await resize('build')), 'allowed', 'a step may be given more or less');
});

t.test('pods of the cluster and of its system are never touched', async (t) => {
  const given = buildFixture();
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
  const pod = await inject(buildFixture());
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
    const verdict = await routeReview('validate', { ...request, object, oldObject }, settings);
    t.equal(verdict.code, 'NOT_OURS');
  }
});

t.test('whatever an image becomes, it is refused, unless its digest is said', async (t) => {
  const digests = fc.stringMatching(/^[0-9a-f]{60,68}$/);
  const pods = await Promise.all(NAMES.map((name) => inject(buildFixture(name))));
  const images = fc
    .constantFrom('registry.example.com/x', 'registry.example.com/x:1')
    .chain((from) =>
      fc.record({
        from: fc.constant(from),
        to: fc.oneof(
          fc.string(),
          fc.string().map((text) => from + text),
          digests.map((digest) => `${from}@sha256:${digest}`),
          fc.constantFrom(from, `${from}:latest`, 'registry.example.com/x:2'),
        ),
      }),
    );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...pods), fc.nat(20), images, async (pod, i, { from, to }) => {
      const { name = '' } = allContainers(pod)[i % allContainers(pod).length] ?? {};
      const before = changed(pod, (copy) => (container(copy, name).image = from));
      const answer = await update(before, (copy) => (container(copy, name).image = to));
      const added = to.startsWith(from) ? to.slice(from.length) : 'another';
      const isSame = added === '' || /^@sha256:[0-9a-f]{64}$/.test(added);
      const wanted = isSame ? 'allowed' : '422 POD_CHANGE_REFUSED';
      if (verdictOf(answer) !== wanted) throw new Error(`${to}: ${verdictOf(answer)}`);
    }),
    runs(500),
  );
  t.pass('refused');
});

const MIRROR = { 'kubernetes.io/config.mirror': 'b1946ac92492d2347c6235b4d2611184' };
const NO_PLACEMENT = { image: 'x', cpu: '1', memory: '1' };
