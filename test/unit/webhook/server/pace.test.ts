import t from 'tap';
import { Pace } from '../../../../src/webhook/server/pace.ts';
import { admissionReview } from '../../../bed/webhook.ts';
import { buildFixture, manifestsOf } from '../../../support/build-fixture.ts';
import { floodKinds } from '../../../stress/flood-kind.ts';
import { memoryCluster } from '../../../support/asking.ts';
import { post, serve } from '../../../support/served.ts';

class Gate {
  open = (): void => undefined;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

/** Keeps the processor busy, as parsing does. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

t.test(
  'between two pieces of long work the event loop turns, and what is smaller is next',
  async (t) => {
    const pace = new Pace();
    const order: string[] = [];
    const piece = async (name: string, size: number) => {
      await pace.enter(size);
      order.push(name);
      work(15);
    };
    const large = Array.from({ length: 5 }, (_, i) => piece(`large ${i}`, 1_000));
    // Arrives while the first of them are being done.
    const small = new Promise<void>((resolve) => {
      setImmediate(() => resolve(piece('small', 10)));
    });
    let turns = 0;
    const count = () => {
      turns++;
      if (order.length < 6) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all([...large, small]);
    t.same(order.length, 6);
    t.ok(order.indexOf('small') < 5, order.join(', '));
    t.ok(turns >= 2, `${turns} turns`);
  },
);

t.test('much short work is done within few turns', async (t) => {
  const pace = new Pace();
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(Array.from({ length: 1_000 }, () => pace.enter(1)));
  isOver = true;
  t.ok(turns < 100, `${turns} turns`);
});

t.test(
  'a build pod does not wait until all large ones that were read with it are decided',
  async (t) => {
    // In standard containers each review asks for LimitRanges of its own.
    const given = buildFixture('v0.17.2/07b-standard-containers-notary');
    // With the small one, no more than one namespace may read at once.
    const LARGE = 10;
    // Resolves once the last of so many reads; what it brings comes to all at the same time.
    const reads = Array.from({ length: LARGE + 1 }, () => new Gate());
    let reading = 0;
    const cluster = memoryCluster(manifestsOf(given));
    const { app } = serve(t, {
      ...cluster,
      limitRanges: async (namespace) => {
        reads[reading++]?.open();
        await reads[LARGE]?.opened;
        return cluster.limitRanges(namespace);
      },
    });
    const { flood } = floodKinds(given.pod)['mounts'] ?? {};
    if (flood?.kind !== 'requests') throw new Error('mounts are no flood of requests');
    const large = flood.body();
    const small = JSON.stringify(admissionReview({ object: given.pod }));
    const order: string[] = [];
    const send = async (body: string) => {
      const { body: answer } = await post(app, '/mutate', body);
      t.ok(answer.response?.patch, 'is signed');
      order.push(body === small ? 'small' : 'large');
    };
    const sent = Array.from({ length: LARGE }, () => send(large));
    await reads[LARGE - 1]?.opened;
    await Promise.all([...sent, send(small)]);
    t.ok(order.indexOf('small') < LARGE / 2, order.join(', '));
  },
);
