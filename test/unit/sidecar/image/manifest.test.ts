import { createHash } from 'node:crypto';
import t from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import { formatManifestReference, readManifest } from '../../../../src/sidecar/image/manifest.ts';
import { registryRepository } from '../../../../src/sidecar/auth/registry-host.ts';

const repository = registryRepository('docker.io/team/app' as Gun);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

t.test('a manifest', async (t) => {
  const image = '{"schemaVersion":2,"layers":[]}';
  const index = '{"manifests":[],"schemaVersion":2,"mediaType":"x"}\n';
  const byTag = (text: string, named?: string) =>
    readManifest(
      repository,
      { tag: '1' },
      {
        headers: named === undefined ? {} : { 'docker-content-digest': named },
        body: Buffer.from(text),
      },
    );

  t.test('is what its digest says, and has the size of its bytes', async (t) => {
    for (const text of [image, index, 'anything', '']) {
      const found = readManifest(
        repository,
        { sha256: sha256(text) },
        {
          headers: {},
          body: Buffer.from(text),
        },
      );
      t.same(found, { sha256: sha256(text), length: text.length });
    }
    const lie = { headers: { 'docker-content-digest': `sha256:${sha256(image)}` } };
    t.throws(
      () =>
        readManifest(repository, { sha256: sha256(image) }, { ...lie, body: Buffer.from(index) }),
      {
        code: 'MANIFEST_MISMATCH',
        message: `registry-1.docker.io answers docker.io/team/app@sha256:${sha256(image)} with 51 bytes that have the digest sha256:${sha256(index)}`,
      },
    );
  });

  t.test(
    'that a tag names is an image or an index, with the digest that it is said to have',
    async (t) => {
      for (const text of [image, index]) {
        const expected = { sha256: sha256(text), length: text.length };
        t.same(byTag(text), expected);
        t.same(byTag(text, `sha256:${sha256(text)}`), expected);
        t.same(byTag(text, `sha512:${'a'.repeat(128)}`), expected, 'of another kind');
      }
      t.throws(() => byTag(image, `sha256:${sha256(index)}`), {
        code: 'MANIFEST_MISMATCH',
        message: /docker\.io\/team\/app:1 with 31 bytes that have the digest sha256:.* and says/,
      });
      const others = [
        '',
        '<html>Please log in</html>',
        'null',
        '5',
        '[]',
        '{}',
        '{"schemaVersion":1,"layers":[]}',
        '{"schemaVersion":"2","layers":[]}',
        '{"schemaVersion":2}',
        '{"schemaVersion":2,"layers":{}}',
        '{"schemaVersion":1,"fsLayers":[],"signatures":[]}',
      ];
      for (const text of others) {
        t.throws(() => byTag(text), { code: 'MANIFEST_MISMATCH', message: /are no image/ }, text);
      }
    },
  );

  t.test('is named as people write it', async (t) => {
    t.equal(formatManifestReference(repository, { tag: '1' }), 'docker.io/team/app:1');
    const digest = sha256('');
    t.equal(
      formatManifestReference(repository, { sha256: digest }),
      `docker.io/team/app@sha256:${digest}`,
    );
  });
});
