import { join } from 'node:path';
import t from 'tap';
import { startBed } from './bed.ts';
import { notaryCli } from './notary-cli.ts';

const GUN = 'registry.example.test/demo/app';

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
