import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { createRetries, retry } from '../../../../src/sidecar/http/retry.ts';

const passing = () => new SigningError('SERVER_FAILED', 'away', { isTransient: true });
const lasting = () => new SigningError('SERVER_UNTRUSTED', 'no');

/** A pause that takes no time, and remembers what it was asked for. */
function remembered() {
  const waits: number[] = [];
  const pause = (milliseconds: number) => {
    waits.push(milliseconds);
    return Promise.resolve(true);
  };
  return { waits, pause };
}

/** Work that fails so often before it succeeds. */
function failingTimes(times: number, error: () => SigningError) {
  const calls = { count: 0 };
  const work = () => (++calls.count > times ? Promise.resolve('done') : Promise.reject(error()));
  return { calls, work };
}

t.test('retries', async (t) => {
  t.test('outlasts what passes, waits longer each time, and tells why', async (t) => {
    const { waits, pause } = remembered();
    const told: string[] = [];
    const { calls, work } = failingTimes(4, passing);
    t.equal(await retry(work, createRetries(pause), ({ message }) => told.push(message)), 'done');
    t.equal(calls.count, 5);
    t.same(told, ['away', 'away', 'away', 'away']);
    for (const [i, longest] of [400, 800, 1600, 3200].entries()) {
      const wait = waits[i] ?? 0;
      t.ok(wait >= longest / 2 && wait <= longest, `${wait} of ${longest}`);
    }
  });

  t.test('ends', async (t) => {
    const { waits, pause } = remembered();
    const { calls, work } = failingTimes(5, passing);
    await t.rejects(
      retry(work, createRetries(pause), () => undefined),
      { message: 'away' },
    );
    t.equal(calls.count, 5);
    t.equal(waits.length, 4);
  });

  t.test('has none with what stays', async (t) => {
    const { waits, pause } = remembered();
    const { calls, work } = failingTimes(1, lasting);
    await t.rejects(
      retry(work, createRetries(pause), () => undefined),
      { message: 'no' },
    );
    t.equal(calls.count, 1);
    t.same(waits, []);
  });

  t.test('ends with the deadline', async (t) => {
    const pause = () => Promise.reject(new SigningError('DEADLINE_EXCEEDED', 'too long'));
    const { work } = failingTimes(1, passing);
    await t.rejects(
      retry(work, createRetries(pause), () => undefined),
      {
        code: 'DEADLINE_EXCEEDED',
      },
    );
  });

  t.test('waits for as long as the server asks, and a little longer', async (t) => {
    const { waits, pause } = remembered();
    const busy = () =>
      new SigningError('SERVER_FAILED', 'busy', { isTransient: true, retryAfterMs: 60_000 });
    const { work } = failingTimes(1, busy);
    t.equal(await retry(work, createRetries(pause), () => undefined), 'done');
    t.ok((waits[0] ?? 0) > 60_000 && (waits[0] ?? 0) <= 60_400, `${waits[0]}`);
  });

  t.test('ends, with the reason, where the wait would be longer than the deadline', async (t) => {
    const { calls, work } = failingTimes(1, passing);
    const pause = () => Promise.resolve(false);
    await t.rejects(
      retry(work, createRetries(pause), () => undefined),
      { code: 'SERVER_FAILED', message: 'away' },
    );
    t.equal(calls.count, 1);
  });

  t.test('of racers lets chance take away all of a wait, and has no end', async (t) => {
    const { waits, pause } = remembered();
    const race = createRetries(pause, {
      firstWaitMs: 50,
      longestWaitMs: 2000,
      waits: Infinity,
      jitter: 1,
    });
    for (let i = 0; i < 200; i++) t.equal(await race.wait(), true);
    t.ok(Math.max(...waits) <= 2000);
    t.ok(waits.slice(10).some((wait) => wait < 500));
    t.ok(waits.slice(10).some((wait) => wait > 1500));
  });
});
