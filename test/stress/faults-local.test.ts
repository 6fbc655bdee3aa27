import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { LOCAL_KINDS, localSetup } from './local-fault.ts';

// One run of the signer after the other: more than the runner's default allows.
t.setTimeout(240_000);

t.test('a fault at every step on files', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const setup = await localSetup(bed);
  const clean = await setup.run('clean');
  t.same(clean.complaints, []);
  t.equal(clean.came, 'signed');
  t.ok(clean.steps.length > 20);
  t.comment(`${clean.steps.length} steps, ${LOCAL_KINDS.length} kinds of faults, one at each step`);
  for (const [index, step] of clean.steps.entries()) {
    const kind = LOCAL_KINDS[index % LOCAL_KINDS.length] ?? 'EIO';
    const { came, complaints } = await setup.run(`t${index}`, { step, kind });
    t.same(complaints, [], `${step}: ${kind}: ${came}`);
  }
});
