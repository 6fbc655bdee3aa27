import t, { type Test } from 'tap';
import type { Cluster } from '../../../../src/shared/kubernetes/cluster.ts';
import {
  ADMIN,
  annotate,
  buildFixture,
  type Manifest,
  P,
  PIN,
  secret,
  section,
  setSection,
  signingNamespace,
  URL,
} from '../../../support/build-fixture.ts';
import {
  ask,
  countingRounds,
  unreadable,
  memoryCluster,
  mutate,
  verdictOf,
} from '../../../support/asking.ts';
import { objectThatSays, type Words } from '../../../support/notary-rule.ts';

const PINNED = { [`${P}v1.rootPin`]: PIN };
const ACCOUNT = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'builder', namespace: 'apps' },
  secrets: [{ name: 'notary-credentials' }],
};
const CREDENTIALS = secret('notary-credentials', {}, { 'kpack.io/notary.v1': URL });
const KEY = secret('notary-signing', {});
const CA = secret('notary-ca', {});
const READY: readonly Manifest[] = [signingNamespace(), ACCOUNT, CREDENTIALS, KEY, CA];

/** What a developer is told who writes an Image. */
async function warningsFor(
  t: Test,
  words: Words,
  cluster: Cluster | readonly Manifest[] = READY,
  [kind, apiVersion]: readonly ['Image' | 'Build', string] = ['Image', 'kpack.io/v1alpha1'],
): Promise<readonly string[]> {
  const port = 'get' in cluster ? cluster : memoryCluster(cluster);
  const object = objectThatSays(kind, apiVersion, words);
  const response = await ask('validate', object, port, { username: 'developer' });
  t.equal(verdictOf(response), 'allowed');
  for (const warning of response.warnings ?? []) {
    t.match(warning, /^kpack-notary: .{20,242}$/);
    t.notMatch(warning, /…$/);
  }
  return response.warnings ?? [];
}

const without = (...gone: Manifest[]) => READY.filter((object) => !gone.includes(object));
const GOOD: Words = { notary: section(), annotations: PINNED };

t.test('nothing is told where nothing is risky', async (t) => {
  for (const kind of ['Image', 'Build'] as const) {
    for (const apiVersion of ['kpack.io/v1alpha1', 'kpack.io/v1alpha2']) {
      t.same(await warningsFor(t, GOOD, READY, [kind, apiVersion]), []);
    }
  }
  const withCa = { ...GOOD, annotations: { ...PINNED, [`${P}v1.caSecretRef`]: 'notary-ca' } };
  t.same(await warningsFor(t, withCa), []);
});

