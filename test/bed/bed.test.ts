import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { rootPins } from './notary-repository.ts';
import { startBed } from './bed.ts';
import { pushImage } from './image.ts';
import { notaryCli } from './notary-cli.ts';

const GUN = 'registry.example.test/demo/app';

t.test('a repository is made, signed and read back by both CLIs', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const notary = bed.cli();
  const image = await pushImage({
    registryUrl: bed.registry.url,
    repository: 'demo/app',
    tags: ['v1'],
    content: 'hello',
  });
  const sha256 = image.digest.replace('sha256:', '');

  await notary.init(GUN);
  await notary.publish(GUN);
  await notary.rotateSnapshotToServer(GUN);
  t.same(await notary.list(GUN), [], 'nothing is signed at first');
  t.same(await bed.docker().trustInspect(GUN), []);
  await notary.addHash(GUN, 'v1', image.size, sha256);
  t.equal(await notary.lookup(GUN, 'v1'), undefined, 'what is staged is not published');
  await notary.publish(GUN);

  t.same(await notary.lookup(GUN, 'v1'), { sha256, length: image.size });
  t.equal(await notary.lookup(GUN, 'v2'), undefined);
  t.same(await notary.list(GUN), [{ tag: 'v1', sha256, length: image.size, role: 'targets' }]);
  const signed = [{ tag: 'v1', sha256, signers: ['Repo Admin'] }];
  t.same(await bed.docker().trustInspect(GUN), signed);
  t.same(await bed.docker().trustInspect(`${GUN}:v1`), signed);
  t.same(await bed.docker().trustInspect(`${GUN}:v2`), []);
});

t.test('a lookup with a pin trusts that root, and no other', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const cli = bed.cli();
  await cli.init(GUN);
  await cli.rotateSnapshotToServer(GUN);
  await cli.addHash(GUN, 'v1', 42, 'ab'.repeat(32));
  await cli.publish(GUN);
  const pins = await rootPins(dirname(cli.privateKeyDirectory), GUN);
  t.same(await cli.lookup(GUN, 'v1', pins), { sha256: 'ab'.repeat(32), length: 42 });
  t.equal(await cli.lookup(GUN, 'v2', pins), undefined);
  await t.rejects(cli.lookup(GUN, 'v1', ['0'.repeat(64)]), /trust_pinning/);
});

t.test('a signer added by docker signs with the key file that docker made', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const sha256 = 'ab'.repeat(32);
  const docker = bed.docker('owner');
  const key = await docker.keyGenerate('alice');
  await docker.signerAdd('alice', key.publicKeyFile, GUN);

  const signer = notaryCli({
    ...{ server: bed.notary, authority: bed.authority, passphrase: docker.passphrase },
    home: join(bed.directory, 'signer'),
  });
  await mkdir(signer.privateKeyDirectory, { recursive: true });
  await copyFile(
    key.privateKeyFile,
    join(signer.privateKeyDirectory, basename(key.privateKeyFile)),
  );
  await signer.addHash(GUN, 'v1', 42, sha256, ['targets/releases', 'targets/alice']);
  await signer.publish(GUN);

  t.same(await bed.docker().trustInspect(GUN), [{ tag: 'v1', sha256, signers: ['alice'] }]);
  const listed = { tag: 'v1', sha256, length: 42 };
  t.same(await signer.list(GUN, 'targets/alice'), [{ ...listed, role: 'targets/alice' }]);
  t.same(await signer.list(GUN, 'targets/releases'), [{ ...listed, role: 'targets/releases' }]);
});

t.test('a delegation signs what its paths allow, and nothing else', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const owner = bed.cli('owner');
  const bob = await bed.authority.issue({ name: 'bob', usage: 'signing' });
  await owner.init(GUN);
  await owner.publish(GUN);
  await owner.rotateSnapshotToServer(GUN);
  await owner.delegationAdd(GUN, 'targets/bob', bob.certificateFile, ['v', 'release-']);
  await owner.publish(GUN);

  const signer = bed.cli('bob');
  await signer.keyImport(bob.keyFile, 'bob');
  for (const tag of ['v1', 'release-1']) {
    await signer.addHash(GUN, tag, 1, 'cd'.repeat(32), ['targets/bob']);
  }
  await signer.publish(GUN);

  const tags = (await signer.list(GUN)).map(({ tag, role }) => `${tag} by ${role}`);
  t.same(tags.sort(), ['release-1 by targets/bob', 'v1 by targets/bob']);
  await signer.addHash(GUN, 'latest', 1, 'cd'.repeat(32), ['targets/bob']);
  await t.rejects(signer.publish(GUN), /Could not add all targets/);
});

t.test('reads fail when the server is gone, rather than answer from a cache', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const notary = bed.cli();
  await notary.init(GUN);
  await notary.publish(GUN);
  t.same(await notary.list(GUN), []);
  t.same(await bed.docker().trustInspect(GUN), []);
  await bed.notary.stop();
  await t.rejects(notary.list(GUN), /notary list .* exit code 1/);
  await t.rejects(notary.lookup(GUN, 'v1'), /notary lookup .* exit code 1/);
  await t.rejects(bed.docker().trustInspect(GUN), /docker trust inspect .* exit code 1/);
});

t.test('two beds side by side do not see each other', async (t) => {
  const beds = await Promise.all([startBed(), startBed()]);
  t.teardown(() => Promise.all(beds.map((bed) => bed.stop())));
  const [one, two] = beds;
  t.not(one.directory, two.directory);
  await one.cli().init(GUN);
  await one.cli().publish(GUN);
  t.same(await one.cli().list(GUN), []);
  await t.rejects(two.cli().list(GUN), /does not have trust data/);
  const { server, authority } = { server: one.notary, authority: two.authority };
  const stranger = notaryCli({ server, authority, home: join(two.directory, 'stranger') });
  await t.rejects(stranger.list(GUN), /notary list/, 'nor trust each other');
});
