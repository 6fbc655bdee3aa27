import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { ByteBudget, type Share } from '../../../../src/webhook/server/byte-budget.ts';

const never = () => new AbortController().signal;
const OPTIONS = { total: 100, mostWaiting: 3, revokeAfter: 40 };

t.test('the smallest that waits is next, and of equals the first', async (t) => {
  const budget = new ByteBudget({ ...OPTIONS, mostWaiting: 10 });
  const first = await budget.take(100, never());
  const order: string[] = [];
  const asking = [
    ['large', 90],
    ['small', 20],
    ['medium', 50],
    ['small too', 20],
  ] as const;
  const shares = asking.map(async ([name, bytes]) => {
    const share = await budget.take(bytes, never());
    order.push(name);
    await pause(1);
    share.release();
  });
  first.release();
  await Promise.all(shares);
  t.same(order, ['small', 'small too', 'medium', 'large']);
});

t.test('where too many wait, the largest of them is refused', async (t) => {
  const budget = new ByteBudget(OPTIONS);
  const holder = await budget.take(100, never());
  const fits = budget.take(30, never());
  const largest = budget.take(90, never());
  const others = [20, 10].map((bytes) => budget.take(bytes, never()));
  await t.rejects(largest, { name: 'BudgetError' });
  await t.rejects(budget.take(31, never()), { name: 'BudgetError' }, 'who comes is the largest');
  holder.release();
  for (const share of await Promise.all([fits, ...others])) share.release();
});

t.test('who gives up waiting is not given anything', async (t) => {
  const budget = new ByteBudget(OPTIONS);
  const holder = await budget.take(100, never());
  const impatient = new AbortController();
  const asked = budget.take(100, impatient.signal);
  impatient.abort(new Error('the time is over'));
  await t.rejects(asked, /the time is over/);
  await t.rejects(budget.take(100, impatient.signal), /the time is over/);
  holder.release();
  (await budget.take(100, never())).release();
});

// The budget's own timer keeps no program running.
const running = setInterval(() => undefined, 1_000);
t.teardown(() => clearInterval(running));

t.test('who holds a share for what does not come loses it when others wait', async (t) => {
  const budget = new ByteBudget(OPTIONS);
  const [idle, working] = await Promise.all([budget.take(50, never()), budget.take(50, never())]);
  await pause(2 * OPTIONS.revokeAfter);
  t.notOk(idle.revoked.aborted, 'nobody waits');
  idle.revoked.addEventListener('abort', () => idle.release());
  const next = await budget.take(50, never());
  t.ok(idle.revoked.aborted);
  for (const share of [next, working]) share.release();
});

t.test('who gives up waiting makes nobody else lose a share', async (t) => {
  const budget = new ByteBudget(OPTIONS);
  const slow = await budget.take(100, never());
  const { revoked } = slow;
  const impatient = new AbortController();
  const asked = budget.take(10, impatient.signal);
  impatient.abort(new Error('the time is over'));
  await t.rejects(asked, /the time is over/);
  await pause(3 * OPTIONS.revokeAfter);
  t.notOk(revoked.aborted, 'nobody waits any more');
  slow.release();
});

t.test('never is more held than there is, and all that can be served is', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant('release' as const)), {
        maxLength: 60,
      }),
      async (steps) => {
        const budget = new ByteBudget({ total: 100, mostWaiting: 1_000, revokeAfter: 1_000 });
        const held: { readonly bytes: number; readonly share: Share }[] = [];
        const waiting: number[] = [];
        for (const step of steps) {
          if (step === 'release') held.shift()?.share.release();
          else {
            waiting.push(step);
            void budget.take(step, never()).then((share) => {
              waiting.splice(waiting.indexOf(step), 1);
              held.push({ bytes: step, share });
            });
          }
          await Promise.resolve();
          await Promise.resolve();
          const sum = held.reduce((total, { bytes }) => total + bytes, 0);
          t.ok(sum <= 100);
          if (waiting.length > 0) t.ok(Math.min(...waiting) > 100 - sum, 'nobody waits in vain');
        }
      },
    ),
  );
});
