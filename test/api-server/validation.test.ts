import t, { type Test } from 'tap';
import { demand, type KubeAnswer, type KubeReference } from '../bed/kube-client.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import { annotate, buildFixture, P, section, setSection } from '../support/build-fixture.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import {
  apiVersionsOf,
  objectThatSays,
  type NotaryRule,
  type Words,
} from '../support/notary-rule.ts';
import { NOTARY_RULES } from '../support/notary-rules.ts';
import { refusalOf } from '../support/validation-page.ts';

const cluster = await startTestCluster(t);
const { api } = cluster;
const NAMESPACE = 'validation';
await cluster.namespace(NAMESPACE, { labels: { [`${P}signing`]: 'enabled' } });
/** For rules that speak of what the admin says; named as they name it. */
const RULED_NAMESPACE = 'apps';
await cluster.namespace(RULED_NAMESPACE, {
  labels: { [`${P}signing`]: 'enabled' },
  annotations: Object.fromEntries(NOTARY_RULES.flatMap(({ admin = {} }) => Object.entries(admin))),
});

interface Writable extends KubeReference {
  readonly metadata: KubeReference['metadata'] & {
    readonly labels?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
  };
}

/** Rules need the API server less than it needs them: a few at once. */
const AT_ONCE = 6;

/** Does the work for each item, some at a time. */
async function forEach<Item>(
  items: readonly Item[],
  work: (item: Item, i: number) => Promise<void>,
) {
  const waiting = [...items.entries()];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** A refusal by the entry that the object has in deploy/, in the words of the page. */
function isRefused(
  t: Test,
  answer: KubeAnswer<Writable>,
  { name }: NotaryRule,
  kind: string,
  expected: string | undefined,
) {
  const entry = kind === 'Namespace' ? 'namespaces' : 'kpack';
  t.match(answer, { ok: false, status: 422, failure: { reason: 'Invalid' } }, name);
  const prefix = `admission webhook "${entry}.notary.kpack.io" denied the request: `;
  if (expected !== undefined) t.equal(answer.failure?.message, prefix + expected, name);
}

for (const kind of ['Image', 'Build', 'Namespace'] as const) {
  for (const [v, apiVersion] of apiVersionsOf(kind).entries()) {
    t.test(`${kind} of ${apiVersion}: every rule, by every way to write`, async (t) => {
      const rules = NOTARY_RULES.filter(({ on }) => on.includes(kind));
      await forEach(rules, async (rule, i) => {
        const objectNamed = (name: string, words: Words): Writable => {
          const { metadata, ...rest } = objectThatSays(kind, apiVersion, words, name);
          const namespace = rule.admin ? RULED_NAMESPACE : NAMESPACE;
          const place = kind === 'Namespace' ? {} : { namespace };
          return { ...rest, metadata: { ...metadata, ...place, name } };
        };
        const refused = async (answer: KubeAnswer<Writable>, name: string) =>
          isRefused(t, answer, rule, kind, await refusalOf(rule, kind, apiVersion, name));

        // As `kubectl create` and `kubectl replace` write.
        const one = `one-${v}-${i}`;
        const [bad, good] = [objectNamed(one, rule.rejected), objectNamed(one, rule.accepted)];
        await refused(await api.create(bad), one);
        await refused(await api.create(bad, { dryRun: true }), one);
        const { metadata } = demand(await api.create(good));
        const { resourceVersion = '' } = metadata;
        const at = (object: Writable, labels = {}): Writable => ({
          ...object,
          metadata: {
            ...object.metadata,
            resourceVersion,
            labels: { ...object.metadata.labels, ...labels },
          },
        });
        await refused(await api.update(at(bad)), one);
        await refused(await api.update(at(bad), { dryRun: true }), one);
        t.ok((await api.update(at(good, { team: 'a' }), { dryRun: true })).ok, rule.name);

        // As `kubectl apply --server-side` writes.
        const two = `two-${v}-${i}`;
        const [badly, well] = [objectNamed(two, rule.rejected), objectNamed(two, rule.accepted)];
        await refused(await api.apply(badly), two);
        await refused(await api.apply(badly, { dryRun: true }), two);
        demand(await api.apply(well));
        // An object that loses its members by an apply is not {} but null to the API server.
        const isEmptied = JSON.stringify(rule.rejected).includes('{}');
        for (const dryRun of [false, true]) {
          const answer = await api.apply(badly, { dryRun });
          if (isEmptied) isRefused(t, answer, rule, kind, undefined);
          else await refused(answer, two);
        }
      });
    });
  }
}

t.test('what got in while the webhook was away', async (t) => {
  const namespace = 'away';
  await cluster.namespace(namespace, { labels: { [`${P}signing`]: 'enabled' } });
  const fixture = buildFixture('v0.17.2/02-notary');
  setSection({ ...fixture, namespace: fixture.build }, { v1: { url: 'notary.example.com' } });
  annotate({ ...fixture, namespace: fixture.build }, { [`${P}v1.ulr`]: 'x' });
  const { pod, image } = await cluster.whileAway(() => cluster.store(fixture, namespace));
  if (!image) throw new Error('no image');

  const left = await api.patch(image, { metadata: { labels: { team: 'a' } } });
  t.ok(left.ok, 'may be left as it is');
  t.match(left.warnings[0], /malformed, as before: metadata.annotations/);
  const spoiled = await api.patch(image, { spec: { notary: { v1: { url: 'x' } } } });
  t.equal(spoiled.failure?.code, 422, 'not spoiled further');

  const posted = await cluster.post(pod);
  t.equal(posted.failure?.code, 422, 'is refused at the build pod');
  const again = { ...image, metadata: { ...image.metadata, name: 'app', resourceVersion: '' } };
  const written = await api.create({ ...again, metadata: { ...again.metadata, name: 'other' } });
  const words = (text = '') => /kpack-notary NOTARY_CONFIG_INVALID: (.*)$/.exec(text)?.[1];
  t.equal(
    words(posted.failure?.message),
    words(written.failure?.message)?.replaceAll('Image other', `Image ${image.metadata.name}`),
    'with the words that the Image would have been refused with',
  );
  t.ok((await api.delete(image)).ok, 'may be deleted');
});

t.test("what kpack's controller writes is never refused", async (t) => {
  const build = objectThatSays('Build', 'kpack.io/v1alpha2', { notary: {} }, 'by-kpack');
  const object = { ...build, metadata: { ...build.metadata, namespace: NAMESPACE } };
  const answer = await api.create(object, { as: KPACK_USER });
  t.ok(answer.ok);
  t.match(answer.warnings, [
    /malformed, so its pod is going to be refused: spec.notary.v1 of Build/,
  ]);
});

t.test('an Image that is being deleted loses its finalizer, malformed or not', async (t) => {
  const image = objectThatSays('Image', 'kpack.io/v1alpha2', { notary: {} }, 'going');
  const metadata = { ...image.metadata, namespace: NAMESPACE, finalizers: ['example.com/x'] };
  const stored = await cluster.whileAway(() => api.create({ ...image, metadata }));
  demand(stored);
  demand(await api.delete({ ...image, metadata }));
  const going = demand(await api.get({ ...image, metadata }));
  const patched = await api.patch(going, {
    metadata: { finalizers: null, annotations: { [`${P}v1.ulr`]: 'x' } },
  });
  t.ok(patched.ok);
});

t.test('risks are told to whoever writes', async (t) => {
  const off = 'validation-off';
  await cluster.namespace(off);
  const image = objectThatSays('Image', 'kpack.io/v1alpha1', { notary: section() }, 'risky');
  const object = { ...image, metadata: { ...image.metadata, namespace: off } };
  const { warnings } = await api.create(object, { dryRun: true });
  t.match(warnings, [
    /namespace validation-off has not opted in, .*`kubectl label namespace validation-off/,
    /no root pin/,
    /signing Secret notary-signing is not in namespace validation-off yet/,
    /service account builder has no credentials for notary.example.com:4443/,
  ]);
  for (const warning of warnings) t.ok(warning.length <= 256);
});
