/** Somebody else who writes the caBundle as well. */
import t from 'tap';
import { formatCaBundle } from '../../../../src/webhook/certificates/ca-certificate.ts';
import { makeCa } from '../../../../src/webhook/certificates/certificate-issuer.ts';
import {
  simulateCertificates,
  SECOND,
  type CertificateSimulation,
} from '../../../support/certificate-simulation.ts';
import { seeded } from '../../../support/random.ts';

/** One replica that has its certificate. */
async function settledSimulation(): Promise<{
  simulation: CertificateSimulation;
  check: () => Promise<readonly string[]>;
}> {
  const simulation = simulateCertificates({
    replicas: 1,
    chance: seeded(1),
    tellsTime: true,
    trouble: 0,
  });
  const check = async () => {
    simulation.now += 5 * SECOND;
    const { problems } = (await simulation.replicas[0]?.check()) ?? { problems: [] };
    return problems.map(({ message }) => message);
  };
  for (let looks = 0; looks < 4; looks += 1) t.same(await check(), []);
  t.ok(simulation.replicas[0]?.served);
  return { simulation, check };
}

t.test(
  'who replaces the caBundle each time it is written is a problem, until it ends',
  async (t) => {
    const { simulation, check } = await settledSimulation();
    const another = formatCaBundle([await makeCa(simulation.now)]);
    const told: number[] = [];
    for (let round = 1; round <= 8; round += 1) {
      simulation.setBundles(() => another);
      told.push((await check()).length);
    }
    t.same(told, [0, 0, 0, 0, 0, 1, 1, 1]);
    t.same(await check(), []);
    t.notOk(simulation.bundles().includes(another));
  },
);

t.test('damage now and then is none', async (t) => {
  const { simulation, check } = await settledSimulation();
  for (let round = 1; round <= 8; round += 1) {
    simulation.setBundles(() => '');
    t.same(await check(), []);
    t.same(await check(), []);
  }
});