t.test('what is risky is told, with what to do', async (t) => {
  const off = [signingNamespace('disabled'), ...READY.slice(1)];
  const unlabelled = [signingNamespace(''), ...READY.slice(1)];
  const mistyped = [signingNamespace('enable'), ...READY.slice(1)];
  const floored = [signingNamespace('enabled', { [`${P}on-failure`]: 'fail' }), ...READY.slice(1)];
  const broken = [signingNamespace('enabled', { [`${P}v1.url`]: 'x' }), ...READY.slice(1)];
  const warn = { ...PINNED, [`${P}on-failure`]: 'warn' };
  const withCa = { ...PINNED, [`${P}v1.caSecretRef`]: 'notary-ca' };
  const cases: Record<string, readonly [Words, readonly Manifest[], RegExp]> = {
    'no root pin': [
      { notary: section() },
      READY,
      /no root pin: .* Set notary.kpack.io\/v1.rootPin/,
    ],
    'plain http': [
      { ...GOOD, notary: section('http://notary.example.com') },
      READY,
      /http:\/\/notary.example.com is plain http: .* Use an https URL\.$/,
    ],
    'no signing Secret': [
      GOOD,
      without(KEY),
      /signing Secret notary-signing is not in .* Create it/,
    ],
    'no CA Secret': [
      { ...GOOD, annotations: withCa },
      without(CA),
      /CA Secret notary-ca .* ca\.crt/,
    ],
    'no credentials': [
      GOOD,
      without(CREDENTIALS),
      /account builder has no credentials for notary.example.com:4443\. .* kpack.io\/notary.v1 is that/,
    ],
    'no service account': [GOOD, without(ACCOUNT), /service account builder has no credentials/],
    'a namespace that says disabled': [
      GOOD,
      off,
      /apps has not opted in, .*`kubectl label namespace/,
    ],
    'a namespace that says nothing': [GOOD, unlabelled, /namespace apps has not opted in/],
    'a namespace with a mistyped label': [GOOD, mistyped, /builds in namespace apps are refused/],
    'a malformed namespace': [
      GOOD,
      broken,
      /refused, since .*v1.url\] of Namespace apps is malformed/,
    ],
    'a floor': [
      { ...GOOD, annotations: warn },
      floored,
      /warn has no effect, as the Namespace says/,
    ],
    'settings of nothing': [
      { annotations: PINNED },
      READY,
      /nothing is signed: neither this Image/,
    ],
    'a plain secretRef': [
      { ...GOOD, notary: section(URL, 'notary-signing') },
      READY,
      /secretRef is a plain text, .* secretRef: \{name: notary-signing\}\.$/,
    ],
    'a label for an annotation': [
      { ...GOOD, labels: { [`${P}signing`]: 'disabled' } },
      READY,
      /the label notary.kpack.io\/signing has no effect on the Image\. Write it as an annotation/,
    ],
    'an opt-out beside a section': [
      { ...GOOD, annotations: { ...PINNED, [`${P}signing`]: 'disabled' } },
      off,
      /signing: disabled leaves this Image unsigned, whatever else it says .* Remove it/,
    ],
  };
  for (const [what, [words, objects, expected]] of Object.entries(cases)) {
    const warnings = await warningsFor(t, words, objects);
    t.equal(warnings.length, 1, `${what}: ${warnings.join('\n')}`);
    t.match(warnings[0], expected, what);
  }
});

t.test("an Image that opts out is told that kpack's own signature goes as well", async (t) => {
  const optOut = { [`${P}signing`]: 'disabled' };
  const goes = /removes kpack's own Notary signature as well\. Remove the annotation/;
  const warningCount = async (words: Words, objects: readonly Manifest[] = READY) =>
    (await warningsFor(t, words, objects)).filter((text) => goes.test(text)).length;
  t.equal(await warningCount({ ...GOOD, annotations: optOut }), 1);
  t.equal(await warningCount(GOOD), 0, 'not where it does not opt out');
  const words = { ...optOut, [`${P}v1.url`]: URL, [`${P}v1.secretRef`]: 'notary-signing' };
  t.equal(await warningCount({ annotations: words }), 0, 'nor where kpack would not sign');
  for (const label of ['disabled', 'audit', '']) {
    const objects = [signingNamespace(label), ...READY.slice(1)];
    t.equal(
      await warningCount({ ...GOOD, annotations: optOut }, objects),
      0,
      'nor where we change nothing',
    );
  }
});

t.test('credentials are never missed where none would be sent', async (t) => {
  const words = { ...GOOD, notary: section('http://notary.example.com') };
  t.equal((await warningsFor(t, words, without(CREDENTIALS))).length, 1, 'plain http alone');
});

t.test('what the Namespace names is looked for too', async (t) => {
  const namespace = signingNamespace('enabled', { ...ADMIN, ...PINNED });
  const words: Words = { annotations: { [`${P}on-failure`]: 'warn' } };
  const warnings = await warningsFor(t, words, [namespace, ACCOUNT, CREDENTIALS]);
  t.match(warnings, [/signing Secret admin-key/, /no credentials for admin.example.com/]);
});

t.test(
  "an Image's pin that the Namespace does not allow is refused where it is written",
  async (t) => {
    const cluster = memoryCluster([
      signingNamespace('enabled', { [`${P}v1.rootPin`]: 'b2'.repeat(32) }),
    ]);
    for (const notary of [section(), {}]) {
      const object = objectThatSays('Image', 'kpack.io/v1alpha2', { ...GOOD, notary });
      const response = await ask('validate', object, cluster, { username: 'developer' });
      t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID');
      t.match(
        response.status?.message,
        'expected one that the Namespace apps allows, for example b2b2',
      );
    }
  },
);

t.test('names of any length leave room for the fix', async (t) => {
  const long = 'n'.repeat(253);
  const words = {
    notary: section(`http://${'h'.repeat(60)}.${'h'.repeat(60)}.test/${'p'.repeat(1500)}`, {
      name: long,
    }),
    annotations: { [`${P}v1.caSecretRef`]: long },
  };
  t.equal((await warningsFor(t, words, [])).length, 5);
  t.equal(
    (await warningsFor(t, { notary: section(`https://${'h'.repeat(63)}.test`) }, [])).length,
    4,
  );
});

