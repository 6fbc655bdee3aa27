import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { SIGNATURE_TYPE, type Descriptor } from '../../../../src/sidecar/notation/descriptor.ts';
import {
  EMPTY_INDEX,
  fallbackTag,
  formatIndex,
  placeOf,
  readFallbackIndex,
} from '../../../../src/sidecar/notation/fallback-index.ts';
import { readImageIndex } from '../../../../src/sidecar/notation/image-index.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const SUBJECT = { mediaType: INDEX, digest: digestOf('subject'), size: 7 };
const OWN: Descriptor = {
  ...{ mediaType: 'm', digest: digestOf('own'), size: 9 },
  ...{ artifactType: SIGNATURE_TYPE, annotations: { a: 'b' } },
};
const answer = (body: string, type = INDEX, digest?: string) => ({
  headers: {
    ...(type !== '' && { 'content-type': type }),
    ...(digest !== undefined && { 'docker-content-digest': digest }),
  },
  body: Buffer.from(body),
});
const index = (...manifests: readonly object[]) => JSON.stringify({ schemaVersion: 2, manifests });

t.test('the tag is the digest of the subject', async (t) => {
  t.match(fallbackTag(SUBJECT), /^sha256-[0-9a-f]{64}$/);
});

t.test('what is at the tag', async (t) => {
  for (const [what, given] of [
    ['an index', answer(index(OWN))],
    ['an index with parameters in its type', answer(index(OWN), `${INDEX}; charset=utf-8`)],
  ] as const) {
    t.test(`${what} is a list`, async (t) => {
      t.match(readFallbackIndex(SUBJECT, given), { entries: [OWN] });
    });
  }
  for (const [what, given, says] of [
    ['the subject', answer('subject'), 'the image itself'],
    [
      'what the registry calls the subject',
      answer(index(), INDEX, SUBJECT.digest),
      'the image itself',
    ],
    [
      'an image',
      answer('{"schemaVersion":2,"layers":[]}', 'application/vnd.oci.image.manifest.v1+json'),
      'something of the media type application/vnd.oci.image.manifest.v1+json',
    ],
    [
      'an index of another type',
      answer(index(), 'application/json'),
      /media type application.json/,
    ],
    ['an index of a long type', answer(index(), 'x'.repeat(200)), /x{100}…$/],
    ['an index without a type', answer(index(), ''), 'something without a media type'],
    [
      'an index of another version',
      answer('{"schemaVersion":1,"manifests":[]}'),
      /no index of schema/,
    ],
    ['an index without a version', answer('{"manifests":[]}'), /no index of schema/],
    ['what is no index', answer('<html>'), /no index of schema/],
  ] as const) {
    t.test(`${what} is no list`, async (t) => {
      t.match(readFallbackIndex(SUBJECT, given), says);
    });
  }
});

t.test('an entry is where verifiers find it', async (t) => {
  const other = { ...OWN, digest: digestOf('other') };
  const { artifactType: _, ...untyped } = OWN;
  for (const [place, ...entries] of [
    [0, OWN],
    [1, other, OWN],
    [1, untyped, OWN],
    [-1, other],
    [-1, untyped],
    [-1, { ...OWN, artifactType: 'other' }],
    [-1, { ...OWN, size: 8 }],
    [-1, { ...OWN, mediaType: 'n' }],
    [-1],
  ] as const) {
    const read = readImageIndex(Buffer.from(index(...entries)));
    t.equal(read && placeOf(OWN, read), place);
  }
});

t.test('the index that is written', async (t) => {
  t.test('is one of OCI, where there was none', async (t) => {
    t.same(JSON.parse(formatIndex(EMPTY_INDEX, OWN, []).toString()), {
      ...{ schemaVersion: 2, mediaType: INDEX, manifests: [OWN] },
    });
  });
  t.test('keeps every member of the index and of the other entries', async () => {
    const members = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    const entry = members.map((more) => ({ ...more, digest: digestOf('other') }));
    fc.assert(
      fc.property(members, fc.array(entry), (more, others) => {
        const before = { ...more, schemaVersion: 2, manifests: others };
        const read = readImageIndex(Buffer.from(JSON.stringify(before)));
        assert(read);
        const written: unknown = JSON.parse(formatIndex(read, OWN, read.entries).toString());
        const expected = JSON.stringify({ ...before, manifests: [OWN, ...others] });
        assert.deepEqual(written, JSON.parse(expected));
      }),
    );
  });
});
