import t from 'tap';
import { ask, memoryCluster, verdictOf } from './asking.ts';
import { changed, P, world } from './world.ts';

t.test('an Image that changes', async (t) => {
  const { image } = world();
  if (!image) throw new Error('no image');
  const malformed = changed(image, (image) => {
    image.spec['notary'] = { v1: { url: 'x' } };
    image.metadata.annotations = { [`${P}v1.ulr`]: 'x' };
  });
  const update = (object: object, oldObject: object) =>
    ask('validate', object, memoryCluster([]), { operation: 'UPDATE', oldObject, username: 'dev' });

  t.equal(verdictOf(await update(image, malformed)), 'allowed', 'mended');
  t.equal(verdictOf(await update(malformed, image)), '422 NOTARY_CONFIG_INVALID', 'spoiled');

  await t.test('may leave malformed what was malformed, with a warning', async (t) => {
    for (const change of [
      (image: typeof malformed) => (image.metadata.labels = { team: 'a' }),
      (image: typeof malformed) => (image.spec['tag'] = 'registry.example.com/other'),
      (image: typeof malformed) =>
        (image.metadata.annotations = { other: 'x', ...image.metadata.annotations }),
    ]) {
      const response = await update(changed(malformed, change), malformed);
      t.equal(verdictOf(response), 'allowed');
      t.match(response.warnings, ['kpack-notary: malformed, as before: ']);
      t.match(response.warnings?.join(), 'spec.notary.v1.url');
    }
  });
  await t.test('may not become malformed in another way', async (t) => {
    for (const change of [
      (image: typeof malformed) => (image.spec['notary'] = { v1: { url: 'y' } }),
      (image: typeof malformed) => delete image.spec['notary'],
      (image: typeof malformed) => (image.metadata.annotations = { [`${P}v1.ulr`]: 'y' }),
      (image: typeof malformed) =>
        (image.metadata.annotations = { ...image.metadata.annotations, [`${P}v2.x`]: 'y' }),
    ]) {
      const response = await update(changed(malformed, change), malformed);
      t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID');
    }
  });
  await t.test('may be malformed while it is deleted', async (t) => {
    const deletionTimestamp = '2026-06-17T10:48:23Z';
    const going = changed(malformed, ({ metadata }) =>
      Object.assign(metadata, { deletionTimestamp }),
    );
    const response = await update(going, image);
    t.equal(verdictOf(response), 'allowed');
    t.match(response.warnings, ['kpack-notary: malformed']);
    const staying = changed(malformed, ({ metadata }) =>
      Object.assign(metadata, { deletionTimestamp: null }),
    );
    t.equal(verdictOf(await update(staying, image)), '422 NOTARY_CONFIG_INVALID');
  });
  await t.test('is never changed by us, and may always be deleted', async (t) => {
    const cluster = memoryCluster([]);
    t.equal(verdictOf(await ask('mutate', malformed, cluster)), 'allowed');
    const response = await ask('validate', malformed, cluster, { operation: 'DELETE' });
    t.equal(verdictOf(response), 'allowed');
  });
  await t.test('without a section or annotations of ours is no concern of ours', async (t) => {
    const plain = changed(image, ({ spec }) => delete spec['notary']);
    t.equal(verdictOf(await ask('validate', plain, memoryCluster([]))), 'allowed');
    const other = { ...malformed, apiVersion: 'images.example.com/v1' };
    t.equal(verdictOf(await ask('validate', other, memoryCluster([]))), 'allowed', 'another group');
  });
});
