import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { SharedReads } from '../../../../src/webhook/server/shared-reads.ts';

const never = () => new AbortController().signal;

t.test('what is read is always as new as the asking, however many ask', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('ask' as const, 'write' as const, 'wait' as const), {
        maxLength: 40,
        size: 'max',
      }),
      async (steps) => {
        const reads = new SharedReads<number>();
        let version = 0;
        let running = 0;
        const asked: Promise<void>[] = [];
        for (const step of steps) {
          if (step === 'write') version++;
          else if (step === 'wait') await Promise.resolve();
          else {
            const least = version;
            asked.push(
              reads
                .get('object', never(), async () => {
                  running++;
                  t.ok(running === 1, 'one at a time');
                  const seen = version;
                  for (let i = 0; i < 3; i++) await Promise.resolve();
                  running--;
                  return seen;
                })
                .then((seen) => void t.ok(seen >= least, `${seen} where ${least} was written`)),
            );
          }
        }
        await Promise.all(asked);
      },
    ),
  );
});

t.test('a crowd that asks at once reads twice at most', async (t) => {
  const reads = new SharedReads<string>();
  let count = 0;
  const read = async () => {
    count++;
    await pause(5);
    return 'object';
  };
  const first = reads.get('object', never(), read);
  await pause(1);
  const crowd = Array.from({ length: 100 }, () => reads.get('object', never(), read));
  for (const found of await Promise.all([first, ...crowd])) t.equal(found, 'object');
  t.equal(count, 2);
  await reads.get('other', never(), read);
  t.equal(count, 3);
});

t.test('a read goes on as long as anybody waits for it, and fails for all of them', async (t) => {
  const reads = new SharedReads<string>();
  const aborted: unknown[] = [];
  const hang = (signal?: AbortSignal) =>
    new Promise<string>((_, reject) => {
      signal?.addEventListener('abort', () => {
        aborted.push(signal.reason);
        reject(signal.reason as Error);
      });
    });
  const [one, other] = [new AbortController(), new AbortController()];
  const first = reads.get('object', never(), () => pause(1, 'first'));
  const asked = [one, other].map(({ signal }) => reads.get('object', signal, hang));
  const ends = Promise.allSettled(asked);
  t.equal(await first, 'first');
  await pause(1);
  one.abort(new Error('gone'));
  await pause(1);
  t.same(aborted, []);
  other.abort(new Error('gone, too'));
  t.match(await ends, [{ reason: { message: 'gone' } }, { reason: { message: 'gone, too' } }]);
  t.equal(aborted.length, 1);
  await t.rejects(
    reads.get('object', never(), () => Promise.reject(new Error('no'))),
    /no/,
  );
});

t.test('who asks after others gave up has a read of its own', async (t) => {
  const reads = new SharedReads<string>();
  const gone = new AbortController();
  let end: (() => void) | undefined;
  const first = reads.get(
    'object',
    never(),
    () => new Promise((resolve) => (end = () => resolve('first'))),
  );
  const given = reads.get('object', gone.signal, () => Promise.resolve('never read'));
  gone.abort(new Error('the caller has gone'));
  await t.rejects(given, /the caller has gone/);
  const later = reads.get('object', never(), () => Promise.resolve('read'));
  end?.();
  t.equal(await first, 'first');
  t.equal(await later, 'read');
});
