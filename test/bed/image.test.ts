import { createHash } from 'node:crypto';
import t from 'tap';
import { startBed } from './bed.ts';
import { pushImage } from './image.ts';

t.test('pushed images are what the registry serves', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const push = (tags: readonly string[], content: string) =>
    pushImage({ registryUrl: bed.registry.url, repository: 'demo/app', tags, content });
  const image = await push(['v1', 'latest'], 'one');
  for (const reference of [...image.tags, image.digest]) {
    const response = await fetch(`${bed.registry.url}/v2/demo/app/manifests/${reference}`, {
      headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    t.equal(response.headers.get('docker-content-digest'), image.digest);
    t.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, image.digest);
    t.equal(bytes.length, image.size);
  }
  t.equal((await push([], 'one')).digest, image.digest, 'equal contents, equal digests');
  t.not((await push(['v2'], 'two')).digest, image.digest);
  await t.rejects(push(['not/a/tag'], 'one'), /PUT .*not\/a\/tag: 404/);
});
