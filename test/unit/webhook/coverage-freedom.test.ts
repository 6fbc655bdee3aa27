import t from 'tap';
import { buildFixture, changed, type PodManifest } from '../../support/build-fixture.ts';
import { inject, mutate, validate, verdictOf } from '../../support/asking.ts';
import { container, loosen, SIGNER, volume } from '../../support/pod.ts';

t.test('other plug-ins may add variables and mounts to the signing container', async (t) => {
  const given = buildFixture();
  const pod = changed(await inject(given), (pod) => {
    const signer = container(pod, SIGNER);
    signer.env = [
      { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' },
      // As agents and meshes name where a container runs.
      { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      { name: 'NODE_ENV', value: 'production' },
    ];
    signer.envFrom = [];
    signer.volumeMounts?.unshift({ name: 'mesh', mountPath: '/var/run/mesh' });
    signer.imagePullPolicy = 'Always';
  });
  t.equal(verdictOf(await validate(given, pod)), 'allowed');
});

t.test('other plug-ins may confine the signing container further', async (t) => {
  const given = buildFixture('v0.17.2/05b-rebase-notary');
  const injected = await inject(given);
  t.equal(volume(injected, 'notary-sign-key').secret?.defaultMode, 0o444);
  const changes: Record<string, (pod: PodManifest) => void> = {
    'a user of the namespace': (pod) => loosen(container(pod, SIGNER), { runAsUser: 1000650000 }),
    'names of capabilities beside all': (pod) => {
      loosen(container(pod, SIGNER), { capabilities: { drop: ['ALL', 'KILL', 'MKNOD'] } });
    },
    'a label of the node': (pod) =>
      loosen(container(pod, SIGNER), { seLinuxOptions: { level: 's0:c26,c5' } }),
    'a user for the whole pod': (pod) => (pod.spec.securityContext = { runAsUser: 1000 }),
    'a group for all volumes': (pod) => (pod.spec.securityContext = { fsGroup: 1337 }),
  };
  for (const [what, change] of Object.entries(changes)) {
    const pod = changed(injected, change);
    t.equal(verdictOf(await mutate(given, { pod })), 'allowed', what);
    t.equal(verdictOf(await validate(given, pod)), 'allowed', what);
  }
});

t.test('what a container may use is for the cluster to say', async (t) => {
  const given = buildFixture();
  container(given.pod, 'export').resources = { requests: { cpu: '1000m' }, limits: { cpu: '2.0' } };
  const injected = await inject(given);
  for (const resources of [
    { requests: { cpu: '1', memory: '0.125Gi' }, limits: { cpu: '2', memory: '4Gi' } },
    { requests: { cpu: '10m' } },
    {},
  ]) {
    const pod = changed(injected, (pod) => (container(pod, SIGNER).resources = resources));
    t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  }
  const later = changed(injected, (pod) => {
    container(pod, 'export').resources = { requests: { cpu: '3' }, limits: { cpu: '4' } };
  });
  t.equal(verdictOf(await validate(given, later)), 'allowed', 'nor is the step compared');
});

t.test('the image may come from elsewhere, as long as its digest is ours', async (t) => {
  const given = buildFixture();
  const injected = await inject(given);
  const { image = '' } = container(injected, SIGNER);
  const digest = image.slice(image.indexOf('@'));
  t.match(digest, /^@sha256:/);
  const from = (image: string) =>
    changed(injected, (pod) => (container(pod, SIGNER).image = image));
  const mirrored = from(`mirror.example.com/cache/signer:1${digest}`);
  t.equal(verdictOf(await mutate(given, { pod: mirrored })), 'allowed');
  t.equal(verdictOf(await validate(given, mirrored)), 'allowed');
  for (const image of [
    `mirror.example.com/cache/signer@sha256:${'f0'.repeat(32)}`,
    'mirror.example.com/cache/signer:1',
  ]) {
    t.equal(verdictOf(await validate(given, from(image))), '422 SIGNER_TAMPERED', image);
  }
  const placement = { image: 'registry.example.com/signer:1', cpu: '1', memory: '1' };
  const tagged = await inject(given, { settings: { placement } });
  const renamed = changed(tagged, (pod) => (container(pod, SIGNER).image = 'mirror/signer:1'));
  const refused = await validate(given, renamed, { settings: { placement } });
  t.equal(verdictOf(refused), '422 SIGNER_TAMPERED', 'without a digest nobody can tell');
  t.match(refused.status?.message, /Fix: .*--signer-image has a digest/);
  const pinned = `registry.example.com/signer:1@sha256:${'f0'.repeat(32)}`;
  const resolved = changed(tagged, (pod) => (container(pod, SIGNER).image = pinned));
  t.equal(
    verdictOf(await validate(given, resolved, { settings: { placement } })),
    'allowed',
    'a digest beside the tag is no other image',
  );
  for (const image of [`${pinned}0`, pinned.replace(':1@', ':2@'), pinned.slice(0, -1)]) {
    const other = changed(tagged, (pod) => (container(pod, SIGNER).image = image));
    const answer = await validate(given, other, { settings: { placement } });
    t.equal(verdictOf(answer), '422 SIGNER_TAMPERED', image);
  }
});
