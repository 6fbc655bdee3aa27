import t from 'tap';
import { createReadiness, type ReadinessState } from '../../../../src/webhook/server/readiness.ts';

t.test('it is ready when all that applies was proven once, and stays so', async (t) => {
  const readiness = createReadiness(['certificate', 'kubernetes-api'], () => undefined);
  t.match(readiness.state(), {
    isReady: false,
    missing: [{ condition: 'certificate' }, { condition: 'kubernetes-api' }],
  });
  readiness.prove('certificate');
  readiness.miss('certificate', 'It is gone.');
  readiness.miss('kubernetes-api', 'It is away.');
  readiness.prove('ca-bundle');
  t.same(readiness.state(), {
    isReady: false,
    isDraining: false,
    missing: [{ condition: 'kubernetes-api', why: 'It is away.' }],
  });
  readiness.prove('kubernetes-api');
  readiness.miss('kubernetes-api', 'It is away again.');
  t.same(readiness.state(), { isReady: true, isDraining: false, missing: [] });
});

t.test('what is drained is never ready again', async (t) => {
  for (const isProvenBefore of [true, false]) {
    const readiness = createReadiness(['certificate'], () => undefined);
    if (isProvenBefore) readiness.prove('certificate');
    readiness.drain();
    readiness.prove('certificate');
    t.same(readiness.state(), { isReady: false, isDraining: true, missing: [] });
  }
});

t.test('each reason is told once, then that it is ready, then that it drains', async (t) => {
  const heard: ReadinessState[] = [];
  const readiness = createReadiness(['certificate', 'ca-bundle'], (state) => heard.push(state));
  for (const why of ['It is away.', 'It is away.', 'It is refused.']) {
    readiness.miss('ca-bundle', why);
  }
  readiness.miss('kubernetes-api', 'It does not apply.');
  readiness.prove('certificate');
  readiness.prove('ca-bundle');
  readiness.prove('ca-bundle');
  readiness.drain();
  readiness.drain();
  t.same(
    heard.map(({ isReady, isDraining, missing }) => [isReady, isDraining, missing.at(-1)?.why]),
    [
      [false, false, 'It is away.'],
      [false, false, 'It is refused.'],
      [true, false, undefined],
      [false, true, undefined],
    ],
  );
});
