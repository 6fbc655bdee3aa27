import t from 'tap';
import { faultProduct, faultSample } from './fault-product.ts';
import { startV1Setup, V1_SETUPS } from './fault-setup.ts';
import { cleanCalls, runCases } from './fault-run.ts';

// One after the other, and each with two runs of the signer: more than the runner's default allows.
t.setTimeout(240_000);

/** Long enough for a busy machine; those who are signed do not wait for it. */
const DEADLINES = { late: 5, other: 30 };

t.test('a fault at every call', { jobs: V1_SETUPS.length, buffered: true }, async (t) => {
  for (const [index, name] of V1_SETUPS.entries()) {
    t.test(`of a repository with ${name}`, async (t) => {
      const setup = await startV1Setup(name);
      t.teardown(() => setup.stop());
      const calls = await cleanCalls(setup);
      t.ok(calls.some((call) => call.startsWith('notary POST')));
      t.equal(
        calls.some((call) => call.startsWith('tokens ')),
        name === 'delegations',
      );
      const cases = faultSample(calls, index === 0 ? 0 : 1);
      t.comment(`${cases.length} of ${faultProduct(calls).length} faults at ${calls.length} calls`);
      for await (const { title, came, complaints, milliseconds } of runCases(
        setup,
        cases,
        DEADLINES,
      )) {
        t.same(complaints, [], `${title}: ${came} (${milliseconds} ms)`);
      }
    });
  }
});
