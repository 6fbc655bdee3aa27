import fc from 'fast-check';
import t from 'tap';
import { changed, type PodManifest } from '../support/build-fixture.ts';
import { SETTINGS } from '../support/asking.ts';
import { harmfulPatches } from '../unit/webhook/support/harmful-patches.ts';
import { keyProblems, placeProblems } from '../support/injection-problems.ts';
import { afterAll, type MutatingWebhook } from '../unit/webhook/support/mutating-webhooks.ts';
import { container, SIGNER } from '../support/pod.ts';
import { waitingForOurs, withoutOurs } from '../support/pod-changes.ts';
import {
  afterPatches,
  patchedPod,
  type Harm,
  type PodPatch,
} from '../unit/webhook/support/pod-patches.ts';
import {
  builds,
  buildsOfV2,
  takenOver,
  type RandomBuild,
} from '../unit/webhook/support/random-builds.ts';
import { harmlessPatches } from '../unit/webhook/support/random-patches.ts';
import {
  demandOnce,
  demandSame,
  webhookIn,
  type Answered,
} from '../unit/webhook/support/webhook-in.ts';
import { runs } from '../support/runs.ts';
import { signableBuild, signableFixtures } from '../support/signable.ts';

const RUNS = runs(500);

/** Another webhook, with its reinvocationPolicy. */
interface Neighbour {
  readonly patch: PodPatch;
  readonly isReinvoked: boolean;
}

/** All the mutating webhooks of a cluster. */
interface WebhookSet {
  readonly before: readonly Neighbour[];
  /** Ours is; where it is not, it is as if those behind it had waited for its second call. */
  readonly isReinvoked: boolean;
  readonly behind: readonly Neighbour[];
}

function sets(patch: fc.Arbitrary<PodPatch>): fc.Arbitrary<WebhookSet> {
  const neighbours = fc.array(fc.record({ patch, isReinvoked: fc.boolean() }), { maxLength: 5 });
  return fc.record({ before: neighbours, isReinvoked: fc.boolean(), behind: neighbours });
}

const anyShape = fc.oneof({ weight: 3, arbitrary: builds }, { weight: 1, arbitrary: buildsOfV2 });

/** Builds of the fixtures, too, as kpack's versions really make them. */
const anyBuild: fc.Arbitrary<RandomBuild> = fc.oneof(
  { weight: 4, arbitrary: anyShape },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...signableFixtures).map((name): RandomBuild => ({
      ...signableBuild(name),
      report: 'written',
      keys: ['notary-signing'],
    })),
  },
);

/** Two pods of three that meet some of them come to no harm. */
const any = fc.oneof(
  { weight: 9, arbitrary: harmlessPatches },
  { weight: 1, arbitrary: harmfulPatches },
);

t.test('injecting twice changes nothing, whatever the pod', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyBuild, async (build) => {
      const { mutate, validate } = webhookIn(build);
      const { verdict, pod } = await mutate(build.pod);
      demand('patched', verdict, 'at first');
      demand('allowed', (await mutate(pod)).verdict, 'again');
      demand('allowed', (await validate(pod)).verdict, 'validate');
      demandOnce(pod);
    }),
    RUNS,
  );
  t.pass('both answers are empty');
});

t.test('all that stood there stays, in order, byte for byte', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyBuild, fc.array(harmlessPatches), async (build, between) => {
      const { mutate } = webhookIn(build);
      const { pod: injected } = await mutate(build.pod);
      demandSame(withoutOurs(injected), takenOver(build.pod, build), 'at first');
      const later = afterPatches(injected, between);
      const { pod: last } = await mutate(later);
      demandSame(withoutOurs(last), withoutOurs(later), 'called again');
    }),
    RUNS,
  );
  t.pass('nothing else is touched');
});

t.test('the set converges, or is refused for what a neighbour did', async (t) => {
  await fc.assert(
    fc.asyncProperty(builds, sets(any), async (build, set) => {
      const { mutate, validate } = webhookIn(build);
      const { pod, refusal, harms } = await admission(build.pod, set, mutate);
      const answer = refusal ?? (await validate(pod));
      if (harms.length > 0) {
        const isBlamed = harms.some(
          ({ verdict, names }) => answer.verdict === verdict && answer.message.includes(names),
        );
        if (!isBlamed) throw new Error(`${answer.verdict} ${answer.message}`);
        return;
      }
      demand('allowed', answer.verdict, answer.message);
      const problems = [
        ...placeProblems(pod),
        ...build.keys.flatMap((key) => keyProblems(pod, key)),
      ];
      demand('', problems.join(), 'as it is stored');
      demandOnce(pod);
      // Who comes after our last call may still have given the step before ours something.
      const { pod: last } = await mutate(pod);
      demand('allowed', (await mutate(last)).verdict, 'and then once more');
    }),
    RUNS,
  );
  t.pass('mutate and validate agree');
});

