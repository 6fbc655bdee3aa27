/** How arguments are read: as the program of the step reads them, and no word more. */
import fc from 'fast-check';
import t from 'tap';
import { applyPatch } from '../../bed/webhook.ts';
import {
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  P,
  type PodManifest,
  URL,
} from '../../support/build-fixture.ts';
import { inject, mutate, refusedBy, validate, verdictOf } from '../../support/asking.ts';
import { container, SIGNER, signerFlags } from '../../support/pod.ts';
import { kpackFixtures, signableFixtures, signableBuild } from '../../support/signable.ts';
import { runs } from '../../support/runs.ts';

const PLAIN = 'v0.17.2/02b-notary-registry-secrets';
const WAITING = 'v0.17.2/07b-standard-containers-notary';
const REBASE = 'v0.17.2/05b-rebase-notary';
const WAITING_REBASE = 'v0.17.2/07c-standard-containers-rebase';
const EVIL = '-basic-docker=git-basic=evil.example.com';

/** Adds arguments to the program of a step, as kpack does where the waiter runs it or not. */
function addArguments(pod: PodManifest, step: string, ...added: readonly string[]): void {
  const found = container(pod, step);
  const { args = [] } = found;
  found.args = args.some((arg) => arg.startsWith('-execute='))
    ? args.map((arg) => (arg.startsWith('-execute=') ? [arg, ...added].join(' ') : arg))
    : [...args, ...added];
}

/** Mounts a Secret in a step as kpack does for those of the service account. */
function mountSecret(pod: PodManifest, step: string, name: string): void {
  (pod.spec.volumes ??= []).push({ name: `volume-of-${name}`, secret: { secretName: name } });
  (container(pod, step).volumeMounts ??= []).push({
    name: `volume-of-${name}`,
    mountPath: `/var/build-secrets/${name}`,
  });
}

/** The same pod as the released controller builds it: other paths of the same programs. */
function withReleasedCommands(given: BuildFixture): BuildFixture {
  const renamed = (text: string) => text.replace('/cnb/process/', '/ko-app/');
  for (const each of [...(given.pod.spec.initContainers ?? []), ...given.pod.spec.containers]) {
    if (each.command) each.command = each.command.map(renamed);
    if (each.args) each.args = each.args.map(renamed);
  }
  return given;
}

const flagsOf = async (given: BuildFixture) =>
  signerFlags(await inject(given))['registry-credentials'];

t.test('a cosign annotation never becomes an argument of the signing container', async (t) => {
  for (const name of [PLAIN, WAITING]) {
    const clean = await flagsOf(signableBuild(name));
    for (const text of [`x ${EVIL}`, `x -dockerconfig=git-basic`, `x y ${EVIL}`]) {
      await t.test(`${name}: ${text}`, async (t) => {
        const given = signableBuild(name);
        for (const step of ['prepare', 'completion']) mountSecret(given.pod, step, 'git-basic');
        addArguments(given.pod, 'completion', `-cosign-annotations=team=${text}`);
        if (name === PLAIN) {
          t.same(await flagsOf(given), clean, 'one argument is one argument');
          const pod = await inject(given);
          t.equal(verdictOf(await validate(given, pod)), 'allowed');
          t.notMatch(JSON.stringify(container(pod, SIGNER)), /git-basic|evil/);
        } else {
          const message = await refusedBy(t, given, '422 ARGUMENTS_AMBIGUOUS');
          t.match(message, /completion has the argument .*, which the steps before it lack/);
          t.match(message, /spec.cosign.annotations/);
        }
      });
    }
  }
});

t.test("an image that a developer names never becomes one, nor do the Build's tags", async (t) => {
  for (const name of [REBASE, WAITING_REBASE]) {
    const clean = await flagsOf(signableBuild(name));
    t.equal(clean?.length, 1, 'kpack names one');
    for (const flag of ['--run-image', '--last-built-image']) {
      for (const text of [`x ${EVIL}`, `x ${EVIL} stop`, `x -- ${EVIL}`, EVIL]) {
        const given = signableBuild(name);
        mountSecret(given.pod, 'rebase', 'git-basic');
        const step = container(given.pod, 'rebase');
        const { args = [] } = step;
        const at = args.indexOf(flag);
        step.args =
          at >= 0
            ? args.toSpliced(at + 1, 1, text)
            : args.map((arg) => arg.replace(new RegExp(`${flag} \\S+`), `${flag} ${text}`));
        t.same(await flagsOf(given), clean, `${name}: ${flag} ${text}`);
      }
    }
    for (const tag of [EVIL, `registry.example.com/team/app ${EVIL}`]) {
      const given = signableBuild(name);
      mountSecret(given.pod, 'rebase', 'git-basic');
      const tags = given.build.spec['tags'] as string[];
      const [first = ''] = tags;
      given.build.spec['tags'] = [tag, ...tags.slice(1)];
      const step = container(given.pod, 'rebase');
      step.args = (step.args ?? []).map((arg) =>
        arg === first ? tag : arg.replace(` ${first} `, ` ${tag} `),
      );
      t.same(await flagsOf(given), clean, `${name}: tag ${tag}`);
    }
  }
  const lost = signableBuild(REBASE);
  lost.build.spec['tags'] = ['registry.example.com/another'];
  t.match(await refusedBy(t, lost, '422 ARGUMENTS_AMBIGUOUS'), /rebase lack the tags of the Build/);
});