t.test('that the cluster does not answer refuses nobody', async (t) => {
  for (const kind of ['Namespace', 'ServiceAccount', 'Secret']) {
    const cluster = unreadable(memoryCluster(READY), kind);
    const warnings = await warningsFor(t, { notary: section() }, cluster);
    t.match(warnings, [/no root pin/, /could not be checked \(GET .* failed\)/]);
    t.equal(warnings.length, 2);
  }
  const malformed = objectThatSays('Image', 'kpack.io/v1alpha2', { notary: {} });
  const response = await ask('validate', malformed, unreadable(memoryCluster(READY), 'Namespace'), {
    username: 'developer',
  });
  t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID', 'nor does it let anything through');
});

t.test('a cluster that hangs is not waited for', async (t) => {
  const started = Date.now();
  const hanging = { ...memoryCluster([]), get: () => new Promise<never>(() => undefined) };
  const warnings = await warningsFor(t, GOOD, hanging);
  t.match(warnings, [/could not be checked \(the Kubernetes API did not answer in time\)/]);
  t.ok(Date.now() - started < 4_000);
});

t.test('whoever writes an Image makes us read few objects, in two rounds', async (t) => {
  const port = memoryCluster([
    signingNamespace('enabled', ADMIN),
    {
      ...ACCOUNT,
      secrets: Array.from({ length: 1_000 }, (_, i) => ({ name: `s${i}` })),
    } as Manifest,
  ]);
  const { cluster: counted, rounds } = countingRounds(port);
  const warnings = await warningsFor(t, { annotations: PINNED }, counted);
  t.same(rounds, [['Namespace', 'ServiceAccount'], ['Secret']]);
  t.notMatch(warnings.join(), /credentials/, 'what was not looked at is not missed');
});

t.test('a Namespace with a configuration tells what is risky about it', async (t) => {
  const warningsOf = async (label: string, annotations: Record<string, string>) =>
    (
      await ask('validate', signingNamespace(label, annotations), memoryCluster([]), {
        username: 'admin',
      })
    ).warnings ?? [];
  t.same(await warningsOf('enabled', { ...ADMIN, ...PINNED }), []);
  t.match(await warningsOf('enabled', ADMIN), [/no root pin/]);
  t.match(await warningsOf('', { ...ADMIN, ...PINNED }), [/namespace apps has not opted in/]);
  t.same(await warningsOf('', PINNED), [], 'a pin alone signs nothing');
});

t.test('the build pod tells the same', async (t) => {
  const given = buildFixture();
  annotate(given, { ...PINNED, [`${P}v1.caSecretRef`]: 'notary-ca' });
  given.secrets.length = 0;
  const warnings = (await mutate(given)).warnings ?? [];
  t.match(warnings, [
    /signing Secret notary-signing/,
    /CA Secret notary-ca/,
    /has no credentials for/,
  ]);
  given.secrets.push(KEY, CA, CREDENTIALS);
  given.serviceAccount.secrets = [{ name: 'notary-credentials' }];
  t.same((await mutate(given)).warnings, undefined);

  // A Secret that only the Image names is not looked for: that would be a third round of reads.
  setSection(given, section(URL, { name: 'not-there' }));
  t.match((await mutate(given)).warnings, [/signing Secret not-there/]);
  delete given.build.spec['notary'];
  for (const { metadata } of [given.build, given.pod]) metadata.annotations = {};
  t.same((await mutate(given)).warnings, undefined);
});
