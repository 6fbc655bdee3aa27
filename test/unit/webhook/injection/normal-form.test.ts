import fc from 'fast-check';
import t from 'tap';
import { allContainers, container, SIGNER } from '../../../support/pod.ts';
import { builds } from '../support/random-builds.ts';
import {
  changeSigner,
  HARMLESS,
  WIDENING,
  type SignerChange,
} from '../../../support/signer-changes.ts';
import { signableFixtures, signableBuild } from '../../../support/signable.ts';
import { webhookIn } from '../support/webhook-in.ts';
import { changed } from '../../../support/build-fixture.ts';
import { runs } from '../../../support/runs.ts';

const RUNS = runs(300);
const SHAPES = [
  'v0.17.2/02b-notary-registry-secrets',
  'v0.17.2/05b-rebase-notary',
  'v0.17.2/07b-standard-containers-notary',
];

const some = (changes: Readonly<Record<string, SignerChange>>) =>
  fc
    .subarray(Object.keys(changes))
    .chain((names) => fc.shuffledSubarray(names, { minLength: names.length }));
const named = (names: readonly string[], among: Readonly<Record<string, SignerChange>>) =>
  names.flatMap((name) => among[name] ?? []);

for (const name of SHAPES) {
  t.test(`${name}: a default said aloud, or what confines further, changes nothing`, async (t) => {
    const given = signableBuild(name);
    const { mutate, validate } = webhookIn(given);
    const { pod } = await mutate(given.pod);
    for (const [what, change] of Object.entries(HARMLESS)) {
      const other = changed(pod, (copy) => changeSigner(copy, [change]));
      t.equal((await validate(other)).verdict, 'allowed', what);
      t.equal((await mutate(other)).verdict, 'allowed', `mutate: ${what}`);
    }
  });

  t.test(`${name}: what gives it more, or has it do something else, is refused`, async (t) => {
    const given = signableBuild(name);
    const { mutate, validate } = webhookIn(given);
    const { pod } = await mutate(given.pod);
    for (const [what, change] of Object.entries(WIDENING)) {
      const other = changed(pod, (copy) => changeSigner(copy, [change]));
      t.notSame(other, pod, what);
      t.equal((await validate(other)).verdict, '422 SIGNER_TAMPERED', what);
      t.equal((await mutate(other)).verdict, '422 SIGNER_TAMPERED', `mutate: ${what}`);
    }
  });
}

t.test('whatever is said aloud together, and whatever the pod, nothing is changed', async (t) => {
  await fc.assert(
    fc.asyncProperty(builds, some(HARMLESS), async (build, names) => {
      const { mutate, validate } = webhookIn(build);
      const { pod } = await mutate(build.pod);
      const other = changed(pod, (copy) => changeSigner(copy, named(names, HARMLESS)));
      for (const { verdict, message } of [await validate(other), await mutate(other)]) {
        if (verdict !== 'allowed') throw new Error(`${verdict}: ${message}`);
      }
    }),
    RUNS,
  );
  t.pass('allowed');
});

t.test('among all that says nothing, what says something is found', async (t) => {
  const widening = fc.constantFrom(...Object.keys(WIDENING));
  const fixtures = fc.constantFrom(...signableFixtures);
  await fc.assert(
    fc.asyncProperty(fixtures, some(HARMLESS), widening, async (name, names, what) => {
      const given = signableBuild(name);
      const { mutate, validate } = webhookIn(given);
      const { pod } = await mutate(given.pod);
      const other = changed(pod, (copy) =>
        changeSigner(copy, [...named(names, HARMLESS), ...named([what], WIDENING)]),
      );
      for (const { verdict, message } of [await validate(other), await mutate(other)]) {
        if (verdict !== '422 SIGNER_TAMPERED') throw new Error(`${verdict}: ${message}`);
      }
    }),
    RUNS,
  );
  t.pass('refused');
});

t.test('members of any other name are changes, unless they say nothing', async (t) => {
  const given = signableBuild('v0.17.2/02-notary');
  const { mutate, validate } = webhookIn(given);
  const { pod } = await mutate(given.pod);
  const members = fc.tuple(
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
    fc.jsonValue({ maxDepth: 2 }),
  );
  await fc.assert(
    fc.asyncProperty(members, fc.boolean(), async ([name, value], isContext) => {
      const key = `x${name}`;
      const other = changed(pod, (copy) =>
        changeSigner(copy, [
          (signer) =>
            Object.assign(isContext ? (signer.securityContext ?? {}) : signer, { [key]: value }),
        ]),
      );
      const { verdict } = await validate(other);
      const wanted = isNothing(value) ? 'allowed' : '422 SIGNER_TAMPERED';
      if (verdict !== wanted) throw new Error(`${verdict}, not ${wanted}`);
    }),
    RUNS,
  );
  t.pass('as they should be');
});

t.test("of kpack's own containers, too, what is said aloud changes nothing", async (t) => {
  for (const name of SHAPES) {
    const given = signableBuild(name);
    const { mutate, validate } = webhookIn(given);
    const aloud = changed(given.pod, (copy) => {
      for (const each of allContainers(copy)) {
        Object.assign(each, { restartPolicy: 'Never', stdin: false, tty: false, envFrom: [] });
        for (const mount of each.volumeMounts ?? []) {
          Object.assign(mount, { subPath: '', subPathExpr: '', mountPropagation: 'None' });
        }
      }
      for (const { emptyDir } of copy.spec.volumes ?? []) if (emptyDir) emptyDir.sizeLimit = '1Gi';
    });
    const { verdict, pod } = await mutate(aloud);
    t.equal(verdict, 'patched', name);
    t.equal((await validate(pod)).verdict, 'allowed', name);
    const { pod: plain } = await mutate(given.pod);
    t.same(container(pod, SIGNER).args, container(plain, SIGNER).args, name);
  }
});

/** What JSON of the API server leaves out, at any depth; a list with elements has a length. */
function isNothing(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isNothing);
  return value === null || value === false || value === '';
}
