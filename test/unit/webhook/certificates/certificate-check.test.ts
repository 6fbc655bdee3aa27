import { pino } from 'pino';
import t from 'tap';
import {
  keepChecking,
  type CheckResult,
} from '../../../../src/webhook/certificates/certificate-check.ts';
import { ClusterError } from '../../../../src/shared/kubernetes/cluster.ts';
import { until } from '../../../support/program.ts';

/** Checks that give these results in turn, the last one for ever; and all that is heard of them. */
function checking(results: readonly (CheckResult | Error)[]) {
  const heard = { proven: [] as string[], missed: [] as string[], results: [] as string[] };
  let log = '';
  let count = 0;
  const stop = keepChecking(
    () => {
      const result = results[Math.min(count, results.length - 1)];
      count += 1;
      return result instanceof Error
        ? Promise.reject(result)
        : Promise.resolve(result ?? { problems: [], missing: {} });
    },
    {
      log: pino({ base: null }, { write: (line) => (log += line) }),
      metrics: { checked: (result) => heard.results.push(result) },
      conditions: {
        prove: (condition) => heard.proven.push(condition),
        miss: (condition, why) => heard.missed.push(`${condition}: ${why}`),
      },
    },
  );
  const messages = () =>
    log
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { readonly msg: string; readonly problem?: string });
  return { heard, stop, count: () => count, messages };
}

const SOON = { lookAgain: 0 };
const WELL = { problems: [], missing: {} };

t.test('what is so is proven, and what is not is told with what was in the way', async (t) => {
  const forbidden = new ClusterError('GET /x was answered with HTTP 403', { fix: 'Allow it.' });
  const { heard, stop, count } = checking([
    { problems: [forbidden], missing: { certificate: 'none yet' }, ...SOON },
    WELL,
  ]);
  await until(() => count() === 2);
  await stop();
  t.same(heard.proven, ['ca-bundle', 'certificate', 'ca-bundle']);
  t.same(heard.missed, [
    'certificate: none yet (GET /x was answered with HTTP 403. Fix: Allow it.)',
  ]);
  t.same(heard.results, ['error', 'ok']);
});

t.test('a problem is logged when it comes, changes and goes', async (t) => {
  const problemsResult = (message: string) => ({
    problems: [new Error(message)],
    missing: {},
    ...SOON,
  });
  const { stop, count, messages } = checking([
    problemsResult('a'),
    problemsResult('a'),
    problemsResult('b'),
    { ...WELL, ...SOON },
    WELL,
  ]);
  await until(() => count() === 5);
  await stop();
  t.same(
    messages().map(({ msg, problem }) => problem ?? msg),
    ['a', 'b', 'certificates are looked after again'],
  );
});

t.test('the same problems in another order are no news', async (t) => {
  const problemsResult = (...messages: readonly string[]) => ({
    problems: messages.map((message) => new Error(message)),
    missing: {},
    ...SOON,
  });
  const { stop, count, messages } = checking([
    problemsResult('a', 'b'),
    problemsResult('b', 'a'),
    WELL,
  ]);
  await until(() => count() === 3);
  await stop();
  t.equal(messages().filter(({ problem }) => problem !== undefined).length, 1);
});

t.test('a mistake of ours does not end the checks', async (t) => {
  const { heard, stop, count } = checking([new TypeError('oops'), WELL]);
  await until(() => heard.results.length === 1);
  t.match(heard.missed, [/^certificate: .*oops/, /^ca-bundle: .*oops/]);
  t.equal(count(), 1);
  await stop();
});

t.test('stopping gives up a check under way, and waits for nothing', async (t) => {
  let given: AbortSignal | undefined;
  const stop = keepChecking(
    (signal) => {
      given = signal;
      return new Promise((resolve) => {
        signal.addEventListener('abort', () =>
          resolve({ problems: [new Error('x')], missing: {} }),
        );
      });
    },
    {
      log: pino({ level: 'silent' }),
      metrics: { checked: () => t.fail('what was given up counts for nothing') },
      conditions: { prove: () => t.fail(), miss: () => t.fail() },
    },
  );
  t.equal(given?.aborted, false);
  await stop();
  t.equal(given?.aborted, true);
  const idle = checking([WELL]);
  await until(() => idle.count() === 1);
  await idle.stop();
  t.equal(idle.count(), 1);
});
