import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import type { Cluster, ObjectReference } from '../../../../src/shared/kubernetes/cluster.ts';
import { fairCluster } from '../../../../src/webhook/server/fair-cluster.ts';
import { CONNECTIONS } from '../../../../src/shared/kubernetes/kubernetes-access.ts';
import { Turns } from '../../../../src/webhook/server/turns.ts';
import { memoryCluster } from '../../../support/asking.ts';

const secret = (namespace: string, i: number): ObjectReference => ({
  apiVersion: 'v1',
  kind: 'Secret',
  namespace,
  name: `s${i}`,
});

t.test('namespaces that want ten thousand reads have others wait for a few of them', async (t) => {
  const order: string[] = [];
  const cluster: Cluster = {
    ...memoryCluster([]),
    get: async ({ namespace = '' }) => {
      await pause(1);
      order.push(namespace);
      return undefined;
    },
  };
  const fair = fairCluster(cluster);
  const crowd = Array.from({ length: 10_000 }, (_, i) => fair.get(secret(`crowd-${i % 2}`, i)));
  await Promise.all(Array.from({ length: 3 }, (_, i) => fair.get(secret('other', i))));
  t.ok(order.length < 100, `${order.length} reads until the three were done`);
  await Promise.all(crowd);
  t.equal(order.length, 10_003);
});

t.test(
  'a namespace has three quarters of the connections at most, for whatever it reads',
  async (t) => {
    let underWay = 0;
    const hang = () => {
      underWay++;
      return new Promise<never>(() => undefined);
    };
    const fair = fairCluster({ get: hang, limitRanges: hang });
    const crowd = (namespace: string) => {
      void fair.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
      for (let i = 0; i < CONNECTIONS; i++) {
        void fair.get(secret(namespace, i));
        void fair.limitRanges(namespace);
      }
    };
    crowd('crowd');
    t.equal(underWay, 0.75 * CONNECTIONS);
    crowd('other');
    t.equal(underWay, CONNECTIONS);
  },
);

t.test('reads at the same time are shared, of the same object alone', async (t) => {
  let reads = 0;
  const fair = fairCluster({
    ...memoryCluster([]),
    get: async (reference) => {
      reads++;
      await Promise.resolve();
      return { metadata: { name: JSON.stringify(reference) } };
    },
  });
  const one = secret('apps', 1);
  const references: readonly ObjectReference[] = [
    one,
    { ...one, name: 'other' },
    { ...one, namespace: 'other' },
    { ...one, kind: 'ServiceAccount' },
    { ...one, apiVersion: 'v2' },
  ];
  const asked = Array.from({ length: 10 }, () => references).flat();
  const found = await Promise.all(asked.map((reference) => fair.get(reference)));
  t.same(
    found.map((object) => object?.metadata.name),
    asked.map((reference) => JSON.stringify(reference)),
  );
  t.equal(reads, 2 * references.length, 'who asks first does not wait for the others');
});

t.test('who gives up takes nothing from those that share its read', async (t) => {
  const found = { metadata: { name: 's1' } };
  const fair = fairCluster({ ...memoryCluster([]), get: () => Promise.resolve(found) });
  const stranger = new AbortController();
  const one = secret('apps', 1);
  const asked = [undefined, stranger.signal, undefined].map((signal) => fair.get(one, signal));
  stranger.abort(new Error('gone'));
  t.match(await Promise.allSettled(asked), [
    { value: found },
    { reason: { message: 'gone' } },
    { value: found },
  ]);
});

t.test('who gives up while waiting has nothing read', async (t) => {
  let reads = 0;
  const fair = fairCluster({
    ...memoryCluster([]),
    get: async () => {
      reads++;
      await pause(20);
      return undefined;
    },
  });
  const impatient = new AbortController();
  const kept = Array.from({ length: 12 }, (_, i) => fair.get(secret('apps', i)));
  const given = Array.from({ length: 100 }, (_, i) =>
    fair.get(secret('apps', i), impatient.signal),
  );
  impatient.abort(new Error('the time is over'));
  for (const one of await Promise.allSettled(given)) t.equal(one.status, 'rejected');
  await Promise.all(kept);
  t.equal(reads, 12);
});

t.test('who gives up while waiting is told at once, and holds up nobody', async (t) => {
  const turns = new Turns({ atOnce: 1, ofParty: 1 });
  let end: (() => void) | undefined;
  const running = turns.run('apps', undefined, () => new Promise<void>((done) => (end = done)));
  const impatient = new AbortController();
  const given = turns.run('other', impatient.signal, () => Promise.reject(new Error('was done')));
  impatient.abort(new Error('the time is over'));
  await t.rejects(given, /the time is over/);
  await t.rejects(
    turns.run('other', impatient.signal, () => Promise.resolve()),
    /the time is over/,
  );
  end?.();
  await running;
  t.equal(await turns.run('other', undefined, () => Promise.resolve('done')), 'done');
});

t.test(
  'whatever is asked in whatever order, all is done, and never more than may be',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 3 }))),
        async (asked) => {
          const turns = new Turns({ atOnce: 4, ofParty: 2 });
          const running = new Map<number, number>();
          let done = 0;
          await Promise.all(
            asked.map(([party, length]) =>
              turns.run(String(party), undefined, async () => {
                running.set(party, (running.get(party) ?? 0) + 1);
                t.ok((running.get(party) ?? 0) <= 2);
                t.ok([...running.values()].reduce((sum, one) => sum + one, 0) <= 4);
                for (let i = 0; i < length; i++) await Promise.resolve();
                running.set(party, (running.get(party) ?? 0) - 1);
                done++;
              }),
            ),
          );
          t.equal(done, asked.length);
        },
      ),
    );
  },
);

t.test('what fails gives its turn back', async (t) => {
  const fair = fairCluster({
    ...memoryCluster([]),
    get: () => Promise.reject(new Error('no')),
    limitRanges: () => Promise.resolve([]),
  });
  for (let i = 0; i < 50; i++) await t.rejects(fair.get(secret('apps', i)), /no/);
  t.same(await fair.limitRanges('apps'), []);
});
