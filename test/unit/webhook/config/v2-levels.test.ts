import fc from 'fast-check';
import t from 'tap';
import { resolveNotaryConfig } from '../../../../src/webhook/config/notary-config.ts';
import { readNotarySection } from '../../../../src/webhook/config/notary-section.ts';
import {
  ADMIN,
  ADMIN_V2,
  annotate,
  buildFixture,
  DEVELOPER,
  DEVELOPER_V2,
  P,
  PIN,
  setSection,
  signingNamespace,
  unconfiguredBuild,
  URL,
  type PodManifest,
} from '../../../support/build-fixture.ts';
import {
  ask,
  inject,
  memoryCluster,
  mutate,
  refusedBy,
  validate,
  verdictOf,
} from '../../../support/asking.ts';
import { allContainers, container, keyOf, signerFlags, v2KeyOf } from '../../../support/pod.ts';
import { runs } from '../../../support/runs.ts';

const V1_FLAGS = ['notary-url', 'key-dir', 'ca-file', 'root-pin', 'notary-credentials'];
const V2_FLAGS = ['v2-key-dir', 'v2-timestamp-url', 'v2-timestamp-ca-file', 'v2-expiry'];
const OWN_KEY = { [`${P}v2.secretRef`]: 'developer-v2-key' };
const ADMINS_KEY = { [`${P}v2.secretRef`]: 'admin-v2-key' };

const flagsAmong = (pod: PodManifest, names: readonly string[]) =>
  Object.keys(signerFlags(pod)).filter((name) => names.includes(name));

/** What the pod says about the settings of v2. */
function v2Of(pod: PodManifest) {
  const flags = signerFlags(pod);
  const held = (name: string) =>
    pod.spec.volumes?.find((volume) => volume.name === name)?.secret?.secretName;
  return {
    secret: v2KeyOf(pod),
    url: flags['v2-timestamp-url']?.at(-1),
    ca: held('notary-sign-v2-timestamp-ca'),
    expiry: flags['v2-expiry']?.at(-1),
  };
}

const ADMINS = {
  secret: 'admin-v2-key',
  url: 'https://timestamp.admin.example.com',
  ca: 'admin-timestamp-ca',
  expiry: '720h',
};
const DEVELOPERS = {
  secret: 'developer-v2-key',
  url: 'http://timestamp.developer.example.com',
  ca: 'developer-timestamp-ca',
  expiry: undefined,
};

t.test('v1 and v2 are two units: those that are set are signed with', async (t) => {
  await t.test('v2 alone', async (t) => {
    for (const [what, given] of [
      ['of the Namespace', unconfiguredBuild(ADMIN_V2)],
      ['of the Image', unconfiguredBuild()],
    ] as const) {
      if (what === 'of the Image') annotate(given, ADMIN_V2);
      const pod = await inject(given);
      t.same(v2Of(pod), ADMINS, what);
      t.same(flagsAmong(pod, V1_FLAGS), []);
      t.equal(keyOf(pod), undefined);
      t.equal(verdictOf(await validate(given, pod)), 'allowed');
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'once is enough');
    }
  });
  await t.test('v1 alone', async (t) => {
    const pod = await inject(unconfiguredBuild(ADMIN));
    t.same(flagsAmong(pod, [...V2_FLAGS, 'v2-on-failure', 'registry-ca-file']), []);
    t.equal(v2KeyOf(pod), undefined);
  });
  await t.test("the Namespace's v2 beside v1 of the Image", async (t) => {
    const given = unconfiguredBuild(ADMIN_V2);
    annotate(given, DEVELOPER);
    const pod = await inject(given);
    t.equal(keyOf(pod), 'developer-key');
    t.same(v2Of(pod), ADMINS);
  });
  await t.test("the Namespace's v1 beside v2 of the Image", async (t) => {
    const given = unconfiguredBuild(ADMIN);
    annotate(given, DEVELOPER_V2);
    const pod = await inject(given);
    t.equal(keyOf(pod), 'admin-key');
    t.same(v2Of(pod), DEVELOPERS);
  });
  await t.test("the Namespace's v2 beside spec.notary, whose own signer goes", async (t) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('enabled', ADMIN_V2));
    const pod = await inject(given);
    t.equal(keyOf(pod), 'notary-signing');
    t.same(signerFlags(pod)['notary-url'], [URL]);
    t.same(v2Of(pod), ADMINS);
    t.notMatch(JSON.stringify(container(pod, 'completion').args ?? []), /notary-v1-url/);
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  });
});

