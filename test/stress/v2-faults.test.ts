import t from 'tap';
import { goTools } from '../bed/go-tools.ts';
import { cleanCalls, runCases } from './fault-run.ts';
import { faultProduct, faultTour } from './fault-product.ts';
import { startV2Setup, V2_SETUP_NAMES, V2_SETUPS } from './v2-fault-setup.ts';

// One after the other, and each with two runs of the signer: more than the runner's default allows.
t.setTimeout(900_000);

/** Long enough for a busy machine; those who are signed do not wait for it. */
const DEADLINES = { late: 6, other: 30 };

t.test('a fault at every call of Notary Project signatures', async (t) => {
  const tools = await goTools();
  if ('missing' in tools) return t.plan(0, tools.missing);
  for (const name of V2_SETUP_NAMES) {
    t.test(name, async (t) => {
      const setup = await startV2Setup(name, tools);
      t.teardown(() => setup.stop());
      const calls = await cleanCalls(setup);
      const { hasApi, isBoth } = V2_SETUPS[name];
      t.equal(calls.includes('registry PUT manifests/sha256-* #1'), !hasApi);
      t.equal(calls.includes('notary POST #1'), isBoth);
      t.ok(calls.includes('registry PUT manifests/sha256:* #1'));
      const cases = faultTour(calls);
      t.comment(`${cases.length} of ${faultProduct(calls).length} faults at ${calls.length} calls`);
      for await (const one of runCases(setup, cases, DEADLINES)) {
        t.same(one.complaints, [], `${one.title}: ${one.came} (${one.milliseconds} ms)`);
      }
    });
  }
});
