import t from 'tap';
import {
  ADMIN,
  annotate,
  buildFixture,
  DEVELOPER,
  OTHER_PIN,
  P,
  PIN,
  section,
  setSection,
  signingNamespace,
  unconfiguredBuild,
  URL,
} from '../../../support/build-fixture.ts';
import { inject, mutate, refusedBy } from '../../../support/asking.ts';
import { keyOf, signerFlags } from '../../../support/pod.ts';

t.test('url, Secret and CA are taken whole from the first level that sets them', async (t) => {
  await t.test('the section of the Build', async (t) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('enabled', ADMIN));
    given.namespace.metadata.annotations = { ...ADMIN, [`${P}v1.caSecretRef`]: 'admin-ca' };
    const pod = await inject(given);
    t.equal(keyOf(pod), 'notary-signing');
    t.same(signerFlags(pod)['notary-url'], [URL]);
    t.notOk(signerFlags(pod)['ca-file'], "not the admin's CA");
  });
  await t.test('annotations of Image and Build', async (t) => {
    const given = unconfiguredBuild(ADMIN);
    annotate(given, DEVELOPER);
    const pod = await inject(given);
    t.equal(keyOf(pod), 'developer-key');
    t.same(signerFlags(pod)['notary-url'], ['https://developer.example.com']);
  });
  await t.test('annotations of the Namespace', async (t) => {
    const given = unconfiguredBuild({ ...ADMIN, [`${P}v1.caSecretRef`]: 'admin-ca' });
    const pod = await inject(given);
    t.equal(keyOf(pod), 'admin-key');
    t.same(signerFlags(pod)['notary-url'], ['https://admin.example.com']);
    t.equal(signerFlags(pod)['ca-file']?.length, 1);
  });
  await t.test("a developer's url never meets the admin's key", async (t) => {
    const secretOnly = { [`${P}v1.secretRef`]: 'admin-key' };
    for (const namespace of [ADMIN, secretOnly]) {
      for (const own of [{ [`${P}v1.url`]: 'https://developer.example.com' }, {}]) {
        const given = unconfiguredBuild(namespace);
        annotate(given, own);
        if (Object.keys(own).length === 0) setSection(given, { v1: { url: URL } });
        await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      }
    }
  });
  await t.test("nor does the admin's key, named by a developer, sign for them", async (t) => {
    const ca = (name: string) => ({ [`${P}v1.caSecretRef`]: name });
    const key = { [`${P}v1.secretRef`]: 'admin-key' };
    const cases: readonly (readonly [object: string, notary: unknown, Record<string, string>])[] = [
      ['spec.notary.v1.url', section(DEVELOPER[`${P}v1.url`], { name: 'admin-key' }), {}],
      [`[${P}v1.url]`, undefined, { ...DEVELOPER, ...key }],
      [`[${P}v1.url]`, undefined, { ...DEVELOPER, ...ca('admin-key') }],
      [`[${P}v1.caSecretRef]`, undefined, { ...ADMIN, ...ca('developer-ca') }],
    ];
    for (const [field, notary, annotations] of cases) {
      const given = unconfiguredBuild(ADMIN);
      if (notary !== undefined) setSection(given, notary);
      annotate(given, annotations);
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      t.ok(message.includes(`${field} of Image app`), message);
      t.match(message, 'as the Namespace apps has it with its Secret admin-key');
    }
    const same = unconfiguredBuild({ ...ADMIN, ...ca('admin-ca') });
    annotate(same, ADMIN);
    t.equal(keyOf(await inject(same)), 'admin-key', 'who says what the admin says may');
    annotate(same, { [`${P}signing`]: 'disabled' });
    t.ok((await mutate(same)).allowed, 'also where it opts out');
    annotate(same, { ...DEVELOPER, ...key });
    await refusedBy(t, same, '422 NOTARY_CONFIG_INVALID');
  });
  await t.test("nor the admin's url a developer's CA", async (t) => {
    const given = unconfiguredBuild(ADMIN);
    annotate(given, { [`${P}v1.caSecretRef`]: 'developer-ca' });
    await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  });
});

