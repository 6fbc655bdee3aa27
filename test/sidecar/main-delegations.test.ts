import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { delegated } from '../notary-repository.ts';
import { reportToml, runSigner } from '../signer-run.ts';

const FIRST = 'a'.repeat(64);
const SECOND = 'b'.repeat(64);

t.test('beside the delegations of others', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const run = (report: string, secret: Record<string, string>, notaryUrl = bed.notary.url) =>
    runSigner({ directory: bed.directory, notaryUrl, secret, report });

  t.test('one that nobody can read stops us: no client could read the rest', async (t) => {
    const { gun, secrets } = await delegated(bed, 'unreadable', ['alice', 'bob']);
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

  t.test('who would find another image under a tag is said', async (t) => {
    const { gun, secrets } = await delegated(bed, 'shadowed', ['alice', 'bob']);
    const [alices = {}, bobs = {}] = secrets;
    const report = (sha256: string) => reportToml([`${gun}:1`], sha256, 1);
    t.notMatch((await run(report(FIRST), alices)).stdout, /warning/);
    const { code, stdout } = await run(report(SECOND), bobs);
    t.equal(code, 0);
    t.match(stdout, `warning: ${gun}: notary lookup shows another 1, that of targets/alice`);
    t.notMatch(stdout, 'docker');
    t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: FIRST, length: 1 });
    const [released] = await bed.docker('docker-judge').trustInspect(`${gun}:1`);
    t.match(released, { sha256: SECOND, signers: ['bob'] });
  });
});
