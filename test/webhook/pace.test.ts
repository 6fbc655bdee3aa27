import t from 'tap';
import { Pace } from '../../src/webhook/pace.ts';

const never = () => new AbortController().signal;

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
      await pace.enter(size, never());
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
  await Promise.all(Array.from({ length: 1_000 }, () => pace.enter(1, never())));
  isOver = true;
  t.ok(turns < 100, `${turns} turns`);
});

t.test('who gave up meanwhile does no work', async (t) => {
  const pace = new Pace();
  await pace.enter(1, never());
  work(15);
  const impatient = new AbortController();
  const late = pace.enter(1, impatient.signal);
  impatient.abort(new Error('the time is over'));
  await t.rejects(late, /the time is over/);
  await pace.enter(1, never());
});
