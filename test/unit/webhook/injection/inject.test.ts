import t from 'tap';
import { readFlags } from '../../../../src/shared/flags.ts';
import { SIGNER_FLAGS } from '../../../../src/shared/signer-flags.ts';
import {
  annotate,
  buildFixture,
  changed,
  P,
  type PodManifest,
  URL,
} from '../../../support/build-fixture.ts';
import { inject, mutate, SETTINGS, validate, verdictOf } from '../../../support/asking.ts';
import { waitingForOurs, withoutOurs } from '../../../support/pod-changes.ts';
import { resourceProblems, restrictedViolations } from '../../../support/pod-rules.ts';
import {
  allContainers,
  container,
  initContainers,
  mountAt,
  REPORT,
  SIGNER,
  signerFlags,
  TOKEN_PATH,
  volume,
} from '../../../support/pod.ts';
import {
  hasSection,
  isWaiting,
  signableFixtures,
  signableBuild,
} from '../../../support/signable.ts';

t.test('the fixtures cover builds and rebases of several versions', async (t) => {
  t.equal(signableFixtures.filter(hasSection).length, 18);
  t.ok(signableFixtures.length > 35);
  for (const version of ['v0.2.0', 'v0.5.4', 'v0.9.7', 'v0.17.2']) {
    t.ok(
      signableFixtures.some((name) => name.startsWith(version)),
      version,
    );
  }
});

for (const name of signableFixtures) {
  t.test(`${name} is signed after the image was pushed and before completion`, async (t) => {
    const given = signableBuild(name);
    const response = await mutate(given);
    t.equal(response.patchType, 'JSONPatch');
    const pod = await inject(given);

    const steps = initContainers(pod).map((step) => step.name);
    const before = initContainers(given.pod).map((step) => step.name);
    const standard = pod.spec.containers.map((step) => step.name);
    const standardBefore = given.pod.spec.containers.map((step) => step.name);
    if (isWaiting(name)) {
      t.same(steps, before);
      t.same(standard, [...standardBefore, SIGNER], 'the last of the standard containers');
    } else {
      t.same(steps, [...before, SIGNER], 'the last of the init containers');
      t.same(standard, ['completion']);
    }
    const signer = container(pod, SIGNER);
    t.equal(signer.image, SETTINGS.placement.image);
    t.same(signer.command, ['node', '/app/signer.cjs']);
    t.equal(signer.terminationMessagePolicy, 'FallbackToLogsOnError');
    t.same(restrictedViolations(pod, signer), [], 'Pod Security restricted');
    t.same(resourceProblems(signer), []);

    const flags = signerFlags(pod);
    t.same(readFlags(SIGNER_FLAGS, signer.args ?? [], {}).problems, [], 'flags the signer knows');
    t.same(flags['notary-url'], [URL]);
    t.same(flags['allow-tag'], given.build.spec['tags']);
    t.same(flags['report'], [REPORT]);
    t.notOk(flags['tag']);
    t.match(mountAt(signer, '/var/report'), { name: 'report-dir', readOnly: true });

    const [keyDirectory = ''] = flags['key-dir'] ?? [];
    const keyVolume = mountAt(signer, keyDirectory)?.name;
    t.same(volumesWithSecret(pod, 'notary-signing'), [keyVolume]);
    t.same(
      allContainers(pod).flatMap((each) =>
        (each.volumeMounts ?? []).filter((mount) => mount.name === keyVolume).map(() => each.name),
      ),
      [SIGNER],
      'it alone mounts the key',
    );
    const tokenVolume = mountAt(signer, TOKEN_PATH)?.name;
    t.same(
      pod.spec.volumes?.find((volume) => volume.name === tokenVolume),
      { name: tokenVolume, emptyDir: {} },
      'no token can be mounted',
    );

    t.notMatch(JSON.stringify(container(pod, 'completion').args ?? []), /notary-v1-url/);
    t.strictSame(withoutOurs(pod), waitingForOurs(given.pod), 'all else is as it was');
    const mark = pod.metadata.annotations?.['notary.kpack.io/injected'] ?? '';
    const [version, hash = ''] = mark.split('+');
    t.equal(version, SETTINGS.version);
    t.match(hash, /^[0-9a-f]{16}$/, 'what the container was made from');
  });
}

