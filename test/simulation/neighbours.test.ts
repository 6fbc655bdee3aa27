import fc from 'fast-check';
import t from 'tap';
import { changed, type PodManifest } from '../support/build-fixture.ts';
import { SETTINGS } from '../support/asking.ts';
import { after, neighbours } from '../unit/webhook/support/neighbours.ts';
import { waitingForOurs, withoutOurs } from '../support/pod-changes.ts';
import { container, SIGNER } from '../support/pod.ts';
import { signableFixtures, signableBuild } from '../support/signable.ts';
import { demandOnce, demandSame, webhookIn } from '../unit/webhook/support/webhook-in.ts';
import { runs } from '../support/runs.ts';

const RUNS = runs(300);
const fixtures = fc.constantFrom(...signableFixtures);

function webhookFor(name: string) {
  const given = signableBuild(name);
  return { posted: given.pod, ...webhookIn(given) };
}

t.test('injecting twice changes nothing, whoever changed the pod before', async (t) => {
  await fc.assert(
    fc.asyncProperty(fixtures, neighbours, async (name, before) => {
      const webhook = webhookFor(name);
      const first = await webhook.mutate(after(webhook.posted, before));
      const second = await webhook.mutate(first.pod);
      if (first.verdict !== 'patched') throw new Error(first.verdict);
      if (second.verdict !== 'allowed') throw new Error(`again: ${second.verdict}`);
      const accepted = await webhook.validate(first.pod);
      if (accepted.verdict !== 'allowed') throw new Error(`validate: ${accepted.verdict}`);
    }),
    RUNS,
  );
  t.pass('both answers are empty');
});

t.test('all that stood there stays, in order, byte for byte', async (t) => {
  await fc.assert(
    fc.asyncProperty(fixtures, neighbours, neighbours, async (name, before, between) => {
      const webhook = webhookFor(name);
      const arrived = after(webhook.posted, before);
      const { pod: injected } = await webhook.mutate(arrived);
      demandSame(withoutOurs(injected), expected(arrived), 'at first');
      const changedLater = after(injected, between);
      const { pod: last } = await webhook.mutate(changedLater);
      demandSame(withoutOurs(last), withoutOurs(changedLater), 'called again');
    }),
    RUNS,
  );
  t.pass('nothing else is touched');
});

t.test(
  'the set converges: whoever comes after us, the pod is accepted as it is stored',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fixtures, neighbours, neighbours, neighbours, async (name, ...turns) => {
        const webhook = webhookFor(name);
        const [before, between, later] = turns;
        const first = await webhook.mutate(after(webhook.posted, before));
        const unseen = after(first.pod, between);
        const early = await webhook.validate(unseen);
        if (early.verdict !== 'allowed') throw new Error(`not called again: ${early.verdict}`);
        const second = await webhook.mutate(unseen);
        if (!['allowed', 'patched'].includes(second.verdict)) throw new Error(second.verdict);
        const stored = after(second.pod, later);
        const accepted = await webhook.validate(stored);
        if (accepted.verdict !== 'allowed') throw new Error(`called again: ${accepted.verdict}`);
        const third = await webhook.mutate(stored);
        const fourth = await webhook.mutate(third.pod);
        if (fourth.verdict !== 'allowed') throw new Error(`no end: ${fourth.verdict}`);
        demandOnce(stored);
      }),
      RUNS,
    );
    t.pass('mutate, validate and mutate agree');
  },
);

t.test(
  'two versions behind one address never refuse for good what either would sign',
  async (t) => {
    const other = {
      placement: { image: 'registry.example.com/signer:next', cpu: '1', memory: '1Gi' },
      version: '10.0.0',
    };
    const versions = fc.array(fc.constantFrom({}, other), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fixtures, neighbours, versions, async (name, between, answering) => {
        const webhook = webhookFor(name);
        let pod = webhook.posted;
        for (const settings of answering) {
          const mutated = await webhook.mutate(pod, settings);
          if (mutated.verdict.startsWith('422')) throw new Error(`mutate: ${mutated.verdict}`);
          if (mutated.verdict.startsWith('503')) break;
          pod = after(mutated.pod, between);
        }
        for (const settings of [{}, other]) {
          const isOurs = container(pod, SIGNER).image === imageOf(settings);
          const { verdict } = await webhook.validate(pod, settings);
          const wanted = isOurs ? 'allowed' : '503 SIGNER_DIFFERS';
          if (verdict !== wanted) throw new Error(`validate: ${verdict}, not ${wanted}`);
        }
      }),
      RUNS,
    );
    t.pass('posted again, or accepted');
  },
);

function imageOf({ placement = SETTINGS.placement }: Partial<typeof SETTINGS>): string {
  return placement.image;
}

/** What is to become of a pod, without what we add. */
const expected = (pod: PodManifest) => withoutOurs(waitingForOurs(pod));

t.test('keys that are names of JavaScript do no harm', async (t) => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
  const keys = Object.fromEntries(names.map((name) => [name, 'x']));
  const quantities = Object.fromEntries(names.map((name) => [`example.com/${name}`, '1']));
  for (const name of ['v0.17.2/02-notary', 'v0.17.2/07b-standard-containers-notary']) {
    const webhook = webhookFor(name);
    const posted = changed(webhook.posted, (pod) => {
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
    t.equal(JSON.stringify(withoutOurs(pod)), JSON.stringify(expected(posted)));
    t.equal((await webhook.mutate(pod)).verdict, 'allowed');
    t.equal((await webhook.validate(pod)).verdict, 'allowed');
    t.equal(({} as Record<string, unknown>)['x'], undefined);
  }
});
