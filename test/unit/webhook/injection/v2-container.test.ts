import t from 'tap';
import { readFlags } from '../../../../src/shared/flags.ts';
import { SIGNER_FLAGS } from '../../../../src/shared/signer-flags.ts';
import {
  ADMIN_V2,
  annotate,
  buildFixture,
  changed,
  DEVELOPER_V2,
  P,
  type PodManifest,
  signingNamespace,
  unconfiguredBuild,
} from '../../../support/build-fixture.ts';
import {
  ask,
  inject,
  memoryCluster,
  mutate,
  validate,
  verdictOf,
} from '../../../support/asking.ts';
import { withoutOurs, waitingForOurs } from '../../../support/pod-changes.ts';
import { restrictedViolations } from '../../../support/pod-rules.ts';
import { container, mountAt, SIGNER, signerFlags, volume } from '../../../support/pod.ts';
import { signableFixtures, signableBuild } from '../../../support/signable.ts';

const EVERYTHING = {
  ...ADMIN_V2,
  [`${P}v2.registryCaSecretRef`]: 'admin-registry-ca',
  [`${P}v2.on-failure`]: 'fail',
};

for (const name of signableFixtures) {
  t.test(`${name} is signed with v2 as well`, async (t) => {
    const given = signableBuild(name);
    Object.assign((given.namespace.metadata.annotations ??= {}), EVERYTHING);
    const pod = await inject(given);
    const signer = container(pod, SIGNER);
    const flags = signerFlags(pod);
    t.same(readFlags(SIGNER_FLAGS, signer.args ?? [], {}).problems, [], 'flags the signer knows');
    const heldAt = (path = '') => {
      const mount = mountAt(signer, path);
      t.equal(mount?.readOnly, true);
      return volume(pod, mount?.name ?? '').secret?.secretName;
    };
    t.equal(heldAt(flags['v2-key-dir']?.[0]), 'admin-v2-key');
    const directoryOf = (flag: string) => {
      t.equal(flags[flag]?.length, 1);
      t.match(flags[flag]?.[0], /\/ca\.crt$/);
      return flags[flag]?.[0]?.replace(/\/ca\.crt$/, '');
    };
    t.equal(heldAt(directoryOf('v2-timestamp-ca-file')), 'admin-timestamp-ca');
    t.equal(heldAt(directoryOf('registry-ca-file')), 'admin-registry-ca');
    t.same(flags['v2-timestamp-url'], ['https://timestamp.admin.example.com']);
    t.same(flags['v2-expiry'], ['720h']);
    t.same(flags['v2-on-failure'], ['fail']);
    t.same(restrictedViolations(pod, signer), [], 'Pod Security restricted');
    t.strictSame(withoutOurs(pod), waitingForOurs(given.pod), 'all else is as it was');
    t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'and not twice');
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  });
}

t.test('v2 alone has the docker Secrets of the registry, and no credentials of v1', async (t) => {
  const given = buildFixture(
    'v0.17.2/02b-notary-registry-secrets',
    signingNamespace('enabled', ADMIN_V2),
  );
  const both = await inject(given);
  t.equal(signerFlags(both)['notary-credentials']?.length, 1);
  delete given.build.spec['notary'];
  delete given.image?.spec['notary'];
  const alone = await inject(given);
  const flags = signerFlags(alone);
  t.notOk(flags['notary-credentials']);
  t.same(flags['registry-credentials'], signerFlags(both)['registry-credentials']);
  t.ok((flags['registry-credentials']?.length ?? 0) > 2);
  t.same(
    (alone.spec.volumes ?? []).map((each) => each.name).filter((name) => /^notary-sign/.test(name)),
    ['notary-sign-v2-key', 'notary-sign-v2-timestamp-ca', 'notary-sign-no-token'],
  );
});

t.test('the Secrets of v2 can be read by the group of the pod, or by all', async (t) => {
  for (const [fsGroup, mode] of [
    [1000, 0o440],
    [undefined, 0o444],
  ] as const) {
    const given = unconfiguredBuild(EVERYTHING);
    given.pod.spec.securityContext = { ...(fsGroup !== undefined && { fsGroup }) };
    const pod = await inject(given);
    for (const name of ['v2-key', 'v2-timestamp-ca', 'registry-ca']) {
      const { secret } = volume(pod, `notary-sign-${name}`);
      t.equal(secret?.defaultMode, mode, `${name}, fsGroup ${fsGroup}`);
      t.equal(secret?.items, undefined);
    }
  }
});

