import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { initialised, secretOf } from '../notary-repository.ts';
import { reportToml, runSigner } from '../signer-run.ts';

const SHA256 = 'e'.repeat(64);

/**
 * Asked by name for a role that the snapshot does not list, a server in memory answers 404, and one
 * with a database 500.
 */
t.test('a server with a database and a signer is signed at like any other', async (t) => {
  const bed = await startBed({ signer: true, storage: 'postgres' });
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const secret = await secretOf(bed, await initialised(bed, gun));
  for (const tag of ['1', '2']) {
    const { code, receipt, stdout } = await runSigner({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: reportToml([`${gun}:${tag}`], SHA256, 7),
    });
    t.equal(receipt.result, 'signed', stdout);
    t.equal(code, 0);
    t.same(await bed.cli('judge').lookup(gun, tag), { sha256: SHA256, length: 7 });
  }
});