t.test('a second -notary-v1-url is refused, also where the Image opts out', async (t) => {
  for (const isOptedOut of [false, true]) {
    for (const name of [PLAIN, WAITING]) {
      for (const second of ['-notary-v1-url=https://evil.example.com', '--notary-v1-url']) {
        const given = buildFixture(name);
        if (isOptedOut) annotate(given, { [`${P}signing`]: 'disabled' });
        addArguments(given.pod, 'completion', '-cosign-annotations=team=x', second);
        const message = await refusedBy(t, given, '422 ARGUMENTS_AMBIGUOUS');
        t.match(message, /completion has 2 arguments -notary-v1-url/);
      }
    }
    const given = buildFixture(PLAIN);
    if (isOptedOut) annotate(given, { [`${P}signing`]: 'disabled' });
    const text = '-cosign-annotations=team=x -notary-v1-url=https://evil.example.com';
    addArguments(given.pod, 'completion', text);
    const pod = await inject(given);
    t.ok(container(pod, 'completion').args?.includes(text), 'text within an argument is text');
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  }
});

t.test('what a developer smuggles in alone is no signer of kpack either', async (t) => {
  const given = signableBuild('v0.17.2/07-standard-containers');
  addArguments(given.pod, 'completion', '-cosign-annotations=a=x', `-notary-v1-url=${URL}`);
  const pod = await inject(given);
  t.notMatch(JSON.stringify(container(pod, 'completion')), /notary-v1-url/);
  t.equal(verdictOf(await validate(given, pod)), 'allowed');
});

t.test('a completion whose command line is not where kpack has it is refused', async (t) => {
  for (const isOptedOut of [false, true]) {
    const given = buildFixture(WAITING);
    if (isOptedOut) annotate(given, { [`${P}signing`]: 'disabled' });
    container(given.pod, 'completion').args?.push('-execute=/cnb/process/completion');
    t.match(
      await refusedBy(t, given, '422 ARGUMENTS_AMBIGUOUS'),
      /completion does not call the build-waiter as kpack does/,
    );
  }
});

t.test('each fixture is read alike, whichever paths its controller was built with', async (t) => {
  for (const name of signableFixtures) {
    const [ours, released] = [signableBuild(name), withReleasedCommands(signableBuild(name))];
    t.same(await flagsOf(released), await flagsOf(ours), name);
    const pod = await inject(released);
    t.equal(verdictOf(await validate(released, pod)), 'allowed', name);
    t.notMatch(JSON.stringify(container(pod, 'completion')), /-notary-v1-url/, name);
  }
});

/** Words that mean something to somebody, among any others. */
const WORDS = fc.oneof(
  fc.constantFrom(
    ...['-notary-v1-url', '--notary-v1-url=', `-notary-v1-url=${URL}`, '--', '-', '', ' '],
    ...['-dockerconfig=dockerconfig', EVIL, '-execute=x', '-report=/x', '--run-image', 'tag'],
  ),
  fc.string({ maxLength: 12 }),
);

t.test('any arguments: mutate and validate agree, and nobody of kpack signs', async (t) => {
  const steps = ['prepare', 'rebase', 'completion'];
  const property = fc.asyncProperty(
    fc.constantFrom(PLAIN, WAITING, REBASE, WAITING_REBASE),
    fc.constantFrom(...steps),
    fc.array(WORDS, { maxLength: 5 }),
    fc.boolean(),
    fc.boolean(),
    async (name, step, words, isInFront, isOptedOut) => {
      const given = signableBuild(name);
      if (isOptedOut) annotate(given, { [`${P}signing`]: 'disabled' });
      const found = given.pod.spec.containers
        .concat(given.pod.spec.initContainers ?? [])
        .find((each) => each.name === step);
      if (found && isInFront) found.args = [...words, ...(found.args ?? [])];
      else if (found) addArguments(given.pod, step, ...words);
      const mutated = await mutate(given);
      if (!mutated.allowed) return;
      const pod = applyPatch(given.pod, mutated);
      const verdict = verdictOf(await validate(given, pod));
      if (verdict !== 'allowed') throw new Error(`validate: ${verdict}`);
      const { args = [] } = container(pod, 'completion');
      const line = args.find((arg) => arg.startsWith('-execute='));
      const own = line === undefined ? args : line.split(' ');
      if (own.some((word) => /^--?notary-v1-url(=|$)/.test(word))) throw new Error(own.join(' '));
    },
  );
  await fc.assert(property, runs(500));
  t.pass();
});

t.test("kpack's own signer goes from every kind of pod that opts out", async (t) => {
  for (const name of kpackFixtures) {
    for (const make of [() => buildFixture(name), () => withReleasedCommands(buildFixture(name))]) {
      const given = make();
      annotate(given, { [`${P}signing`]: 'disabled' });
      const pod = await inject(given);
      t.notMatch(JSON.stringify(pod.spec), /-notary-v1-url|"secretName":"notary-signing"/, name);
      t.match(pod.metadata.annotations, { [`${P}skipped`]: /signing: disabled on the / });
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'twice is once');
      t.equal(verdictOf(await validate(given, pod)), 'allowed', name);
      const isSignedByKpack = given.build.spec['notary'] !== undefined;
      const unchanged = verdictOf(
        await validate(
          given,
          changed(given.pod, () => undefined),
        ),
      );
      t.equal(unchanged, isSignedByKpack ? '503 KPACK_SIGNER_LEFT' : 'allowed', name);
    }
  }
});
