import t, { type Test } from 'tap';
import type { Descriptor } from '../../src/sidecar/notation/descriptor.ts';
import { startGitlabRegistry } from '../bed/gitlab-registry.ts';
import { pushImage, pushIndex } from '../bed/image.ts';
import { FORWARD, type ProxiedRequest, type ProxyAction } from '../bed/proxy.ts';
import {
  atTag,
  hexOf,
  INDEX_TYPE,
  startRegistries,
  subjectAt,
  tagOf,
} from './support/registries.ts';
import { push, REPOSITORY, signatureOf, signatureRegistry } from './support/signing.ts';

const at = await startRegistries(t);
const { authority, docker, olareg } = at;

const registries = [
  ['docker-registry, which has no referrers API', docker, 'tag'],
  ...(olareg ? [['olareg, which has the referrers API', olareg, 'api'] as const] : []),
] as const;
for (const [what, registry, listed] of registries) {
  t.test(`a signature at ${what}`, async (t) => {
    const seen: ProxiedRequest[] = [];
    const { client } = await at.behind(t, registry, (request) => {
      seen.push(request);
      return FORWARD;
    });
    const pushed = await subjectAt(registry, what);
    const subject = await client.describe(hexOf(pushed), pushed.size);
    t.same(subject, pushed);
    t.same(await client.list(subject), { listed, signatures: [] });

    const signature = signatureOf(subject, 'one');
    await push(client, signature);
    if (listed === 'tag') {
      t.same(await client.list(subject), { listed, signatures: [] }, 'nobody lists it by itself');
      await client.addToIndex(subject, signature.entry);
    }
    t.same(await client.list(subject), { listed, signatures: [signature.entry] });
    if (listed === 'api') t.equal(await atTag(registry, subject), undefined, 'no tag is written');
    t.same(Buffer.from(await client.manifest(signature.entry)), signature.manifest);
    const [, envelope = new Uint8Array()] = signature.blobs;
    const { layers } = JSON.parse(signature.manifest.toString()) as { layers: [Descriptor] };
    t.same(Buffer.from(await client.blob(layers[0])), envelope);

    t.same(client.said, []);
    const puts = () => seen.filter(({ method }) => method === 'PUT').map(({ path }) => path);
    const first = puts().length;
    await push(client, signature);
    t.equal(puts().length, first + 1, 'blobs that are there are not pushed again');
    const own = new RegExp(
      `^/v2/${REPOSITORY}/(manifests/(sha256:[0-9a-f]{64}|${tagOf(subject)})$` +
        `|blobs/(sha256:[0-9a-f]{64}$|uploads/)|referrers/${subject.digest}[?])`,
    );
    for (const { method, path } of seen) {
      t.match(path, own, 'no other tag is named');
      t.not(method, 'DELETE');
    }
    if (olareg) t.same(await at.notationList(registry.host, subject), [signature.entry.digest]);
  });
}
t.test('the image that is described', async (t) => {
  const client = signatureRegistry(t, { host: docker.host });
  const pushed = await subjectAt(docker, 'described');
  t.same(await client.describe(hexOf(pushed), undefined), pushed);
  await t.rejects(client.describe(hexOf(pushed), 7), {
    code: 'MANIFEST_MISMATCH',
    message: new RegExp(
      `HEAD of ${docker.host}/demo/app@${pushed.digest} with ${pushed.size} bytes, not 7$`,
    ),
  });
  await t.rejects(client.describe('c'.repeat(64), undefined), {
    code: 'MANIFEST_NOT_FOUND',
    message: /HTTP 404 to the look-up of/,
  });
  const index = await pushIndex({
    ...{ registryUrl: docker.url, repository: REPOSITORY, tags: [], format: 'oci' },
    images: [
      await pushImage({
        registryUrl: docker.url,
        repository: REPOSITORY,
        tags: [],
        content: 'i',
        format: 'oci',
      }),
    ],
  });
  t.match(await client.describe(hexOf(index as never), index.size), { mediaType: INDEX_TYPE });
});

t.test('a registry that resolves the tag to the image, as that of GitLab', async (t) => {
  const gitlab = await startGitlabRegistry({ authority, target: docker.url });
  t.teardown(() => gitlab.stop());
  const { host } = new URL(gitlab.url);
  const client = signatureRegistry(t, { host, authority });
  const image = await subjectAt(docker, 'gitlab');
  const target = {
    registryUrl: docker.url,
    repository: REPOSITORY,
    tags: [],
    format: 'oci',
  } as const;
  const platform = await pushImage({ ...target, content: 'gitlab' });
  const index = await pushIndex({ ...target, images: [platform] });
  for (const subject of [image, { ...index, mediaType: INDEX_TYPE }]) {
    const signature = signatureOf(subject, 'own');
    await push(client, signature);
    for (const answer of [
      () => client.list(subject).then(() => undefined),
      () => client.addToIndex(subject, signature.entry),
    ]) {
      await t.rejects(answer(), {
        code: 'REFERRERS_TAG_FOREIGN',
        message: `${host} has no referrers API, and ${host}/${REPOSITORY}:${tagOf(subject)}, where signatures would be listed, is the image itself`,
      });
    }
    t.match(await client.describe(hexOf(subject), subject.size), { digest: subject.digest });
  }
  t.notOk(gitlab.requests.some(({ method }) => method === 'DELETE'));
});

