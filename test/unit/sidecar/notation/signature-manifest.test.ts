import fc from 'fast-check';
import t from 'tap';
import {
  EMPTY_CONFIG,
  formatSignatureManifest,
  readSignatureManifest,
} from '../../../../src/sidecar/notation/signature-manifest.ts';
import { issue, thumbprint } from '../../../support/issued-certificate.ts';
import { runs } from '../../../support/runs.ts';
import { digestOf, TARGET, uncheckedSigner } from '../../../support/signature-fixture.ts';

const leaf = issue();
const { chain } = uncheckedSigner('ES256', leaf);
const ENVELOPE = Buffer.from('the envelope');
const CREATED = new Date('2026-11-30T05:02:03.999Z');
const TYPE = 'application/vnd.cncf.notary.signature';
const format = (form: 'config-type' | 'artifact-type') =>
  formatSignatureManifest(form, TARGET, ENVELOPE, chain, CREATED);

t.test('both forms are those of the specification', async (t) => {
  const annotations = {
    'io.cncf.notary.x509chain.thumbprint#S256': `["${thumbprint(leaf)}"]`,
    'org.opencontainers.image.created': '2026-11-30T05:02:03Z',
  };
  const common = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    layers: [
      { mediaType: 'application/jose+json', digest: digestOf(ENVELOPE), size: ENVELOPE.length },
    ],
    subject: TARGET,
    annotations,
  };
  const config = {
    digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    size: 2,
  };
  t.same(JSON.parse(String(format('config-type').bytes)), {
    ...common,
    config: { mediaType: TYPE, ...config },
  });
  t.same(JSON.parse(String(format('artifact-type').bytes)), {
    ...common,
    artifactType: TYPE,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', ...config },
  });
  t.equal(digestOf(EMPTY_CONFIG), config.digest);
  for (const form of ['config-type', 'artifact-type'] as const) {
    const { bytes, descriptor } = format(form);
    t.same(descriptor, {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: digestOf(bytes),
      size: bytes.length,
      artifactType: TYPE,
      annotations,
    });
  }
});

t.test('a manifest of either form leads to its envelope', async (t) => {
  for (const form of ['config-type', 'artifact-type'] as const) {
    const read = readSignatureManifest(format(form).bytes, { ...TARGET, annotations: { a: 'b' } });
    t.same(read?.envelope, {
      mediaType: 'application/jose+json',
      digest: digestOf(ENVELOPE),
      size: ENVELOPE.length,
    });
  }
});

t.test('what is no signature manifest of this subject is passed over', async (t) => {
  const changed = (change: object, form: Parameters<typeof format>[0] = 'config-type') => {
    const manifest = JSON.parse(String(format(form).bytes)) as object;
    return Buffer.from(JSON.stringify({ ...manifest, ...change }));
  };
  const layer = { mediaType: 'application/jose+json', digest: digestOf(ENVELOPE), size: 12 };
  const others: Readonly<Record<string, Uint8Array>> = {
    'another version': changed({ schemaVersion: 1 }),
    'another media type': changed({ mediaType: 'application/vnd.oci.image.index.v1+json' }),
    'another artifact': changed({ artifactType: 'application/spdx+json' }),
    'another config': changed({ config: { mediaType: 'application/json' } }),
    'no config': changed({ config: undefined }),
    'no subject': changed({ subject: undefined }),
    'another digest': changed({ subject: { ...TARGET, digest: digestOf(ENVELOPE) } }),
    'another size': changed({ subject: { ...TARGET, size: TARGET.size + 1 } }),
    'another type of subject': changed({ subject: { ...TARGET, mediaType: 'a/b' } }),
    'no layer': changed({ layers: [] }),
    'two layers': changed({ layers: [layer, layer] }),
    'a layer without size': changed({ layers: [{ ...layer, size: undefined }] }),
    'a layer of another hash': changed({ layers: [{ ...layer, digest: 'sha512:00' }] }),
    'layers that are no list': changed({ layers: layer }),
    'layers twice': Buffer.from(
      String(format('config-type').bytes).replace('"layers"', '"Layers":[],"layers"'),
    ),
    'no JSON': Buffer.from('<html>'),
    nothing: Buffer.alloc(0),
  };
  for (const [name, bytes] of Object.entries(others)) {
    t.equal(readSignatureManifest(bytes, TARGET), undefined, name);
  }
  t.ok(readSignatureManifest(changed({}), TARGET), 'and what is not changed is read');
  t.ok(readSignatureManifest(changed({ x: ['y'] }), TARGET), 'as are members of later versions');
});

t.test('no JSON makes reading throw', async () => {
  const { bytes } = format('artifact-type');
  const manifest = JSON.parse(String(bytes)) as Record<string, unknown>;
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(manifest)), fc.jsonValue(), (name, value) => {
      const text = JSON.stringify({ ...manifest, [name]: value });
      readSignatureManifest(Buffer.from(text), TARGET);
    }),
    runs(2000),
  );
});