t.test('v2 is taken whole from the first level that sets it', async (t) => {
  await t.test("the Image's own replaces the Namespace's", async (t) => {
    const given = unconfiguredBuild(ADMIN_V2);
    annotate(given, DEVELOPER_V2);
    t.same(v2Of(await inject(given)), DEVELOPERS, 'the expiry is not inherited');
  });
  await t.test("who names the Namespace's Secret has what goes with it", async (t) => {
    for (const own of [ADMINS_KEY, { ...ADMINS_KEY, [`${P}v2.expiry`]: '43200m' }, ADMIN_V2]) {
      const given = unconfiguredBuild(ADMIN_V2);
      annotate(given, own);
      t.same(v2Of(await inject(given)), ADMINS, JSON.stringify(own));
    }
  });
  await t.test('and nothing beside it', async (t) => {
    for (const [admin, own, field] of [
      [ADMINS_KEY, { ...DEVELOPER_V2, ...ADMINS_KEY }, 'v2.timestampUrl'],
      [ADMINS_KEY, { ...ADMINS_KEY, [`${P}v2.expiry`]: '1h' }, 'v2.expiry'],
    ] as const) {
      const given = unconfiguredBuild(admin);
      annotate(given, own);
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      t.ok(message.includes(`[${P}${field}] of Image app`));
      t.match(message, 'expected no such annotation, as the Namespace apps has it with its Secret');
    }
  });
  await t.test('the CA of the registry belongs to no unit', async (t) => {
    const ca = (name: string) => ({ [`${P}v2.registryCaSecretRef`]: name });
    for (const [admin, own, expected] of [
      [{ ...ADMIN_V2, ...ca('admin-ca') }, {}, 'admin-ca'],
      [ca('admin-ca'), OWN_KEY, 'admin-ca'],
      [ca('admin-ca'), { ...OWN_KEY, ...ca('own-ca') }, 'own-ca'],
      [ADMIN_V2, ca('own-ca'), 'own-ca'],
      [{ ...ADMIN, ...ca('admin-ca') }, {}, 'admin-ca'],
      [ADMIN_V2, {}, undefined],
    ] as const) {
      const given = unconfiguredBuild(admin);
      annotate(given, own);
      const pod = await inject(given);
      const held = pod.spec.volumes?.find(({ name }) => name === 'notary-sign-registry-ca');
      t.equal(held?.secret?.secretName, expected);
      const files = expected === undefined ? undefined : ['/var/notary-sign/registry-ca/ca.crt'];
      t.same(signerFlags(pod)['registry-ca-file'], files);
    }
    const alone = unconfiguredBuild(ca('admin-ca'));
    const pod = await inject(alone);
    t.notOk(
      allContainers(pod).some(({ name }) => name === 'notary-sign'),
      'it signs nothing',
    );
  });
});

t.test('what a failure of v2 does', async (t) => {
  const setting = (value?: string) => (value === undefined ? {} : { [`${P}v2.on-failure`]: value });
  for (const [admin, own, expected, isTold] of [
    [undefined, undefined, 'fail', false],
    [undefined, 'warn', 'warn', false],
    ['fail', 'warn', 'fail', true],
    ['fail', undefined, 'fail', false],
    ['warn', undefined, 'warn', false],
    ['warn', 'fail', 'fail', false],
    ['warn', 'warn', 'warn', false],
  ] as const) {
    for (const key of [ADMINS_KEY, OWN_KEY]) {
      const given = unconfiguredBuild({ ...ADMIN, ...ADMINS_KEY, ...setting(admin) });
      annotate(given, { ...key, ...setting(own) });
      const what = `Namespace ${admin}, Image ${own}`;
      t.same(signerFlags(await inject(given))['v2-on-failure'], [expected], what);
      const { warnings = [] } = await mutate(given);
      t.equal(
        warnings.some((text) => /v2\.on-failure: warn has no effect, as the Namesp/.test(text)),
        isTold,
        what,
      );
    }
  }
  await t.test('without v1 it fails, and on-failure says what that does', async (t) => {
    const given = unconfiguredBuild({ ...ADMINS_KEY, ...setting('warn') });
    t.same(signerFlags(await inject(given))['v2-on-failure'], ['fail']);
    const { warnings } = await mutate(given);
    t.match(warnings, [/v2\.on-failure: warn has no effect, as nothing signs with v1 here/]);
    annotate(given, { [`${P}on-failure`]: 'warn' });
    t.same(signerFlags(await inject(given))['on-failure'], ['warn']);
  });
});

t.test('root pins without v1 are said to be of no use', async (t) => {
  const given = unconfiguredBuild(ADMIN_V2);
  annotate(given, { [`${P}v1.rootPin`]: PIN });
  t.match((await mutate(given)).warnings, [/v1\.rootPin has no effect, as nothing signs with v1/]);
});

t.test('where v2 is read', async (t) => {
  await t.test('a Build that has it: the Build, as it was made', async (t) => {
    const given = unconfiguredBuild();
    annotate(given, DEVELOPER_V2);
    Object.assign(given.image?.metadata ?? {}, { annotations: ADMIN_V2 });
    t.same(v2Of(await inject(given)), DEVELOPERS);
  });
  await t.test('a Build with annotations alone, as kpack 0.1 makes it: the Image', async (t) => {
    const given = buildFixture();
    annotate(given, DEVELOPER_V2);
    delete given.build.spec['notary'];
    const pod = await inject(given);
    t.equal(keyOf(pod), 'notary-signing', 'the section is not lost');
    t.same(v2Of(pod), DEVELOPERS);
  });
  await t.test('what the pod says itself is not read', async (t) => {
    const given = unconfiguredBuild(ADMIN_V2);
    given.pod.metadata.annotations = { ...given.pod.metadata.annotations, ...DEVELOPER_V2 };
    t.same(v2Of(await inject(given)), ADMINS);
  });
});

