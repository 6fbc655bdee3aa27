import t, { type Test } from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../../../src/shared/notary-url.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { ROOT, TARGETS } from '../../../../src/sidecar/tuf/metadata.ts';
import { createHttpClient } from '../../../../src/sidecar/http/http-client.ts';
import { createNotaryClient } from '../../../../src/sidecar/notary/notary-client.ts';
import { readProxySettings } from '../../../../src/sidecar/http/proxy-settings.ts';
import { createAuthority } from '../../../bed/authority.ts';
import { startHandlerServer } from '../../../bed/handler-server.ts';
import { UNBOUNDED } from '../../../support/unbounded.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const directory = temporaryDirectory();
const authority = await createAuthority(directory);
const gun = 'registry.example.test/demo/app' as Gun;

/** A client of a server that answers everything in one way, and what it was asked. */
async function clientOf(
  t: Test,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  needs: Partial<typeof UNBOUNDED> = {},
) {
  const asked: string[] = [];
  const server = await startHandlerServer({
    authority,
    handle: ({ method, url }, response) => {
      asked.push(`${method} ${url}`);
      response.writeHead(status, headers).end(body);
    },
  });
  t.teardown(() => server.stop());
  const http = createHttpClient({
    ca: [authority.certificatePem],
    proxy: readProxySettings({}),
    signal: new AbortController().signal,
  });
  t.teardown(() => http.close());
  const credentials = { find: () => Promise.resolve(undefined), absence: 'there are none' };
  const url = `${server.url}/below` as NotaryUrl;
  const options = { http, url, gun, credentials, ...UNBOUNDED, ...needs };
  return { client: createNotaryClient(options), asked };
}

const error = (code: string) => JSON.stringify({ errors: [{ code, message: 'words' }] });

t.test('a file is fetched by name, or by hash', async (t) => {
  const { client, asked } = await clientOf(t, 200, 'a file');
  t.equal(Buffer.from((await client.fetchRole(ROOT)) ?? '').toString(), 'a file');
  await client.fetchRole(ROOT, 'abc');
  t.same(asked, [
    `GET /below/v2/${gun}/_trust/tuf/root.json`,
    `GET /below/v2/${gun}/_trust/tuf/root.abc.json`,
  ]);
});

t.test('a file that is known to be too large is not asked for', async (t) => {
  const demand = () => {
    throw new SigningError('METADATA_TOO_LARGE', 'no room');
  };
  const { client, asked } = await clientOf(t, 200, 'a file', {}, { memory: { demand } });
  for (const [mebibytes, message] of [
    [101, /has 105906176 bytes, which is more than the signer reads/],
    [100, 'no room'],
  ] as const) {
    const fetched = client.fetchRole(TARGETS, 'abc', mebibytes * 1024 * 1024);
    await t.rejects(fetched, { code: 'METADATA_TOO_LARGE', message });
  }
  t.same(asked, []);
});

t.test('a server that lacks a file says so in its own words', async (t) => {
  const notary = await clientOf(t, 404, error('METADATA_NOT_FOUND'));
  t.equal(await notary.client.fetchRole(ROOT), undefined);
  const other = await clientOf(t, 404, '<html>');
  await t.rejects(other.client.fetchRole(ROOT), { code: 'NOT_A_NOTARY_SERVER' });
});

t.test('failures of a server that may pass say so', async (t) => {
  for (const [status, code, isTransient] of [
    [429, 'SERVER_FAILED', true],
    [500, 'SERVER_FAILED', true],
    [502, 'SERVER_FAILED', true],
    [503, 'SERVER_FAILED', true],
    [504, 'SERVER_FAILED', true],
    [403, 'SERVER_FAILED', false],
    [400, 'NOT_A_NOTARY_SERVER', false],
  ] as const) {
    const { client } = await clientOf(t, status, error('UNKNOWN'));
    const message = new RegExp(`answered HTTP ${status} to GET root.json \\(UNKNOWN: words\\)`);
    await t.rejects(client.fetchRole(ROOT), { code, isTransient, message }, String(status));
  }
});

t.test(
  'a redirect is not followed, and where it points to is told, without a secret',
  async (t) => {
    const location = 'https://user:canary-a@login.example.com/elsewhere?token=canary-b#canary-c';
    const { client, asked } = await clientOf(t, 302, '', { location });
    await t.rejects(client.fetchRole(ROOT), {
      code: 'NOT_A_NOTARY_SERVER',
      message: /HTTP 302 .* points to https:\/\/login\.example\.com\/elsewhere$/,
    });
    t.equal(asked.length, 1);
  },
);

t.test('credentials that a server repeats in its words are not told', async (t) => {
  const message = 'no match for Authorization: Basic Y2FuYXJ5OmNhbmFyeQ== or bearer ey.canary.ey';
  const { client } = await clientOf(
    t,
    500,
    JSON.stringify({ errors: [{ code: 'DENIED', message }] }),
  );
  await t.rejects(client.fetchRole(ROOT), {
    message: /\(DENIED: no match for Authorization: Basic … or bearer …\)$/,
  });
});

t.test("the server's time is that of its last answer, as far as it tells one", async (t) => {
  const cases: readonly (readonly [headers: Record<string, string>, time: string | undefined])[] = [
    [{ date: 'Mon, 30 Nov 2026 06:00:00 GMT' }, '2026-11-30T06:00:00.000Z'],
    [{ date: 'Mon, 30 Nov 2026 06:00:00 GMT', age: '3600' }, '2026-11-30T07:00:00.000Z'],
    [{ date: 'Mon, 30 Nov 2026 06:00:00 GMT', age: 'old' }, undefined],
    [{ date: 'Mon, 30 Nov 2026 06:00:00 GMT', age: '9'.repeat(40) }, undefined],
    [{ date: 'soon' }, undefined],
    [{ date: '' }, undefined],
  ];
  for (const [headers, time] of cases) {
    const { client } = await clientOf(t, 200, 'a file', headers);
    t.equal(client.serverTime(), undefined, 'nobody was asked yet');
    await client.fetchRole(ROOT);
    t.equal(client.serverTime()?.toISOString(), time, JSON.stringify(headers));
  }
});
