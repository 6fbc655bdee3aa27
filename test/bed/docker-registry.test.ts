import { request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from './bed.ts';
import { startRegistry } from './docker-registry.ts';
import { pushImage } from './image.ts';

t.test('a second registry serves what was pushed to the first, to those it knows', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  await pushImage({
    registryUrl: bed.registry.url,
    repository: 'demo/app',
    tags: ['1'],
    content: 'x',
  });
  const { authority } = bed;
  const registry = await startRegistry({
    directory: join(bed.directory, 'registry'),
    authority,
    auth: { accounts: { robot: 'pass', other: 'else' } },
  });
  t.teardown(() => registry.stop());
  t.match(registry.url, /^https:/);
  const status = (auth?: string) =>
    new Promise((resolve, reject) => {
      request(
        `${registry.url}/v2/demo/app/tags/list`,
        { ca: authority.certificatePem, agent: false, ...(auth !== undefined && { auth }) },
        (answer) => resolve(answer.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });
  t.equal(await status(), 401);
  t.equal(await status('robot:wrong'), 401);
  t.equal(await status('robot:pass'), 200);
  t.equal(await status('other:else'), 200);
});
