import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../../../src/shared/notary-url.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { ROOT } from '../../../../src/sidecar/tuf/metadata.ts';
import { parseRoot } from '../../../../src/sidecar/tuf/parse.ts';
import type { HttpClient } from '../../../../src/sidecar/http/http-client.ts';
import { createNotaryClient } from '../../../../src/sidecar/notary/notary-client.ts';
import { publishFailure } from '../../../../src/sidecar/notary/notary-failure.ts';
import { proxyRefusal } from '../../../../src/sidecar/http/proxy-tunnel.ts';
import {
  lookUpOf,
  registryFailure,
  registryRefusal,
} from '../../../../src/sidecar/image/registry-failure.ts';
import { transienceOf } from '../../../../src/sidecar/http/retry-after.ts';
import { fetchToken } from '../../../../src/sidecar/auth/token-client.ts';
import { TokenRealm } from '../../../../src/sidecar/auth/token-realm.ts';
import { fixture } from '../../../support/fixture.ts';
import { UNBOUNDED } from '../../../support/unbounded.ts';
import type { HttpResponse } from '../../../../src/sidecar/http/http-message.ts';
import { runs } from '../../../support/runs.ts';

const NOW = Date.parse('2026-11-30T06:00:00Z');
const busy = (retryAfter: string, date?: string) =>
  transienceOf({ status: 429, headers: { 'retry-after': retryAfter, ...(date && { date }) } }, NOW);

t.test('a server says when to come back', async (t) => {
  t.test('in seconds', async (t) => {
    t.equal(busy('7').retryAfterMs, 7000);
    t.equal(busy(' 0 ').retryAfterMs, 0);
  });

  t.test('or as a date, in each of its three forms', async (t) => {
    for (const date of [
      'Mon, 30 Nov 2026 06:00:30 GMT',
      'Monday, 30-Nov-26 06:00:30 GMT',
      'Mon Nov 30 06:00:30 2026',
    ]) {
      t.equal(busy(date).retryAfterMs, 30_000, date);
    }
    t.equal(busy('Mon, 30 Nov 2026 05:00:00 GMT').retryAfterMs, 0, 'which may be over');
  });

  t.test('by its own clock, where that goes wrong', async (t) => {
    const [date, until] = ['Thu, 01 Jan 2015 00:00:00 GMT', 'Thu, 01 Jan 2015 00:00:09 GMT'];
    t.equal(busy(until, date).retryAfterMs, 9000);
  });

  t.test('or nothing that can be read', async (t) => {
    for (const value of [
      '',
      '-1',
      '1.5',
      '1e3',
      'soon',
      '2026-11-30',
      '9'.repeat(20),
      'Mon, 99 Nov',
    ]) {
      t.equal(busy(value).retryAfterMs, 0, value);
    }
  });
});

t.test('statuses that may pass are those of busy servers and of servers in trouble', async (t) => {
  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    t.equal(transienceOf({ status, headers: {} }).isTransient, true, String(status));
  }
  for (const status of [200, 301, 400, 401, 403, 404, 405, 409, 413, 422, 451]) {
    const headers = { 'retry-after': '5' };
    t.same(transienceOf({ status, headers }), { isTransient: false, retryAfterMs: 0 });
  }
});

t.test('every server and proxy is left alone for as long as it asks', async (t) => {
  const url = new URL('https://server.example.test/');
  const answer: HttpResponse = {
    status: 429,
    headers: { 'retry-after': '7' },
    body: new Uint8Array(),
    url,
  };
  const http: HttpClient = { send: () => Promise.resolve(answer), close: () => undefined };
  const errorOf = async (work: Promise<unknown>) =>
    work.then(
      () => t.fail('was not refused'),
      (error: unknown) => error,
    );
  const notaryUrl = 'https://server.example.test' as NotaryUrl;
  const gun = 'registry.example.test/demo/app' as Gun;
  const root = parseRoot(ROOT, fixture('notary/repo/root.json')).content;
  const credentials = { find: () => Promise.resolve(undefined), absence: 'there are none' };
  const notary = createNotaryClient({ http, url: notaryUrl, gun, credentials, ...UNBOUNDED });
  const repository = {
    registry: 'server.example.test',
    host: 'server.example.test',
    name: 'demo/app',
    isLoopback: false,
  };
  const refusal = registryRefusal(repository, lookUpOf('1'), answer);
  const challenge = { 'www-authenticate': 'Bearer realm="https://tokens.example.test/token"' };
  const realm = TokenRealm.namedIn({ ...answer, headers: challenge });
  assert.ok(realm);
  const scope = { repository: gun, actions: 'pull' } as const;
  const token = { realm, service: undefined, scope, server: url };
  const proxy = { url, serverName: 'p', authorization: undefined };
  const errors = {
    'a Notary server that is read': await errorOf(notary.fetchRole(ROOT)),
    'a Notary server that is published to': publishFailure(
      { url: notaryUrl, gun, root, size: 7 },
      answer,
    ),
    'a registry': registryFailure(repository, lookUpOf('1'), refusal, []),
    'a token server': await errorOf(fetchToken(http, token, undefined)),
    'a proxy': proxyRefusal('server.example.test:443', proxy, answer),
  };
  for (const [what, error] of Object.entries(errors)) {
    assert.ok(error instanceof SigningError);
    t.same([error.isTransient, error.retryAfterMs], [true, 7000], what);
  }
});

t.test('whatever a server writes, the wait is a number of milliseconds that ends', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.integer().map(String),
    fc.double().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.constantFrom('Infinity', 'NaN', '0x10', '+5', '1, 2', 'Mon Nov 30 06:00:30 2026 GMT'),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 599 }),
      text,
      fc.option(text),
      (status, value, date) => {
        const headers = { 'retry-after': value, ...(date !== null && { date }) };
        const { isTransient, retryAfterMs } = transienceOf({ status, headers }, NOW);
        assert.ok(Number.isFinite(retryAfterMs) && retryAfterMs >= 0, String(retryAfterMs));
        if (!isTransient) assert.equal(retryAfterMs, 0);
      },
    ),
    runs(2000),
  );
});
