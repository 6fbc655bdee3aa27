import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { initialised, secretOf } from '../notary-repository.ts';
import { reportToml, runSigner } from '../signer-run.ts';

const SIGNERS = 12;

t.test('signers that meet at one repository', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const sha256 = (i: number) => i.toString(16).padStart(64, '0');

  t.test('all get their tag in, and none loses that of another', async (t) => {
    const gun = 'registry.example.test/demo/busy';
    const secret = await secretOf(bed, await initialised(bed, gun));
    const builds = Array.from({ length: SIGNERS }, (_, i) => i + 1);
    const runs = await Promise.all(
      builds.map((i) =>
        runSigner({
          directory: bed.directory,
          notaryUrl: bed.notary.url,
          secret,
          report: reportToml([`${gun}:b${i}`], sha256(i), i),
        }),
      ),
    );
    for (const { code, receipt, stdout } of runs) {
      t.equal(receipt.result, 'signed', stdout);
      t.equal(code, 0);
    }
    const attempts = runs.map(({ receipt }) => receipt.repositories[0]?.attempts ?? 0);
    t.ok(Math.max(...attempts) > 1, 'they did meet');
    const listed = await bed.cli('judge').list(gun);
    t.same(
      new Set(listed.map(({ tag, sha256 }) => `${tag} ${sha256}`)),
      new Set(builds.map((i) => `b${i} ${sha256(i)}`)),
    );
  });

  t.test('one who loses to nobody stops, and says what it may be', async (t) => {
    const gun = 'registry.example.test/demo/stuck';
    const secret = await secretOf(bed, await initialised(bed, gun));
    const body = '{"errors":[{"code":"VERSION","message":"a newer version is there"}]}';
    const proxy = await startProxy({
      authority: bed.authority,
      target: bed.notary.url,
      rule: ({ method }) => (method === 'POST' ? { kind: 'answer', status: 400, body } : FORWARD),
    });
    t.teardown(() => proxy.stop());
    const { code, receipt, lastLine } = await runSigner({
      directory: bed.directory,
      notaryUrl: proxy.url,
      secret,
      report: reportToml([`${gun}:1`], sha256(1), 1),
    });
    t.equal(code, 1);
    t.equal(receipt.code, 'PUBLISH_CONFLICT');
    t.match(receipt.repositories, [{ attempts: 1 }]);
    t.match(lastLine, /another try cannot help/);
    t.equal(proxy.requests.filter(({ method }) => method === 'POST').length, 1);
  });
});