t.test('what answers the list', async (t) => {
  const subject = await subjectAt(docker, 'answers');
  const { entry, ...signature } = signatureOf(subject, 'one');
  const setup = signatureRegistry(t, { host: docker.host });
  await push(setup, { entry, ...signature });
  await setup.addToIndex(subject, entry);
  const page = (body: object | string, more: Readonly<Record<string, string>> = {}) => ({
    status: 200,
    headers: { 'content-type': INDEX_TYPE, ...more },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const error = (status: number, code: string) => ({
    status,
    body: JSON.stringify({ errors: [{ code, message: 'no' }] }),
  });
  const html = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' };
  for (const [what, answer, expected] of [
    ['404', { status: 404 }, 'tag'],
    ['404 of a registry', error(404, 'NOT_FOUND'), 'tag'],
    ['a page for people', html, 'tag'],
    ['an index under another type', page('{}', { 'content-type': 'application/json' }), 'tag'],
    [
      'an index under a type with parameters',
      page({}, { 'content-type': `${INDEX_TYPE}; charset=utf-8` }),
      'tag',
    ],
    ['an empty index', page({ manifests: [] }), 'api'],
    ['an empty index of Go', page({ manifests: null }), 'api'],
    ['404, and the repository is unknown', error(404, 'NAME_UNKNOWN'), 'SERVER_FAILED'],
    ['405', { status: 405 }, 'SERVER_FAILED'],
    ['501', { status: 501 }, 'SERVER_FAILED'],
    ['400', error(400, 'UNSUPPORTED'), 'SERVER_FAILED'],
    ['403', error(403, 'DENIED'), 'CREDENTIALS_REFUSED'],
    ['what is no JSON', page('<html>'), 'SERVER_FAILED'],
  ] as const) {
    t.test(`${what}: ${expected}, and notation agrees`, async (t) => {
      const rule = ({ path }: ProxiedRequest): ProxyAction =>
        path.includes('/referrers/') ? { kind: 'answer', ...answer } : FORWARD;
      const { client, proxy } = await at.behind(t, docker, rule, { pause: async () => true });
      const isListed = expected === 'tag' || expected === 'api';
      const listing = client.list(subject);
      if (isListed) t.match(await listing, { listed: expected });
      else await t.rejects(listing, { code: expected });
      const judged = await at.notationList(new URL(proxy.url).host, subject);
      if (judged === undefined) return;
      if (isListed) t.same(judged, expected === 'tag' ? [entry.digest] : []);
      else t.type(judged, 'string', 'it fails, too');
    });
  }
});

t.test('a list in pages', async (t) => {
  const subject = await subjectAt(docker, 'pages');
  const signatures = ['a', 'b', 'c'].map((name) => signatureOf(subject, name).entry);
  const foreign = { ...signatures[0], artifactType: 'application/other' };
  /** The pages, each of which leads to the next one. */
  const paged = (t: Test, next: (page: number) => string | undefined, page = signatures) => {
    const rule = ({ path }: ProxiedRequest): ProxyAction => {
      if (!path.includes('/referrers/')) return FORWARD;
      const number = Number(/[?&]page=(\d+)/.exec(path)?.[1] ?? 0);
      const entries = page.slice(number, number + 1);
      const link = next(number + 1);
      return {
        kind: 'answer',
        status: 200,
        headers: { 'content-type': INDEX_TYPE, ...(link !== undefined && { link }) },
        body: JSON.stringify({ schemaVersion: 2, manifests: [foreign, ...entries] }),
      };
    };
    return at.behind(t, docker, rule, { pause: async () => true });
  };
  const query = (page: number) => `<?page=${page}&artifactType=x>; rel="next"`;
  t.test('is read to its end, and filtered, and notation agrees', async (t) => {
    const { client, proxy } = await paged(t, (page) => (page < 3 ? query(page) : undefined));
    t.same(await client.list(subject), { listed: 'api', signatures });
    const [first, ...others] = proxy.requests.map(({ path }) => path);
    const asked = `/v2/${REPOSITORY}/referrers/${subject.digest}?`;
    t.equal(first, `${asked}artifactType=application%2Fvnd.cncf.notary.signature`);
    t.same(others, [`${asked}page=1&artifactType=x`, `${asked}page=2&artifactType=x`]);
    const judged = await at.notationList(new URL(proxy.url).host, subject);
    if (judged)
      t.same(
        judged,
        signatures.map(({ digest }) => digest),
      );
  });
  t.test('that leads to another host is not followed there', async (t) => {
    const { client, proxy } = await paged(t, () => '<https://evil.test/>; rel="next"');
    await t.rejects(client.list(subject), {
      code: 'SERVER_FAILED',
      message: /cannot list the signatures of \S+: its next page is said to be somewhere else$/,
    });
    t.equal(proxy.requests.length, 1);
  });
  t.test('that never ends is given up', async (t) => {
    const { client, proxy } = await paged(t, () => query(1));
    await t.rejects(client.list(subject), {
      code: 'SERVER_FAILED',
      message: /cannot list .*: the list has more than 100 pages$/,
    });
    t.equal(proxy.requests.length, 100);
  });
  t.test('that has another type in the middle is no list at the tag', async (t) => {
    const rule = ({ path }: ProxiedRequest): ProxyAction => ({
      kind: 'answer',
      status: path.includes('page=1') ? 404 : 200,
      headers: { 'content-type': INDEX_TYPE, link: query(1) },
      body: '{"manifests":[]}',
    });
    const { client } = await at.behind(t, docker, rule);
    await t.rejects(client.list(subject), { code: 'SERVER_FAILED', message: /HTTP 404/ });
  });
  t.test('of more signatures than anybody needs is refused', async (t) => {
    const entries = Array.from({ length: 1001 }, () => signatures[0]);
    const body = JSON.stringify({ schemaVersion: 2, manifests: entries });
    const headers = { 'content-type': INDEX_TYPE };
    const rule = (): ProxyAction => ({ kind: 'answer', status: 200, headers, body });
    const { client } = await at.behind(t, docker, rule);
    await t.rejects(client.list(subject), { code: 'SERVER_FAILED', message: /more than 1000/ });
  });
});