t.test('a volume of ours that somebody else made is a collision', async (t) => {
  const given = unconfiguredBuild(EVERYTHING);
  for (const name of ['v2-key', 'v2-timestamp-ca', 'registry-ca'].map(
    (it) => `notary-sign-${it}`,
  )) {
    const pod = changed(given.pod, ({ spec }) => spec.volumes?.push({ name, emptyDir: {} }));
    const response = await mutate(given, { pod });
    t.equal(verdictOf(response), '422 POD_COLLISION', name);
    t.match(response.status?.message, `a volume named ${name}`);
  }
});

t.test('the mark names the settings of v2: each of them changes it, and no replica', async (t) => {
  const markOf = async (annotations: Record<string, string>) =>
    (await inject(unconfiguredBuild(annotations))).metadata.annotations?.[`${P}injected`];
  const mark = await markOf(EVERYTHING);
  t.equal(await markOf(Object.fromEntries(Object.entries(EVERYTHING).reverse())), mark);
  const seen = new Set([mark]);
  for (const [name, value] of [
    ['secretRef', 'x'],
    ['timestampUrl', 'http://x.example.com'],
    ['timestampCaSecretRef', 'x'],
    ['expiry', '1h'],
    ['registryCaSecretRef', 'x'],
  ] as const) {
    seen.add(await markOf({ ...EVERYTHING, [`${P}v2.${name}`]: value }));
  }
  t.equal(seen.size, 6);
});

t.test('a pod whose settings changed on its way is posted again', async (t) => {
  const given = unconfiguredBuild(ADMIN_V2);
  const injected = await inject(given);
  for (const [what, annotations] of [
    ['v2 was turned off', {}],
    ['another key', { ...ADMIN_V2, [`${P}v2.secretRef`]: 'other' }],
    ['another expiry', { ...ADMIN_V2, [`${P}v2.expiry`]: '1h' }],
  ] as const) {
    const later = { ...given, namespace: signingNamespace('enabled', annotations) };
    t.equal(verdictOf(await validate(later, injected)), '503 SIGNER_DIFFERS', what);
  }
  const tampered = changed(injected, (pod) => {
    const signer = container(pod, SIGNER);
    signer.args = signer.args?.filter((arg) => !arg.startsWith('--v2-timestamp')) ?? [];
  });
  t.equal(
    verdictOf(await validate(given, tampered)),
    '422 SIGNER_TAMPERED',
    'not where it did not',
  );
});

/** Changes of a pod with ephemeral containers are judged without a cluster. */
const attach = (before: PodManifest, volumeName: string) =>
  ask(
    'validate',
    changed(before, ({ spec }) => {
      const volumeMounts = [{ name: volumeName, mountPath: '/x' }];
      spec.ephemeralContainers = [{ name: 'debug', image: 'x', volumeMounts }];
    }),
    memoryCluster([]),
    {
      operation: 'UPDATE',
      oldObject: before,
      username: 'developer',
      subResource: 'ephemeralcontainers',
    },
  );

t.test('an ephemeral container reaches a CA, and no key', async (t) => {
  const pod = await inject(unconfiguredBuild(EVERYTHING));
  const refused = await attach(pod, 'notary-sign-v2-key');
  t.equal(verdictOf(refused), '422 SECRET_EXPOSED');
  t.match(refused.status?.message, /debug mounts volume notary-sign-v2-key/);
  for (const name of ['notary-sign-v2-timestamp-ca', 'notary-sign-registry-ca']) {
    t.equal(verdictOf(await attach(pod, name)), 'allowed', name);
  }
});

t.test('a CA whose Secret holds a key or credentials as well is no public one', async (t) => {
  const volumesOf: Record<string, string> = {
    'v1.caSecretRef': 'notary-sign-ca',
    'v2.timestampCaSecretRef': 'notary-sign-v2-timestamp-ca',
    'v2.registryCaSecretRef': 'notary-sign-registry-ca',
  };
  for (const [field, volumeName] of Object.entries(volumesOf)) {
    for (const shared of ['developer-v2-key', 'notary-signing', 'notary-creds', 'registry-creds']) {
      const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
      annotate(given, { ...DEVELOPER_V2, [P + field]: shared });
      const pod = await inject(given);
      const refused = await attach(pod, volumeName);
      t.equal(verdictOf(refused), '422 SECRET_EXPOSED', `${field}: ${shared}`);
    }
    const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
    annotate(given, { ...DEVELOPER_V2, [P + field]: 'a-ca' });
    t.equal(verdictOf(await attach(await inject(given), volumeName)), 'allowed', field);
  }
});