t.test("released images have kpack's programs elsewhere, and are signed likewise", async (t) => {
  const released = (pod: PodManifest) =>
    JSON.parse(JSON.stringify(pod).replaceAll('/cnb/process/', '/ko-app/')) as PodManifest;
  let changedPods = 0;
  for (const name of signableFixtures) {
    const built = signableBuild(name);
    const expected = released(await inject(built));
    const given = { ...built, pod: released(built.pod) };
    const pod = await inject(given);
    t.strictSame(pod, expected, name);
    t.equal(verdictOf(await validate(given, pod)), 'allowed', name);
    if (JSON.stringify(pod).includes('/ko-app/')) changedPods += 1;
  }
  t.ok(changedPods > 25, 'nearly all of them name such a program');
});

t.test("kpack's own signer is taken over, however its argument is written", async (t) => {
  for (const args of [
    ['-notary-v1-url=https://x.example'],
    ['--notary-v1-url=https://x.example'],
    ['-notary-v1-url', 'https://x.example'],
    ['--notary-v1-url', 'https://x.example'],
  ]) {
    const given = buildFixture();
    container(given.pod, 'completion').args = ['-first', ...args, '-last=1'];
    const pod = await inject(given);
    t.same(container(pod, 'completion').args, ['-first', '-last=1'], args.join(' '));
  }
  const given = buildFixture();
  container(given.pod, 'completion').args = ['-notary-v1-urls=1', 'notary-v1-url=2'];
  t.same(container(await inject(given), 'completion').args, [
    '-notary-v1-urls=1',
    'notary-v1-url=2',
  ]);
});

t.test(
  "a key that kpack's own signer would have had is taken away, whatever its name",
  async (t) => {
    const given = buildFixture();
    volume(given.pod, 'notary-dir').secret = { secretName: 'another-key' };
    const pod = await inject(given);
    t.same(volume(pod, 'notary-dir'), { name: 'notary-dir', emptyDir: {} });
  },
);

t.test('names and paths of ours that are taken', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  annotate(given, { [`${P}v1.caSecretRef`]: 'notary-ca' });
  const ours = (await inject(given)).spec.volumes?.filter(({ name }) =>
    name.startsWith('notary-sign-'),
  );
  t.equal(ours?.length, 4);
  for (const { name } of ours ?? []) {
    const pod = changed(given.pod, (pod) => pod.spec.volumes?.push({ name, configMap: { name } }));
    const response = await mutate(given, { pod });
    t.equal(verdictOf(response), '422 POD_COLLISION');
    t.match(response.status?.message, `a volume named ${name}`);
  }
  const pod = changed(given.pod, (pod) =>
    pod.spec.volumes?.push({ name: 'notary-sign-credentials-1' }),
  );
  t.equal(verdictOf(await mutate(given, { pod })), 'patched', 'one that we do not need');
});

t.test('what somebody wrote in our name is written over', async (t) => {
  const forged = { [`${P}injected`]: 'forged', [`${P}skipped`]: 'forged' };
  const given = buildFixture();
  given.pod.metadata.annotations = { ...given.pod.metadata.annotations, ...forged };
  t.equal(verdictOf(await validate(given)), '503 SIGNER_MISSING', 'it is never believed');
  const { annotations } = (await inject(given)).metadata;
  t.match(annotations?.[`${P}injected`], /^9\.8\.7\+[0-9a-f]{16}$/);
  t.notOk(annotations?.[`${P}skipped`]);

  annotate(given, { [`${P}signing`]: 'disabled' });
  const { annotations: left } = (await inject(given)).metadata;
  t.notOk(left?.[`${P}injected`]);
  t.match(left?.[`${P}skipped`], /signing: disabled/);
});

t.test('a stranger under the name of our container is not taken for it', async (t) => {
  const stranger = { name: SIGNER, image: 'x' };
  for (const name of ['v0.17.2/02-notary', 'v0.17.2/07b-standard-containers-notary']) {
    for (const change of [
      ({ spec }: PodManifest) => spec.initContainers?.push(stranger),
      ({ spec }: PodManifest) => spec.initContainers?.unshift(stranger),
      ({ spec }: PodManifest) => spec.containers.push(stranger),
    ]) {
      const given = buildFixture(name);
      change(given.pod);
      t.equal(verdictOf(await mutate(given)), '503 SIGNER_DIFFERS');
      t.equal(verdictOf(await validate(given)), '503 SIGNER_DIFFERS');
    }
  }
});

function volumesWithSecret({ spec }: PodManifest, name: string): string[] {
  return (spec.volumes ?? []).filter((it) => it.secret?.secretName === name).map((it) => it.name);
}
