import fc from 'fast-check';
import t from 'tap';
import { SIGNATURE_TYPE } from '../../../../src/sidecar/notation/descriptor.ts';
import {
  isWithoutReferrers,
  nextLink,
  readReferrersPage,
} from '../../../../src/sidecar/notation/referrers-page.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const LIST = new URL('https://r.test/v2/demo/app/referrers/sha256:1');
const page = (manifests: unknown, link?: string | string[], type = INDEX) => ({
  status: 200,
  headers: { 'content-type': type, ...(link !== undefined && { link }) } as Record<string, string>,
  body: Buffer.from(typeof manifests === 'string' ? manifests : JSON.stringify({ manifests })),
  url: new URL(`${LIST.href}?artifactType=x`),
});
const ENTRY = { mediaType: 'm', digest: `sha256:${'a'.repeat(64)}`, size: 7 };

t.test('the next link of a header', async (t) => {
  for (const [header, link] of [
    ['</a?b=c>; rel="next"', '/a?b=c'],
    ['</a>;rel=next', '/a'],
    ['</a>; REL=NEXT', '/a'],
    ['</a>; title="x"; rel="prev next"', '/a'],
    ['</a>; rel="prev", </b>; rel="next"', '/b'],
    ['</a,b;c>; rel="next"', '/a,b;c'],
    ['<>; rel="next"', ''],
    ['</a>; rel="prev"', undefined],
    ['</a>; rel="nextish"', undefined],
    ['</a>', undefined],
    ['/a; rel="next"', undefined],
    ['', undefined],
  ] as const) {
    t.equal(nextLink(header), link, header);
  }
});

t.test('a page', async (t) => {
  t.test('has referrers, of all artifact types', async (t) => {
    const annotated = { ...ENTRY, artifactType: SIGNATURE_TYPE, annotations: { a: 'b' } };
    const read = readReferrersPage(page([ENTRY, annotated]), LIST);
    t.same(read, { referrers: [ENTRY, annotated], next: undefined });
  });
  t.test('leaves out what cannot be read of an entry, and entries that cannot', async (t) => {
    const more = { ...ENTRY, artifactType: 7, annotations: { a: 1 }, unknown: 'x' };
    const sha512 = { ...ENTRY, digest: `sha512:${'a'.repeat(128)}` };
    const wrong = [
      sha512,
      { ...ENTRY, size: '7' },
      { ...ENTRY, size: -1 },
      { ...ENTRY, size: 1.5 },
    ];
    const read = readReferrersPage(page([more, ...wrong, { digest: ENTRY.digest }]), LIST);
    t.same(read, { referrers: [ENTRY], next: undefined });
  });
  for (const [what, link, next] of [
    ['a query', '<?page=2>; rel="next"', '?page=2'],
    ['a path', `<${LIST.pathname}?page=2>; rel="next"`, '?page=2'],
    ['a URL', `<${LIST.href}?page=2&a=b%2Bc>; rel="next"`, '?page=2&a=b%2Bc'],
    [
      'a URL of a registry that takes itself for plain http',
      `<${LIST.href.replace('https', 'http')}?p>; rel=next`,
      '?p',
    ],
  ] as const) {
    t.test(`names the next one by ${what}`, async (t) => {
      t.match(readReferrersPage(page([], link), LIST), { next });
    });
  }
  for (const [what, link] of [
    ['another host', `<https://evil.test${LIST.pathname}?p>; rel="next"`],
    ['another port', `<https://r.test:8443${LIST.pathname}?p>; rel="next"`],
    ['another path', '</v2/demo/app/manifests/latest>; rel="next"'],
    ['no URL', '<https://:>; rel="next"'],
  ] as const) {
    t.test(`does not lead to ${what}`, async (t) => {
      t.equal(
        readReferrersPage(page([], link), LIST),
        'its next page is said to be somewhere else',
      );
    });
  }
  for (const [what, wrong] of [
    ['text', page('<html>')],
    ['a list', page('[]')],
    ['an object without a list', page('{}')],
    ['a list of other things', page([7])],
    ['an entry without a digest', page([{ ...ENTRY, digest: undefined }])],
    ['an entry whose digest leads elsewhere', page([{ ...ENTRY, digest: 'sha256:../latest' }])],
    ['what is nested deeply', page(`{"manifests":[],"a":${'['.repeat(100_000)}`)],
    ['very many parts', page(`{"manifests":[],"a":[${'1,'.repeat(500_000)}1]}`)],
    ['another media type', page([], undefined, 'text/html')],
  ] as const) {
    t.test(`cannot be ${what}`, async (t) => {
      t.type(readReferrersPage(wrong, LIST), 'string');
    });
  }
  t.test('is read without an exception, whatever it is', async () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json({ maxDepth: 4 }),
          fc.string(),
          fc.json().map((list) => `{"manifests":[${list}]}`),
        ),
        fc.string(),
        (body, link) => void readReferrersPage(page(body, link), LIST),
      ),
    );
  });
});

t.test('a registry has no referrers API', async (t) => {
  const errors = (code: string) => Buffer.from(JSON.stringify({ errors: [{ code }] }));
  const html = page('<html>', undefined, 'text/html');
  for (const [answer, isWithout] of [
    [{ ...html, status: 404 }, true],
    [{ ...html, status: 404, body: errors('NOT_FOUND') }, true],
    [{ ...html, status: 404, body: errors('NAME_UNKNOWN') }, false],
    [html, true],
    [page([], undefined, `${INDEX}; charset=utf-8`), true],
    [page([]), false],
    [page('<html>'), false],
    ...[400, 401, 403, 405, 429, 500, 501, 503].map(
      (status) => [{ ...html, status }, false] as const,
    ),
  ] as const) {
    t.equal(
      isWithoutReferrers(answer),
      isWithout,
      `${answer.status} ${Buffer.from(answer.body).toString()}`,
    );
  }
});
