import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { initDelegations, initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { inWaves } from '../support/waves.ts';

const SHA256 = 'a'.repeat(64);

const bed = await startBed();
t.teardown(() => bed.stop());

/** Runs the signer in waves of requests. */
async function runInWaves(
  sizes: readonly number[],
  secret: Readonly<Record<string, string>>,
  tags: readonly string[],
) {
  const { result, requests, ...run } = await inWaves(
    {
      ...{ authority: bed.authority, target: bed.notary.url, sizes },
      nameOf: ({ method, path }) => {
        const file = path.replace(/^.*\/_trust\/tuf\//, '').replace(/[0-9a-f]{64}/, '*');
        return `${method} ${file}`.trim();
      },
    },
    (notaryUrl) =>
      runSigner({
        ...{ directory: bed.directory, notaryUrl, secret },
        report: reportToml(tags, SHA256, 1),
        args: ['--deadline=10'],
      }),
  );
  const asked = sizes.reduce((sum, size) => sum + size);
  t.equal(requests, asked, 'nothing is asked beside the waves');
  return { code: result.code, ...run };
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
