import t, { type Test } from 'tap';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import {
  forge,
  forger,
  makeDelegationKey,
  ownersKey,
  servedFile,
} from '../support/catalogue/forgery.ts';
import {
  delegate,
  LENGTH,
  makeTestRepository,
  reportOf,
  SHA256,
  startServer,
  TAG,
  type TestRepository,
} from '../support/catalogue/test-repository.ts';
import { runSigner, type SignerRun } from '../support/signer-run.ts';

const RELEASES = 'targets/releases';

/** What owners and servers leave behind, which no reader minds. */
t.test('leftovers', async (t) => {
  const bed = await startServer('local');
  t.teardown(() => bed.stop());
  const run = (
    { gun }: TestRepository,
    secret: Record<string, string>,
    notaryUrl = bed.notary.url,
  ) => runSigner({ directory: bed.directory, notaryUrl, secret, report: reportOf(gun) });
  const isSigned = async (t: Test, { gun }: TestRepository, { code, stdout }: SignerRun) => {
    t.equal(code, 0, stdout);
    t.same(await bed.cli('judge').lookup(gun, TAG), { sha256: SHA256, length: LENGTH });
  };

  t.test('a delegation whose last key was taken away stops nobody', async (t) => {
    const repository = await makeTestRepository(bed, 'keyless');
    const { owner, gun } = repository;
    const ours = await delegate(repository, RELEASES, makeDelegationKey(repository, 'ours'));
    const theirs = makeDelegationKey(repository, 'theirs');
    await delegate(repository, 'targets/theirs', theirs);
    await owner.delegationRemove(gun, 'targets/theirs', forger(theirs.pem).canonicalId);
    await owner.publish(gun);
    const { signed } = await servedFile(repository, 'targets');
    t.match(signed['delegations'], { roles: [{}, { name: 'targets/theirs', keyids: null }] });

    const stranger = makeDelegationKey(repository, 'stranger');
    const refused = await run(repository, { ...ours, 'delegation.key': stranger.pem });
    t.match(refused.stdout, 'targets/theirs (threshold 1) lists no keys');
    await isSigned(t, repository, await run(repository, ours));
  });

  t.test('a delegation that nobody could read, and that was removed, stops nobody', async (t) => {
    const repository = await makeTestRepository(bed, 'removed');
    const ours = await delegate(repository, RELEASES, makeDelegationKey(repository, 'reader'));
    const theirs = makeDelegationKey(repository, 'unread');
    await delegate(repository, 'targets/theirs', theirs);
    await forge(repository, 'targets/theirs', forger(theirs.pem), {
      content: (signed) => {
        signed['expires'] = '2029-01-01T00:00:00.500Z';
      },
    });
    t.equal((await run(repository, ours)).receipt.code, 'METADATA_INCONSISTENT');
    await forge(repository, 'targets', await ownersKey(repository, 'targets'), {
      content: (signed) => {
        const { roles, keys } = signed['delegations'] as {
          roles: { name: string; keyids: string[] }[];
          keys: Record<string, never>;
        };
        const kept = roles.filter(({ name }) => name === RELEASES);
        const ids = kept.flatMap(({ keyids }) => keyids);
        const entries = Object.entries(keys).filter(([id]) => ids.includes(id));
        signed['delegations'] = { keys: Object.fromEntries(entries), roles: kept };
      },
    });
    const snapshot = await servedFile(repository, 'snapshot');
    t.match(snapshot.signed['meta'], { 'targets/theirs': {} }, 'the server still lists it');
    await isSigned(t, repository, await run(repository, ours));
  });

  t.test('a first publish waits for the snapshot that lists it', async (t) => {
    const repository = await makeTestRepository(bed, 'late');
    const ours = await delegate(repository, RELEASES, makeDelegationKey(repository, 'first'));
    const before = JSON.stringify(await servedFile(repository, 'timestamp'));
    let posts = 0;
    let late = 0;
    const proxy = await startProxy({
      authority: bed.authority,
      target: bed.notary.url,
      rule: ({ method, path }) => {
        if (method === 'POST') posts++;
        const isLate = posts > 0 && path.endsWith('/timestamp.json') && late++ === 0;
        return isLate ? { kind: 'answer', status: 200, body: before } : FORWARD;
      },
    });
    t.teardown(() => proxy.stop());
    await isSigned(t, repository, await run(repository, ours, proxy.url));
    t.equal(posts, 1);
  });

  t.test(
    'a name that the server keeps for a key that is gone: another name is the fix',
    async (t) => {
      const repository = await makeTestRepository(bed, 'taken');
      const { owner } = repository;
      const gun = `${repository.gun}-own-snapshot`;
      const own = { ...repository, gun };
      await owner.init(gun);
      await owner.publish(gun);
      const before = makeDelegationKey(repository, 'before');
      await delegate(own, 'targets/again', before);
      await owner.keyImport(before.file, 'again');
      await owner.addHash(gun, 'earlier', 3, 'b'.repeat(64), ['targets/again']);
      await owner.publish(gun);
      await owner.delegationRemove(gun, 'targets/again');
      await owner.publish(gun);
      const after = makeDelegationKey(repository, 'after');
      const ours = await delegate(own, 'targets/again', after);
      await owner.rotateSnapshotToServer(gun);

      const { receipt, lastLine } = await run(own, ours);
      t.equal(receipt.repositories[0]?.code, 'METADATA_INVALID');
      t.match(lastLine, 'add the delegation under another name');
      await owner.delegationRemove(gun, 'targets/again');
      await owner.publish(gun);
      await isSigned(t, own, await run(own, await delegate(own, 'targets/other', after)));
    },
  );
});
