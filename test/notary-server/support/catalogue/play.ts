/** Plays rows of the failure catalogue. */
import type { Test } from 'tap';
import type { Bed } from '../../../bed/bed.ts';
import { startProxy } from '../../../bed/proxy.ts';
import { failsWith } from '../../../support/signer-failure.ts';
import { runSigner, type SignerRunOptions } from '../../../support/signer-run.ts';
import { REPOSITORY_ROWS } from './repository-rows.ts';
import {
  LENGTH,
  makeTestRepository,
  OLD_TAG,
  reportOf,
  SHA256,
  startServer,
  TAG,
  type Row,
  type TestRepository,
  type TrustService,
} from '../../../support/catalogue/test-repository.ts';
import { SERVER_ROWS } from './server-rows.ts';

/** Plays every row that needs no server of its own, a few at a time. */
export async function playAll(t: Test, service: TrustService): Promise<void> {
  t.jobs = 3;
  const bed = await startServer(service);
  t.teardown(() => bed.stop());
  const shared = makeTestRepository(bed, 'shared');
  for (const [i, row] of [...SERVER_ROWS, ...REPOSITORY_ROWS].entries()) {
    t.test(row.what, { buffered: true }, async (t) => {
      await play(t, row, row.changes ? await makeTestRepository(bed, `row-${i}`) : await shared);
    });
  }
}

/** Plays one row: arranges, runs the signer, and asks an independent client what is left. */
export async function play(t: Test, row: Row, repository: TestRepository): Promise<void> {
  const { bed, gun, secret } = repository;
  const { run = {}, rule, mend } = await row.arrange(repository);
  const url = run.notaryUrl ?? bed.notary.url;
  const proxy = rule && (await startProxy({ authority: bed.authority, target: url, rule }));
  const defaults = { directory: bed.directory, secret, report: reportOf(gun) };
  const options: SignerRunOptions = { ...defaults, ...run, notaryUrl: proxy?.url ?? url };
  const result = await runSigner(options);

  if (row.code === undefined) {
    t.equal(result.receipt.result, 'signed', result.stdout);
    t.equal(result.code, 0);
  } else {
    failsWith(t, result, row.code);
  }
  if (row.says) t.match(result.stdout, row.says);
  if (row.fix) t.match(result.receipt.fix, row.fix);
  const [attempts = 0] = result.receipt.repositories.map((repository) => repository.attempts);
  const [least, most] =
    typeof row.attempts === 'number' ? [row.attempts, row.attempts] : row.attempts;
  t.ok(attempts >= least && attempts <= most, `${attempts} attempts`);

  const signedGun = /"([^"]+):1"/.exec(options.report ?? '')?.[1] ?? gun;
  const seen = await sight(bed, signedGun);
  t.equal(seen, row.then, 'what the notary CLI sees');
  if (row.then !== 'nothing: the repository is unreadable' && signedGun === gun) {
    t.ok(await bed.cli(`judge-${gun}`).lookup(gun, OLD_TAG), 'nothing is lost');
  }
  await mend?.();
  await proxy?.stop();
}

async function sight(bed: Bed, gun: string): Promise<Row['then']> {
  const judge = bed.cli(`judge-${gun}`);
  try {
    const seen = await judge.lookup(gun, TAG);
    if (seen === undefined) return 'not signed';
    return seen.sha256 === SHA256 && seen.length === LENGTH ? 'signed' : 'not signed';
  } catch (error) {
    const isUnknown = (error as Error).message.includes('does not have trust data');
    return isUnknown ? 'not signed' : 'nothing: the repository is unreadable';
  }
}
