/** Months of certificates, with clocks of their own, outages and damage. */
import t from 'tap';
import { readCaBundle } from '../../src/webhook/certificates/ca-certificate.ts';
import { readStoredTrust } from '../../src/webhook/certificates/issuing-ca.ts';
import {
  chanceOf,
  createWorld,
  DAY,
  HOUR,
  SECOND,
  type Chance,
  type SimulatedReplica,
  type World,
} from '../support/certificate-world.ts';

const MONTHS_15 = 456 * DAY;
/** How long a replica that has nothing to do is asleep at most: far longer than in truth. */
const IDLE = DAY;

interface Story {
  /** How far the clock of a replica may be off, in ms. */
  readonly skew: number;
  readonly tellsTime: boolean;
}

/** Plays 15 months. @returns what was refused */
async function play(world: World, chance: Chance, { skew }: Story): Promise<readonly string[]> {
  const end = world.now + MONTHS_15;
  const between = (least: number, most: number) => least + chance() * (most - least);
  const some = () => world.replicas[Math.floor(chance() * world.replicas.length)];
  const queue: { at: number; act: () => Promise<void> | void }[] = [];
  const later = (delay: number, act: () => Promise<void> | void) => {
    queue.push({ at: world.now + delay, act });
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
  for (const replica of world.replicas) {
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
    for (const replica of world.replicas) cutOff(replica, time);
  });
  often(5 * DAY, () => some()?.restart());
  often(10 * DAY, () => {
    const replica = some();
    if (replica) replica.skew = between(-skew, skew);
  });
  often(30 * DAY, () => damageSecret(world, chance));
  for (let next = queue.shift(); next && next.at < end; next = queue.shift()) {
    world.now = next.at;
    refused.push(...world.refused());
    await next.act();
    refused.push(...world.refused().map((line) => `${new Date(world.now).toISOString()} ${line}`));
    if (refused.length > 0) break;
  }
  return refused;
}

function damageSecret(world: World, chance: Chance): void {
  const { secret } = world;
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
  world.secret = data && { metadata, data };
}

t.test('a leaf counts as served when it is', async (t) => {
  const world = createWorld({ replicas: 1, chance: chanceOf(1), tellsTime: true, trouble: 0 });
  const [replica] = world.replicas;
  if (!replica) throw new Error('no replica');
  await replica.check();
  const { secret } = world;
  replica.cannotServe = true;
  world.now += 10 * SECOND;
  t.match(await replica.check(), {
    problems: [{ message: 'cannot serve' }],
    missing: { certificate: String },
  });
  t.equal(world.secret, secret, 'the authority is not to blame');
  replica.cannotServe = false;
  world.now += 5 * SECOND;
  t.same(await replica.check(), { problems: [], missing: {}, lookAgain: undefined });
  t.same(world.refused(), []);
});

t.test('a key in memory alone is renewed while the API is away, for months', async (t) => {
  const world = createWorld({ replicas: 1, chance: chanceOf(1), tellsTime: true, trouble: 0 });
  const [replica] = world.replicas;
  if (!replica) throw new Error('no replica');
  await replica.check();
  world.now += 10 * SECOND;
  await replica.check();
  replica.isCutOff = true;
  for (let day = 0; day < 360; day += 1) {
    world.now += DAY;
    await replica.check();
    t.same(world.refused(), [], `day ${day}`);
  }
});

for (const [what, story] of Object.entries({
  'clocks that are years off, where the API tells the time': {
    skew: 1500 * DAY,
    tellsTime: true,
  },
  'clocks that are 20 hours off, and nobody to tell': { skew: 20 * HOUR, tellsTime: false },
})) {
  for (const seed of [1, 2]) {
    t.test(`15 months without a refused handshake: ${what} (${seed})`, async (t) => {
      const chance = chanceOf(seed);
      const world = createWorld({
        replicas: 3,
        chance,
        tellsTime: story.tellsTime,
        trouble: 0.1,
      });
      t.same(await play(world, chance, story), []);
      const [bundle = ''] = world.bundles();
      t.comment(
        `${world.handshakes} handshakes, ${world.leaves.size} leaves, ${readCaBundle(bundle).length} trusted, ${readStoredTrust(world.secret?.data ?? {}).issuers.length} stored`,
      );
      t.ok(world.handshakes > 10_000);
      t.ok(world.leaves.size > 3 * 60, 'leaves are renewed each week');
    });
  }
}
