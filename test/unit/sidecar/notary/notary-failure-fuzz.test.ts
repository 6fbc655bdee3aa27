import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../../../src/shared/notary-url.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { RELEASES, ROOT, TARGETS } from '../../../../src/sidecar/tuf/metadata.ts';
import { parseRoot } from '../../../../src/sidecar/tuf/parse.ts';
import { createNotaryClient } from '../../../../src/sidecar/notary/notary-client.ts';
import { publishFailure } from '../../../../src/sidecar/notary/notary-failure.ts';
import { fixture } from '../../../support/fixture.ts';
import { UNBOUNDED } from '../../../support/unbounded.ts';
import { serverAnswer } from '../../../../src/sidecar/http/server-error.ts';
import { runs } from '../../../support/runs.ts';

const GUN = 'registry.example.test/demo/app' as Gun;
const SERVER = 'https://notary.example.test' as NotaryUrl;
const root = parseRoot(ROOT, fixture('notary/repo/root.json')).content;
const keyIds = [...root.roles.values()].flatMap(({ keyIds }) => keyIds);

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.nat(2000).map((length) => 'é'.repeat(length)),
  fc.constantFrom(
    ...['VERSION', 'UPDATING', 'INVALID_ROLE', 'INVALID_GUN', 'INVALID_UPDATE', 'snapshot'],
    ...['code = Unavailable', 'code = DeadlineExceeded', '__proto__', '\u001b[2J\nsigned: all'],
    ...keyIds.map((id) => `rpc error: code = NotFound desc = key ${id} not found`),
  ),
);
const value = fc.oneof(text, fc.jsonValue());
const detail = fc.oneof(
  value,
  fc.record({ Name: value, Error: fc.oneof(value, fc.record({ Msg: value, Missing: value })) }),
);
const errors = fc.oneof(
  value,
  fc.array(fc.oneof(value, fc.record({ code: value, message: value, detail })), { maxLength: 3 }),
);
/** Bodies of an answer, more or less as a Notary server writes them. */
const body: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.json().map((json) => Buffer.from(json)),
  errors.map((errors) => Buffer.from(JSON.stringify({ errors }))),
  fc
    .tuple(errors, fc.nat(400))
    .map(([errors, end]) => Buffer.from(JSON.stringify({ errors })).subarray(0, end)),
);
const CANARY = 'canary-in-location';
const location = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc
    .webPath()
    .map((path) => `https://${CANARY}:${CANARY}@else.example.com${path}?t=${CANARY}#${CANARY}`),
  fc.nat(3000).map((length) => `/${'x'.repeat(length)}?t=${CANARY}`),
  fc.constantFrom('//', 'http://', 'javascript:alert(1)', '\\\\else', '?', 'https://[::1'),
);
const headers = fc.record(
  {
    location,
    'retry-after': fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(String)),
    date: fc.string(),
  },
  { requiredKeys: [] },
);
const status = fc.oneof(
  fc.integer({ min: 100, max: 599 }),
  fc.constantFrom(301, 302, 307, 308, 403, 404, 405, 408, 413, 425, 429, 504),
);
const response = fc
  .record({ status, body, headers })
  .map((answer) => ({ ...answer, url: new URL(SERVER) }));

const CODES = [
  ...['PUSH_DENIED', 'SNAPSHOT_KEY_NOT_ON_SERVER', 'PUBLISH_CONFLICT', 'DELEGATIONS_REFUSED'],
  ...['REPOSITORY_NOT_ALLOWED', 'SERVER_FAILED', 'SERVER_KEY_LOST', 'PUBLISH_REJECTED'],
];

t.test('any answer of a server', async (t) => {
  t.test('is one of a Notary server, of bounded length, or none', async () => {
    fc.assert(
      fc.property(response, (response) => {
        const answer = serverAnswer(response);
        if (!answer) return;
        assert.equal(typeof answer.code, 'string');
        assert.ok(answer.text.length <= 300);
      }),
      runs(2000),
    );
  });

  t.test('to a publish is an error of ours, in one line, with a fix', async () => {
    fc.assert(
      fc.property(response, (response) => {
        const error = publishFailure({ url: SERVER, gun: GUN, root, size: 7 }, response);
        assert.ok(CODES.includes(error.code), error.code);
        assert.ok(error.message.startsWith(`${SERVER} did not take the metadata of ${GUN} (HTTP `));
        assert.doesNotMatch(`${error.message}${error.fix}`, /[\p{Cc}\u2028\u2029]/u);
        assert.ok(error.message.length < 600);
        assert.ok(!error.message.includes(CANARY));
        assert.ok(Number.isFinite(error.retryAfterMs));
        assert.ok(error.fix);
        // What is refused for good is not tried again; what the server says of itself is.
        const isServers = response.status >= 500 || error.code === 'SERVER_FAILED';
        if (error.isTransient) assert.ok(isServers, error.code);
      }),
      runs(2000),
    );
  });

  t.test('to a read is a file, its absence, or an error of that kind', async () => {
    const credentials = { find: () => Promise.resolve(undefined), absence: 'there are none' };
    await fc.assert(
      fc.asyncProperty(
        response.filter(({ status }) => status !== 401),
        fc.constantFrom(ROOT, TARGETS, RELEASES),
        async (response, role) => {
          const http = { send: () => Promise.resolve(response), close: () => undefined };
          const client = createNotaryClient({
            ...{ http, url: SERVER, gun: GUN, credentials },
            ...UNBOUNDED,
          });
          const read = await client.fetchRole(role).catch((error: unknown) => error);
          if (response.status === 200) return assert.equal(read, response.body);
          if (response.status === 404 && role !== ROOT) return assert.equal(read, undefined);
          if (read === undefined) return assert.equal(response.status, 404);
          assert.ok(read instanceof SigningError);
          assert.ok(['NOT_A_NOTARY_SERVER', 'SERVER_FAILED'].includes(read.code), read.code);
          assert.doesNotMatch(`${read.message}${read.fix}`, /[\p{Cc}\u2028\u2029]/u);
          assert.ok(read.message.length < 700 && !read.message.includes(CANARY));
        },
      ),
      runs(1000),
    );
  });
});