t.test('what the admin sets on the Namespace is narrowed, never widened', async (t) => {
  const both = `${PIN},${OTHER_PIN}`;
  const cases: readonly (readonly [
    admin: string | undefined,
    own: string | undefined,
    pins: readonly string[] | undefined,
  ])[] = [
    [PIN, undefined, [PIN]],
    [undefined, PIN, [PIN]],
    [both, PIN, [PIN]],
    [both, undefined, [PIN, OTHER_PIN]],
    [PIN, both, [PIN]],
    [PIN, OTHER_PIN, undefined],
  ];
  for (const [admin, own, pins] of cases) {
    const pinned = (pin?: string) => (pin === undefined ? {} : { [`${P}v1.rootPin`]: pin });
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('enabled', pinned(admin)));
    annotate(given, pinned(own));
    if (pins) {
      t.same(signerFlags(await inject(given))['root-pin'], pins);
      t.notMatch((await mutate(given)).warnings?.join(), /root pin/);
    } else {
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      t.match(message, `expected one that the Namespace apps allows, for example ${PIN}`);
    }
  }

  for (const [admin, own, expected] of [
    [undefined, undefined, undefined],
    [undefined, 'warn', 'warn'],
    [undefined, 'fail', undefined],
    ['fail', 'warn', undefined],
    ['warn', undefined, 'warn'],
    ['warn', 'fail', undefined],
    ['warn', 'warn', 'warn'],
  ] as const) {
    const setting = (value?: string) => (value === undefined ? {} : { [`${P}on-failure`]: value });
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('enabled', setting(admin)));
    annotate(given, setting(own));
    const mode = signerFlags(await inject(given))['on-failure']?.at(-1) ?? 'fail';
    t.equal(mode, expected ?? 'fail', `Namespace ${admin}, Image ${own}`);
    const hasWarning = (await mutate(given)).warnings?.some((text) =>
      /warn has no effect/.test(text),
    );
    t.equal(hasWarning ?? false, `${admin} ${own}` === 'fail warn');
  }
});

t.test('where the section is read', async (t) => {
  await t.test('a Build without one whose Image has one: the Image', async (t) => {
    for (const version of ['v1alpha1', 'v1alpha2']) {
      const given = buildFixture();
      delete given.build.spec['notary'];
      for (const reference of (
        given.build.metadata as { ownerReferences?: { apiVersion: string }[] }
      ).ownerReferences ?? []) {
        reference.apiVersion = `kpack.io/${version}`;
      }
      t.equal(keyOf(await inject(given)), 'notary-signing', version);
    }
  });
  await t.test('a Build with settings alone, as kpack 0.1 makes it: the Image, too', async (t) => {
    const given = buildFixture();
    annotate(given, { [`${P}v1.rootPin`]: PIN });
    delete given.build.spec['notary'];
    const pod = await inject(given);
    t.equal(keyOf(pod), 'notary-signing');
    t.same(signerFlags(pod)['root-pin'], [PIN]);
  });
  await t.test('annotations of the Image count too', async (t) => {
    const given = unconfiguredBuild(ADMIN);
    Object.assign(given.image?.metadata ?? {}, { annotations: DEVELOPER });
    t.equal(keyOf(await inject(given)), 'developer-key');
    Object.assign(given.image?.metadata ?? {}, { annotations: { [`${P}signing`]: 'disabled' } });
    const pod = await inject(given);
    t.match(pod.metadata.annotations?.[`${P}skipped`], /signing: disabled on the Image/);
    Object.assign(given.image?.metadata ?? {}, { annotations: { [`${P}v1.ulr`]: 'x' } });
    t.match(await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID'), 'of Image app');
  });
  await t.test('a Build that has one: the Build, as it was made', async (t) => {
    const given = buildFixture();
    if (given.image) given.image.spec['notary'] = section('https://later.example.com');
    t.same(signerFlags(await inject(given))['notary-url'], [URL]);
    if (given.image) given.image.spec['notary'] = 'malformed since';
    t.same(signerFlags(await inject(given))['notary-url'], [URL]);
  });
  await t.test('a Build made by hand: its own', async (t) => {
    const given = buildFixture('v0.17.2/03d-build-many-tags-notary');
    t.equal(given.image, undefined);
    const pod = await inject(given);
    t.same(signerFlags(pod)['allow-tag'], given.build.spec['tags']);
    t.equal((given.build.spec['tags'] as string[]).length, 4);
  });
  await t.test('a Build made by hand that says nothing: the Namespace', async (t) => {
    const given = unconfiguredBuild(ADMIN, 'enabled', 'v0.17.2/12-standalone-build');
    t.equal(keyOf(await inject(given)), 'admin-key');
    const unsigned = unconfiguredBuild({}, 'enabled', 'v0.17.2/12-standalone-build');
    t.match((await inject(unsigned)).metadata.annotations, { [`${P}skipped`]: /neither/ });
  });
  await t.test('what the pod says itself is not read', async (t) => {
    const given = unconfiguredBuild(ADMIN);
    Object.assign(given.pod.metadata, {
      annotations: { ...DEVELOPER, [`${P}signing`]: 'disabled', [`${P}injected`]: 'forged' },
    });
    const pod = await inject(given);
    t.equal(keyOf(pod), 'admin-key');
    t.match(pod.metadata.annotations?.[`${P}injected`], /^9\.8\.7\+[0-9a-f]{16}$/);
    const silent = unconfiguredBuild();
    Object.assign(silent.pod.metadata, { annotations: { [`${P}skipped`]: 'forged' } });
    t.match((await inject(silent)).metadata.annotations?.[`${P}skipped`], /neither/);
  });
});
