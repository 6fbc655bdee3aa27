import t from 'tap';
import { createMemory, processMemory } from '../../../../src/sidecar/io/memory.ts';

const MIB = 1024 * 1024;

t.test('what does not fit into the container is refused before it is taken', async (t) => {
  let resident = 100 * MIB;
  let collected = 0;
  const memory = createMemory({
    limit: 128 * MIB,
    resident: () => resident,
    collect: () => (collected += 1),
  });
  memory.demand(MIB, 'a.json has 1 byte');
  t.equal(collected, 0, 'what fits costs nothing');
  t.throws(() => memory.demand(20 * MIB, 'targets.json of app has 20971520 bytes'), {
    code: 'METADATA_TOO_LARGE',
    message:
      'targets.json of app has 20971520 bytes, for which the signer needs 132 MiB of memory, and the ' +
      'memory limit of the container is 128 MiB',
    fix: /at least 224Mi: raise spec\.build\.resources\.limits\.memory of the Image where it is set, else --signer-memory/,
  });
  t.equal(collected, 1);
  resident = 70 * MIB;
  memory.demand(20 * MIB, 'the same');
});

t.test('what is no longer used is given back first', async (t) => {
  let resident = 120 * MIB;
  const memory = createMemory({
    limit: 128 * MIB,
    resident: () => resident,
    collect: () => (resident = 60 * MIB),
  });
  t.doesNotThrow(() => memory.demand(20 * MIB, 'a file'));
});

t.test('without a limit everything fits', async (t) => {
  const figures = { limit: Infinity, resident: () => 1e12, collect: () => t.fail('nothing to do') };
  t.doesNotThrow(() => createMemory(figures).demand(1e12, 'a file'));
  t.doesNotThrow(() => processMemory().demand(MIB, 'a file'));
});