t.test('two versions behind one address never refuse for good what one would sign', async (t) => {
  const digest = `sha256:${'1e'.repeat(32)}`;
  const other = {
    placement: { image: `registry.example.com/signer@${digest}`, cpu: '1', memory: '1Gi' },
    version: '10.0.0',
  };
  const versions = [SETTINGS, other];
  const answering = fc.array(fc.constantFrom(...versions), { minLength: 2, maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(anyShape, sets(harmlessPatches), answering, async (build, set, turns) => {
      const { mutate, validate } = webhookIn(build);
      const calls = turns.values();
      const either = (pod: PodManifest) => mutate(pod, calls.next().value);
      const { pod, refusal } = await admission(build.pod, set, either);
      if (refusal) return demand('503 SIGNER_DIFFERS', refusal.verdict, refusal.message);
      const { image = '' } = container(pod, SIGNER);
      for (const settings of versions) {
        const isTheirs = settings.placement.image.endsWith(image.slice(image.indexOf('@')));
        const { verdict, message } = await validate(pod, settings);
        demand(isTheirs ? 'allowed' : '503 SIGNER_DIFFERS', verdict, message);
      }
    }),
    RUNS,
  );
  t.pass('posted again, or accepted');
});

t.test('keys that are names of JavaScript do no harm', async (t) => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
  const keys = Object.fromEntries(names.map((name) => [name, 'x']));
  const quantities = Object.fromEntries(names.map((name) => [`example.com/${name}`, '1']));
  for (const name of ['v0.17.2/02-notary', 'v0.17.2/07b-standard-containers-notary']) {
    const build = signableBuild(name);
    const webhook = webhookIn(build);
    const posted = changed(build.pod, (pod) => {
      pod.metadata.labels = { ...pod.metadata.labels, ...keys };
      pod.metadata.annotations = { ...pod.metadata.annotations, ...keys };
      pod.spec.nodeSelector = keys;
      container(pod, 'export').resources = {
        requests: { ...keys, ...quantities },
        limits: { ...keys, ...quantities },
      };
    });
    t.ok(Object.hasOwn(posted.metadata.labels ?? {}, '__proto__'));
    const { verdict, pod } = await webhook.mutate(posted);
    t.equal(verdict, 'patched');
    t.equal(JSON.stringify(withoutOurs(pod)), JSON.stringify(withoutOurs(waitingForOurs(posted))));
    t.equal((await webhook.mutate(pod)).verdict, 'allowed');
    t.equal((await webhook.validate(pod)).verdict, 'allowed');
    t.equal(({} as Record<string, unknown>)['x'], undefined);
  }
});

/** Ours among others: the pod after all, or our refusal, and what harm was done to it. */
async function admission(
  posted: PodManifest,
  { before, isReinvoked, behind }: WebhookSet,
  mutate: (pod: PodManifest) => Promise<Answered>,
): Promise<{ pod: PodManifest; refusal?: Answered; harms: readonly Harm[] }> {
  const harms: Harm[] = [];
  let refusal: Answered | undefined;
  const webhookOf = ({ patch, isReinvoked }: Neighbour): MutatingWebhook => ({
    isReinvoked,
    call: (pod) => {
      const operations = patch.answer(pod);
      if (patch.harm && operations.length > 0) harms.push(patch.harm);
      return patchedPod(pod, operations);
    },
  });
  const ours: MutatingWebhook = {
    isReinvoked,
    call: async (pod) => {
      const answered = await mutate(pod);
      if (answered.verdict === 'allowed' || answered.verdict === 'patched') return answered.pod;
      refusal = answered;
      throw new Error(answered.message);
    },
  };
  try {
    const webhooks = [...before.map(webhookOf), ours, ...behind.map(webhookOf)];
    return { pod: await afterAll(posted, webhooks), harms };
  } catch (error) {
    if (!refusal) throw error;
    return { pod: posted, refusal, harms };
  }
}

/** @throws Error where an answer is not the one that is wanted */
function demand(wanted: string, found: string, when: string): void {
  if (found !== wanted) throw new Error(`${when}: ${found}, not ${wanted}`);
}
