import t from 'tap';
import {
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  manifestsOf,
  P,
  setSection,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import {
  ask,
  unreadable,
  inject,
  memoryCluster,
  mutate,
  untouchedBy,
  validate,
  verdictOf,
} from '../../../support/asking.ts';
import { afterOtherPlugins, withoutOurs } from '../../../support/pod-changes.ts';
import { initContainers, SIGNER } from '../../../support/pod.ts';
import { signableFixtures, signableBuild } from '../../../support/signable.ts';

for (const name of signableFixtures) {
  t.test(`${name}, once injected, stays as it is and is accepted`, async (t) => {
    const given = signableBuild(name);
    const pod = await inject(given);
    for (const [what, arrived] of [
      ['as we left it', pod],
      ['after defaulting and other plug-ins', afterOtherPlugins(pod)],
    ] as const) {
      t.equal(verdictOf(await mutate(given, { pod: arrived })), 'allowed', `mutate, ${what}`);
      t.equal(verdictOf(await validate(given, arrived)), 'allowed', `validate, ${what}`);
    }
    const unsigned = await validate(given, given.pod);
    t.equal(verdictOf(unsigned), '503 SIGNER_MISSING', 'as kpack posted it');
    t.equal(
      verdictOf(await validate(given, withoutOurs(pod))),
      '503 SIGNER_MISSING',
      'taken out again',
    );
  });
}

t.test('a pod whose init containers and sidecars grew meanwhile is accepted', async (t) => {
  const given = buildFixture();
  const pod = changed(await inject(given), (pod) => {
    initContainers(pod).unshift({ name: 'mesh-init', image: 'mesh' });
    initContainers(pod).push({ name: 'mesh-wait', image: 'mesh' });
    pod.spec.containers.unshift({ name: 'mesh-proxy', image: 'mesh' });
  });
  t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
  t.equal(verdictOf(await validate(given, pod)), 'allowed');
});

t.test('a pod that lost its signing container, but not our volumes, is posted again', async (t) => {
  const given = buildFixture();
  const pod = changed(await inject(given), (pod) => {
    pod.spec.initContainers = initContainers(pod).filter(({ name }) => name !== SIGNER);
  });
  t.equal(verdictOf(await validate(given, pod)), '503 SIGNER_MISSING');
});

t.test('who opts out while the pod is on its way is not signed all the same', async (t) => {
  for (const [what, change] of [
    ['by an annotation', (given: BuildFixture) => annotate(given, { [`${P}signing`]: 'disabled' })],
    ['by taking the section off', (given: BuildFixture) => setSection(given, undefined)],
  ] as const) {
    const given = buildFixture();
    const injected = await inject(given);
    change(given);
    const response = await validate(given, injected);
    t.equal(verdictOf(response), '503 SIGNER_DIFFERS', what);
    t.match(response.status?.message, /notary-sign is there, and /);
    t.equal(verdictOf(await validate(given, await inject(given))), 'allowed', 'posted again');
  }
});

t.test('audit does not tell that what it did not inject would be missing', async (t) => {
  const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
  const { warnings = [] } = await validate(given);
  t.notMatch(warnings.join(), /would be refused/);
  t.match(warnings.join(), /audit: the pod would be changed/);
});

t.test('audit refuses nothing, changes nothing, and says what would be', async (t) => {
  const cases: Record<string, readonly [BuildFixture, string, RegExp]> = {
    'to be signed': [buildFixture(), 'audit', /audit: the pod would be changed/],
    'opted out': [
      (() => {
        const given = buildFixture();
        annotate(given, { [`${P}signing`]: 'disabled' });
        return given;
      })(),
      'audit',
      /audit: left unsigned/,
    ],
    malformed: [
      (() => {
        const given = buildFixture();
        setSection(given, {});
        return given;
      })(),
      'audit',
      /audit: would be refused: kpack-notary NOTARY_CONFIG_INVALID/,
    ],
    unsupported: [
      buildFixture('v0.5.4/08b-windows-notary'),
      'audit',
      /audit: would be refused: kpack-notary POD_UNSUPPORTED/,
    ],
    exposed: [
      (() => {
        const given = buildFixture();
        given.pod.spec.volumes?.push({ name: 'x', secret: { secretName: 'notary-signing' } });
        return given;
      })(),
      'audit',
      /audit: would be refused: kpack-notary SECRET_EXPOSED/,
    ],
  };
  for (const [what, [given, label, warning]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const audited = { ...given, namespace: signingNamespace(label) };
      const { warnings = [] } = await untouchedBy(t, audited);
      t.ok(
        warnings.some((text) => warning.test(text)),
        warnings.join(),
      );
    });
  }
  await t.test('posted by somebody else', async (t) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
    const { warnings } = await untouchedBy(t, given, { username: 'developer' });
    t.match(warnings, ['kpack-notary: audit: would be refused']);
  });
  await t.test('a build whose Build cannot be read', async (t) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
    for (const kind of ['Build', 'ServiceAccount', 'Image']) {
      const cluster = unreadable(memoryCluster(manifestsOf(given)), kind);
      for (const question of ['mutate', 'validate'] as const) {
        const response = await ask(question, given.pod, cluster);
        t.equal(verdictOf(response), 'allowed', kind);
        t.match(response.warnings, ['kpack-notary: audit: would be refused']);
      }
    }
  });
});
