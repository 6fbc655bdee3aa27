import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { succeed } from '../bed/command.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const SHA256 = 'e'.repeat(64);

/**
 * Asked by name for a role that the snapshot does not list, a server in memory answers 404, and one
 * with a database 500.
 */
t.test('a server with a database and a signer is signed at like any other', async (t) => {
  const bed = await startBed({ signer: true, storage: 'postgres' });
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const secret = await secretOf(bed, await initRepository(bed, gun));
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

t.test('a database that takes nothing is no publisher who was faster', async (t) => {
  const bed = await startBed({ storage: 'postgres' });
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/full';
  const secret = await secretOf(bed, await initRepository(bed, gun));
  const sql = (text: string) =>
    succeed({
      program: 'psql',
      args: ['--no-psqlrc', '--quiet', `--command=${text}`, bed.postgres?.url ?? ''],
      directory: bed.directory,
    });
  const run = () =>
    runSigner({
      directory: bed.directory,
      notaryUrl: bed.notary.url,
      secret,
      report: reportToml([`${gun}:1`], SHA256, 7),
    });

  await sql(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'no space left'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON tuf_files EXECUTE FUNCTION refuse();`);
  const refused = await run();
  t.equal(refused.code, 1);
  t.equal(refused.receipt.repositories[0]?.code, 'SERVER_FAILED', refused.stdout);
  t.match(refused.lastLine, 'its database');

  await sql('DROP TRIGGER full_disk ON tuf_files');
  t.equal((await run()).receipt.result, 'signed');
  t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: SHA256, length: 7 });
});
