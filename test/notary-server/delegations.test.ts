import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { makeDelegationKey } from '../support/catalogue/forgery.ts';
import { delegate, makeTestRepository } from '../support/catalogue/test-repository.ts';
import { initDelegations } from '../bed/notary-repository.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const FIRST = 'a'.repeat(64);
const SECOND = 'b'.repeat(64);

t.test('beside the delegations of others', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const run = (report: string, secret: Record<string, string>, notaryUrl = bed.notary.url) =>
    runSigner({ directory: bed.directory, notaryUrl, secret, report });

  t.test('one that nobody can read stops us: no client could read the rest', async (t) => {
    const { gun, secrets } = await initDelegations(bed, 'unreadable', ['alice', 'bob']);
    const [alices = {}, bobs = {}] = secrets;
    t.equal((await run(reportToml([`${gun}:1`], FIRST, 1), alices)).code, 0);
    const gone = '{"errors":[{"code":"METADATA_NOT_FOUND","message":"gone"}]}';
    const proxy = await startProxy({
      authority: bed.authority,
      target: bed.notary.url,
      rule: ({ path }) =>
        path.includes('/targets/alice.') ? { kind: 'answer', status: 404, body: gone } : FORWARD,
    });
    t.teardown(() => proxy.stop());
    const { receipt } = await run(reportToml([`${gun}:2`], FIRST, 1), bobs, proxy.url);
    t.equal(receipt.code, 'METADATA_INCONSISTENT');
    t.match(receipt.message, 'targets/alice.json');
  });

  t.test('one that was never published is begun, whatever page a proxy shows for it', async (t) => {
    const { gun, secrets } = await initDelegations(bed, 'page', ['alice']);
    const proxy = await startProxy({
      authority: bed.authority,
      target: bed.notary.url,
      rule: ({ path }) =>
        path.endsWith('/targets/releases.json')
          ? { kind: 'answer', status: 200, body: '<html>nothing here</html>' }
          : FORWARD,
    });
    t.teardown(() => proxy.stop());
    const { receipt, stdout } = await run(
      reportToml([`${gun}:1`], FIRST, 1),
      secrets[0] ?? {},
      proxy.url,
    );
    t.equal(receipt.result, 'signed', stdout);
    t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: FIRST, length: 1 });
  });

  t.test('who would find another image under a tag is said', async (t) => {
    const { gun, secrets } = await initDelegations(bed, 'shadowed', ['alice', 'bob']);
    const [alices = {}, bobs = {}] = secrets;
    const report = (sha256: string) => reportToml([`${gun}:1`], sha256, 1);
    t.notMatch((await run(report(FIRST), alices)).stdout, /warning/);
    const { code, stdout, receipt } = await run(report(SECOND), bobs);
    t.equal(code, 0);
    t.match(
      stdout,
      `warning: ${gun}: notary lookup finds another image for 1, that of targets/alice`,
    );
    t.notMatch(stdout, 'docker');
    const miss = { reader: 'notary lookup', tag: '1', sees: 'another', role: 'targets/alice' };
    t.same(receipt.repositories[0]?.missedBy, [miss]);
    t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: FIRST, length: 1 });
    const [released] = await bed.docker('docker-judge').trustInspect(`${gun}:1`);
    t.match(released, { sha256: SECOND, signers: ['bob'] });
  });

  t.test(
    'of targets and targets/releases that differ, docker lists both, as is said',
    async (t) => {
      const repository = await makeTestRepository(bed, 'both');
      const { gun, owner } = repository;
      await owner.addHash(gun, '1', 1, FIRST);
      await owner.publish(gun);
      const secret = await delegate(
        repository,
        'targets/releases',
        makeDelegationKey(repository, 'ours'),
      );
      const { code, stdout, receipt, terminationMessage } = await run(
        reportToml([`${gun}:1`], SECOND, 1),
        secret,
      );
      t.equal(code, 0, stdout);
      const misses = [
        { reader: 'docker trust inspect', tag: '1', sees: 'both', role: 'targets' },
        { reader: 'notary lookup', tag: '1', sees: 'another', role: 'targets' },
      ];
      t.same(receipt.repositories[0]?.missedBy, misses);
      t.match(JSON.parse(terminationMessage), { repositories: [{ missedBy: misses }] });
      t.match(
        stdout,
        /docker trust inspect lists two images for 1: the signed one, and that of targets/,
      );
      const listed = await bed.docker('docker-judge').trustInspect(`${gun}:1`);
      t.same(listed.map(({ sha256 }) => sha256).sort(), [FIRST, SECOND]);
      t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: FIRST, length: 1 });
    },
  );

  t.test(
    'a delegation that is not targets/releases is nothing to docker, as is said',
    async (t) => {
      const repository = await makeTestRepository(bed, 'alone');
      const { gun } = repository;
      const secret = await delegate(
        repository,
        'targets/alone',
        makeDelegationKey(repository, 'alone'),
      );
      const { receipt } = await run(reportToml([`${gun}:1`], SECOND, 1), secret);
      t.same(
        receipt.repositories[0]?.missedBy?.map(({ reader, sees }) => `${reader}: ${sees}`),
        ['docker pull: none', 'docker trust inspect: none', 'Connaisseur: none'],
      );
      t.same(await bed.docker('docker-judge').trustInspect(`${gun}:1`), []);
      t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: SECOND, length: 1 });
    },
  );
});
