/** Somebody else who writes the caBundle as well. */
import t from 'tap';
import { formatCaBundle } from '../../../../src/webhook/certificates/ca-certificate.ts';
import { makeCa } from '../../../../src/webhook/certificates/certificate-issuer.ts';
import { chanceOf, createWorld, SECOND, type World } from '../../../support/certificate-world.ts';

/** One replica that has its certificate. */
async function settled(): Promise<{ world: World; check: () => Promise<readonly string[]> }> {
  const world = createWorld({ replicas: 1, chance: chanceOf(1), tellsTime: true, trouble: 0 });
  const check = async () => {
    world.now += 5 * SECOND;
    const { problems } = (await world.replicas[0]?.check()) ?? { problems: [] };
    return problems.map(({ message }) => message);
  };
  for (let looks = 0; looks < 4; looks += 1) t.same(await check(), []);
  t.ok(world.replicas[0]?.served);
  return { world, check };
}

t.test(
  'who replaces the caBundle each time it is written is a problem, until it ends',
  async (t) => {
    const { world, check } = await settled();
    const another = formatCaBundle([await makeCa(world.now)]);
    const told: number[] = [];
    for (let round = 1; round <= 8; round += 1) {
      world.setBundles(() => another);
      told.push((await check()).length);
    }
    t.same(told, [0, 0, 0, 0, 0, 1, 1, 1]);
    t.same(await check(), []);
    t.notOk(world.bundles().includes(another));
  },
);

t.test('damage now and then is none', async (t) => {
  const { world, check } = await settled();
  for (let round = 1; round <= 8; round += 1) {
    world.setBundles(() => '');
    t.same(await check(), []);
    t.same(await check(), []);
  }
});
