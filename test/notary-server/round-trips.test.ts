import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { FORWARD, startProxy, type ProxyAction } from '../bed/proxy.ts';
import { startRelay, type ConnectionAction } from '../bed/relay.ts';
import { initDelegations, initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const SHA256 = 'a'.repeat(64);
/** Connecting, and the handshake of TLS 1.3. */
const ROUND_TRIPS_TO_CONNECT = 2;

const bed = await startBed();
t.teardown(() => bed.stop());

/** A run in which nothing is answered before all is asked that can be asked without the answer. */
interface Run {
  readonly code: number;
  /** The requests of each wave, sorted. */
  readonly waves: readonly (readonly string[])[];
  /** One for each wave, and those to connect for each that met no free connection. */
  readonly roundTrips: number;
}

/**
 * Runs the signer behind a proxy that holds the answers of a wave until all of its requests are
 * there, and connections until all of the first wave are. A signer that waits for an answer before
 * it sends the next request of the wave waits for ever.
 *
 * @param sizes how many requests each wave has
 */
async function runInWaves(
  sizes: readonly number[],
  secret: Readonly<Record<string, string>>,
  tags: readonly string[],
): Promise<Run> {
  const [connections = 0] = sizes;
  const waves: string[][] = [];
  let roundTrips = 0;
  let connected = 0;
  const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size));
  const requests: { readonly name: string; readonly pass: () => void }[] = [];
  const proxy = await startProxy({
    authority: bed.authority,
    target: bed.notary.url,
    rule: ({ method, path }) =>
      new Promise<ProxyAction>((resolve) => {
        const file = path.replace(/^.*\/_trust\/tuf\//, '').replace(/[0-9a-f]{64}/, '*');
        requests.push({ name: `${method} ${file}`.trim(), pass: () => resolve(FORWARD) });
        if (!ends.includes(requests.length)) return;
        const wave = requests.slice(ends[waves.length - 1] ?? 0);
        waves.push(wave.map(({ name }) => name).sort());
        const isConnecting = relay.traffic.connections > connected;
        connected = relay.traffic.connections;
        roundTrips += 1 + (isConnecting ? ROUND_TRIPS_TO_CONNECT : 0);
        for (const { pass } of wave) pass();
      }),
  });
  const arrivals: (() => void)[] = [];
  const relay = await startRelay({
    target: proxy.url,
    rule: () =>
      new Promise<ConnectionAction>((resolve) => {
        arrivals.push(() => resolve('forward'));
        if (arrivals.length >= connections) for (const arrival of arrivals) arrival();
      }),
  });
  const { code } = await runSigner({
    directory: bed.directory,
    notaryUrl: relay.url,
    secret,
    report: reportToml(tags, SHA256, 1),
    args: ['--deadline=10'],
  });
  await Promise.all([relay.stop(), proxy.stop()]);
  t.equal(requests.length, ends.at(-1), 'nothing is asked beside the waves');
  return { code, waves, roundTrips };
}

t.test('signing takes five round trips, however many tags there are', async (t) => {
  const gun = 'registry.example.test/demo/near';
  const secret = await secretOf(bed, await initRepository(bed, gun));
  for (const count of [1, 3, 20]) {
    const tags = Array.from({ length: count }, (_, i) => `${gun}:${count}-${i}`);
    t.same(
      await runInWaves([5, 1, 4], secret, tags),
      {
        code: 0,
        roundTrips: 5,
        waves: [
          [
            'GET root.json',
            'GET snapshot.json',
            'GET targets.json',
            'GET targets/releases.json',
            'GET timestamp.json',
          ],
          ['POST'],
          [
            'GET snapshot.json',
            'GET targets.*.json',
            'GET targets/releases.json',
            'GET timestamp.json',
          ],
        ],
      },
      `${count}`,
    );
  }
});

t.test('delegations beside targets/releases take one more to discover', async (t) => {
  const { gun, secrets } = await initDelegations(bed, 'delegated', ['alice', 'bob']);
  for (const [i, secret] of secrets.entries()) {
    const { code } = await runSigner({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: reportToml([`${gun}:first-${i}`], SHA256, 1),
    });
    t.equal(code, 0);
  }
  const run = await runInWaves([5, 2, 1, 5], secrets[0] ?? {}, [`${gun}:next`]);
  const { code, waves, roundTrips } = run;
  t.equal(code, 0);
  t.equal(roundTrips, 6);
  t.same(waves[1], ['GET targets/alice.*.json', 'GET targets/bob.*.json']);
});
