/** Months of certificates, with clocks of their own, outages and damage. */
import t from 'tap';
import { readCaBundle } from '../../src/webhook/certificates/ca-certificate.ts';
import { readStoredTrust } from '../../src/webhook/certificates/issuing-ca.ts';
import {
  simulateCertificates,
  DAY,
  HOUR,
  SECOND,
  type SimulatedReplica,
  type CertificateSimulation,
} from '../support/certificate-simulation.ts';
import { seeded, type Random } from '../support/random.ts';

const MONTHS_15 = 456 * DAY;
/** How long a replica that has nothing to do is asleep at most: far longer than in truth. */
const IDLE = DAY;

interface Run {
  /** How far the clock of a replica may be off, in ms. */
  readonly skew: number;
  readonly tellsTime: boolean;
}

/** Plays 15 months. @returns what was refused */
async function play(
  simulation: CertificateSimulation,
  chance: Random,
  { skew }: Run,
): Promise<readonly string[]> {
  const end = simulation.now + MONTHS_15;
  const between = (least: number, most: number) => least + chance() * (most - least);
  const some = () => simulation.replicas[Math.floor(chance() * simulation.replicas.length)];
  const queue: { at: number; act: () => Promise<void> | void }[] = [];
  const later = (delay: number, act: () => Promise<void> | void) => {
    queue.push({ at: simulation.now + delay, act });
    queue.sort((a, b) => a.at - b.at);
  };
  const often = (mean: number, act: () => void) => {
    const again = () => {
      act();
      later(between(0, 2 * mean), again);
    };
    later(between(0, 2 * mean), again);
  };
  const refused: string[] = [];
  const live = async (replica: SimulatedReplica) => {
    const { lookAgain, problems } = await replica.check();
    const isBusy = lookAgain !== undefined || replica.served === undefined;
    const idle = between(5 * SECOND, isBusy && problems.length === 0 ? 6 * SECOND : IDLE);
    later(Math.min(idle, lookAgain ?? Infinity), () => live(replica));
  };
  const cutOff = (replica: SimulatedReplica, time: number) => {
    if (replica.isCutOff) return;
    replica.isCutOff = true;
    later(time, () => {
      replica.isCutOff = false;
    });
  };
  for (const replica of simulation.replicas) {
    replica.skew = between(-skew, skew);
    later(between(0, 10 * SECOND), () => live(replica));
  }
  // One is cut off for long, others for a while, and all at once now and then.
  often(20 * DAY, () => {
    const replica = some();
    if (replica) cutOff(replica, between(HOUR, 30 * DAY));
  });
  often(15 * DAY, () => {
    const time = between(SECOND, 3 * DAY);
    for (const replica of simulation.replicas) cutOff(replica, time);
  });
  often(5 * DAY, () => some()?.restart());
  often(10 * DAY, () => {
    const replica = some();
    if (replica) replica.skew = between(-skew, skew);
  });
  often(30 * DAY, () => damageSecret(simulation, chance));
  for (let next = queue.shift(); next && next.at < end; next = queue.shift()) {
    simulation.now = next.at;
    refused.push(...simulation.refused());
    await next.act();
    refused.push(
      ...simulation.refused().map((line) => `${new Date(simulation.now).toISOString()} ${line}`),
    );
    if (refused.length > 0) break;
  }
  return refused;
}

function damageSecret(simulation: CertificateSimulation, chance: Random): void {
  const { secret } = simulation;
  if (!secret) return;
  const metadata = { resourceVersion: `${secret.metadata.resourceVersion}-damaged` };
  const garbage = Buffer.from('garbage').toString('base64');
  const data = [
    {},
    { ...secret.data, 'ca.crt': garbage },
    { ...secret.data, 'ca.key': garbage },
    { 'tls.crt': secret.data['ca.crt'] ?? '' },
    undefined,
  ][Math.floor(chance() * 5)];
  simulation.secret = data && { metadata, data };
}

/** One replica without trouble, after its first check. */
async function checkedReplica() {
  const simulation = simulateCertificates({
    replicas: 1,
    chance: seeded(1),
    tellsTime: true,
    trouble: 0,
  });
  const [replica] = simulation.replicas;
  if (!replica) throw new Error('no replica');
  await replica.check();
  return { simulation, replica };
}

t.test('a leaf counts as served when it is', async (t) => {
  const { simulation, replica } = await checkedReplica();
  const { secret } = simulation;
  replica.cannotServe = true;
  simulation.now += 10 * SECOND;
  t.match(await replica.check(), {
    problems: [{ message: 'cannot serve' }],
    missing: { certificate: String },
  });
  t.equal(simulation.secret, secret, 'the CA is not to blame');
  replica.cannotServe = false;
  simulation.now += 5 * SECOND;
  t.same(await replica.check(), { problems: [], missing: {}, lookAgain: undefined });
  t.same(simulation.refused(), []);
});

t.test('a key in memory alone is renewed while the API is away, for months', async (t) => {
  const { simulation, replica } = await checkedReplica();
  simulation.now += 10 * SECOND;
  await replica.check();
  replica.isCutOff = true;
  for (let day = 0; day < 360; day += 1) {
    simulation.now += DAY;
    await replica.check();
    t.same(simulation.refused(), [], `day ${day}`);
  }
});

for (const [what, run] of Object.entries({
  'clocks that are years off, where the API tells the time': {
    skew: 1500 * DAY,
    tellsTime: true,
  },
  'clocks that are 20 hours off, and nobody to tell': { skew: 20 * HOUR, tellsTime: false },
})) {
  for (const seed of [1, 2]) {
    t.test(`15 months without a refused handshake: ${what} (${seed})`, async (t) => {
      const chance = seeded(seed);
      const simulation = simulateCertificates({
        replicas: 3,
        chance,
        tellsTime: run.tellsTime,
        trouble: 0.1,
      });
      t.same(await play(simulation, chance, run), []);
      const [bundle = ''] = simulation.bundles();
      t.comment(
        `${simulation.handshakes} handshakes, ${simulation.leaves.size} leaves, ${readCaBundle(bundle).length} trusted, ${readStoredTrust(simulation.secret?.data ?? {}).issuers.length} stored`,
      );
      t.ok(simulation.handshakes > 10_000);
      t.ok(simulation.leaves.size > 3 * 60, 'leaves are renewed each week');
    });
  }
}
