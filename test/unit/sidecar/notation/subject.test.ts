import t from 'tap';
import { MANIFEST_TYPES } from '../../../../src/sidecar/image/manifest.ts';
import { readSubject } from '../../../../src/sidecar/notation/subject.ts';

const SHA256 = 'a'.repeat(64);
const DIGEST = `sha256:${SHA256}`;
const REGISTRY = { registry: 'r.test', host: 'r.test', name: 'demo/app', isLoopback: false };
const HEADERS = { 'content-type': MANIFEST_TYPES[0], 'content-length': '248' };

t.test('an image is what the headers say, which verifiers read as well', async (t) => {
  const subject = { mediaType: MANIFEST_TYPES[0], digest: DIGEST, size: 248 };
  for (const headers of [
    HEADERS,
    { ...HEADERS, 'docker-content-digest': DIGEST },
    { ...HEADERS, 'content-type': `${MANIFEST_TYPES[0]}; charset=utf-8` },
  ]) {
    t.same(readSubject(REGISTRY, SHA256, undefined, headers), subject);
    t.same(readSubject(REGISTRY, SHA256, 248, headers), subject);
  }
  for (const mediaType of MANIFEST_TYPES) {
    t.match(readSubject(REGISTRY, SHA256, 248, { ...HEADERS, 'content-type': mediaType }), {
      mediaType,
    });
  }
});

t.test('headers that say something else are named, all of them', async (t) => {
  for (const [headers, says] of [
    [
      { ...HEADERS, 'content-type': 'text/html' },
      'no media type of an image (Content-Type "text/html")',
    ],
    [{ 'content-length': '248' }, 'no media type of an image (Content-Type "")'],
    [{ 'content-type': MANIFEST_TYPES[0] }, 'no size (Content-Length)'],
    [{ ...HEADERS, 'content-length': '-1' }, 'no size (Content-Length)'],
    [{ ...HEADERS, 'content-length': '249' }, '249 bytes, not 248'],
    [{ ...HEADERS, 'docker-content-digest': 'sha256:b' }, 'the digest sha256:b'],
    [
      { 'content-type': 'text/html', 'docker-content-digest': '' },
      'no media type of an image (Content-Type "text/html"), and no size (Content-Length), and the digest ',
    ],
  ] as const) {
    t.throws(() => readSubject(REGISTRY, SHA256, 248, headers), {
      code: 'MANIFEST_MISMATCH',
      message: `r.test answers HEAD of r.test/demo/app@${DIGEST} with ${says.trim()}`,
    });
  }
});
