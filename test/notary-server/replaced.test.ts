import t, { type Test } from 'tap';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import {
  makeTestRepository,
  reportOf,
  startServer,
  TAG,
  type TestRepository,
} from '../support/catalogue/test-repository.ts';
import { initRepository } from '../bed/notary-repository.ts';
import { runSigner } from '../support/signer-run.ts';

t.setTimeout(120_000);

const bed = await startServer('local');
t.teardown(() => bed.stop());

/** Runs the signer, and does something to its repository right before or after it publishes. */
async function runWith(
  t: Test,
  { gun, secret }: TestRepository,
  when: 'before' | 'after',
  work: () => Promise<unknown>,
) {
  let isFirst = true;
  const proxy = await startProxy({
    authority: bed.authority,
    target: bed.notary.url,
    rule: async ({ method }) => {
      if (method !== 'POST' || !isFirst) return FORWARD;
      isFirst = false;
      if (when === 'before') await work();
      else return { kind: 'forward', answered: () => work().then(() => undefined) };
      return FORWARD;
    },
  });
  t.teardown(() => proxy.stop());
  return runSigner({
    directory: bed.directory,
    notaryUrl: proxy.url,
    secret,
    report: reportOf(gun),
  });
}

for (const when of ['before', 'after'] as const) {
  t.test(`a repository that is deleted right ${when} the publish`, async (t) => {
    const repository = await makeTestRepository(bed, `deleted-${when}`);
    const { gun, owner } = repository;
    const { receipt, stdout } = await runWith(t, repository, when, () =>
      owner.run(['delete', gun, '--remote']),
    );
    t.equal(receipt.code, 'REPOSITORY_NOT_INITIALISED', stdout);
    await t.rejects(bed.cli(`judge-${gun}`).lookup(gun, TAG), /does not have trust data/);
  });

  t.test(`a repository that is initialised anew right ${when} the publish`, async (t) => {
    const repository = await makeTestRepository(bed, `anew-${when}`);
    const { gun, owner } = repository;
    const { receipt, stdout } = await runWith(t, repository, when, async () => {
      await owner.run(['delete', gun, '--remote']);
      await initRepository(bed, gun, bed.cli(`other-${gun}`));
    });
    t.equal(receipt.code, 'ROOT_REPLACED', stdout);
    t.match(receipt.message, /the root of .* was replaced while it was being signed/);
    t.equal(await bed.cli(`judge-${gun}`).lookup(gun, TAG), undefined);
  });
}