t.test('an Image opts out of both', async (t) => {
  const given = unconfiguredBuild({ ...ADMIN, ...ADMIN_V2 });
  annotate(given, { [`${P}signing`]: 'disabled' });
  const pod = await inject(given);
  t.match(pod.metadata.annotations?.[`${P}skipped`], /signing: disabled on the Image/);
  t.equal(v2KeyOf(pod), undefined);
  annotate(given, DEVELOPER_V2);
  const written = await ask('validate', given.image ?? {}, memoryCluster([given.namespace]), {
    username: 'developer',
  });
  t.match(written.warnings, [
    /signing: disabled leaves this Image unsigned, whatever else it says/,
  ]);
});

t.test('a malformed part of v2 refuses the build, whatever of v1 is right', async (t) => {
  const given = unconfiguredBuild(ADMIN);
  annotate(given, { [`${P}v2.expiry`]: '8760h' });
  t.equal(verdictOf(await mutate(given)), '422 NOTARY_CONFIG_INVALID');
  const sectioned = buildFixture();
  setSection(sectioned, { v1: { url: URL, secretRef: { name: 'x' } }, v2: {} });
  const { status } = await mutate(sectioned);
  t.match(status?.message, 'v2.secretRef on the Namespace, or on an Image without spec.notary');
});

t.test('what an admin demands of v2 is kept, whatever an Image says', async (t) => {
  const secrets = ['admin-v2-key', 'admin-key', 'own-key', 'own-ca', 'admin-ca'];
  const maybe = <Value>(value: fc.Arbitrary<Value>) =>
    fc.option(value, { nil: undefined, freq: 2 });
  const named = fc.constantFrom(...secrets);
  const unit = fc
    .record({
      secretRef: maybe(named),
      stamp: maybe(
        fc.tuple(fc.constantFrom('http://a.example.com', 'http://b.example.com'), named),
      ),
      expiry: maybe(fc.constantFrom('1h', '60m', '2h')),
      'on-failure': maybe(fc.constantFrom('fail', 'warn')),
      registryCaSecretRef: maybe(named),
    })
    .map(({ secretRef, stamp, registryCaSecretRef, ...others }) => ({
      registryCaSecretRef,
      secretRef,
      timestampUrl: secretRef && stamp?.[0],
      timestampCaSecretRef: secretRef && stamp?.[1],
      expiry: secretRef && others.expiry,
      'on-failure': secretRef && others['on-failure'],
    }));
  const annotationsOf = (members: Readonly<Record<string, string | undefined>>) =>
    Object.fromEntries(
      Object.entries(members)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [`${P}v2.${name}`, value]),
    );
  const seen: string[] = [];
  fc.assert(
    fc.property(unit, unit, fc.boolean(), (admin, own, hasV1) => {
      const namespace = {
        name: 'apps',
        annotations: { ...annotationsOf(admin), ...(hasV1 && ADMIN) },
      };
      const image = { name: 'app', annotations: annotationsOf(own) };
      const resolved = resolveNotaryConfig(
        readNotarySection('Image', { metadata: image }),
        readNotarySection('Namespace', { metadata: namespace }),
      );
      seen.push(resolved.kind);
      if (resolved.kind !== 'config') return true;
      const { v1, v2, registryCaSecretName } = resolved.config;
      if (admin.secretRef !== undefined && !v2) return false;
      if (admin.timestampUrl !== undefined && !v2?.timestamp) return false;
      if (admin['on-failure'] === 'fail' && v2?.onFailure !== 'fail') return false;
      if (!v1 && v2.onFailure === 'warn') return false;
      if (v2 && v2.secretName === admin.secretRef) {
        const isAdmins =
          v2.timestamp?.url === admin.timestampUrl &&
          v2.timestamp?.caSecretName === admin.timestampCaSecretRef &&
          v2.expiry === admin.expiry;
        if (!isAdmins) return false;
      }
      // The admin's keys are nothing else than the admin made them.
      const keys = [admin.secretRef, ...(hasV1 ? ['admin-key'] : [])];
      return (
        (!keys.includes(v2?.secretName) || v2?.secretName === admin.secretRef) &&
        (!keys.includes(v2?.timestamp?.caSecretName) ||
          v2?.timestamp?.caSecretName === admin.timestampCaSecretRef) &&
        (registryCaSecretName === undefined ||
          !keys.includes(registryCaSecretName) ||
          registryCaSecretName === admin.registryCaSecretRef)
      );
    }),
    runs(3_000),
  );
  for (const kind of ['config', 'invalid', 'none']) {
    t.ok(seen.filter((each) => each === kind).length > 30, `${kind}, often enough`);
  }
});
