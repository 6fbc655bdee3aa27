import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import type { NotaryUrl } from '../../../../src/shared/notary-url.ts';
import {
  Credentials,
  loginOf,
  notaryCredentials,
  type Audience,
} from '../../../../src/sidecar/auth/credentials.ts';
import { TokenRealm } from '../../../../src/sidecar/auth/token-realm.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';
import { runs } from '../../../support/runs.ts';

const home = temporaryDirectory();
let made = 0;

async function secret(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = join(home, `secret-${made++}`);
  await mkdir(directory);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

const urlOf = (host: string) => `https://${host}` as NotaryUrl;
const SCOPE = { repository: 'demo/app', actions: 'pull' } as const;

/** A realm that a URL's answer named. */
function realmNamed(at: URL, realm = 'https://realm.test/token'): TokenRealm {
  const headers = { 'www-authenticate': `Bearer realm="${realm}",service="s"` };
  const named = TokenRealm.namedIn({ status: 401, headers, body: Buffer.alloc(0), url: at });
  assert(named);
  return named;
}

t.test('directories with user name and password', async (t) => {
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const first = await secret({ username: 'ann\n', password: ' a b \r\n' });
  const second = await secret({ username: 'bob', password: 'b' });
  const identity = await secret({ username: '<token>\n', password: 'canary\n' });
  const broken = await secret({ username: 'eve' });
  const source = notaryCredentials(
    [
      { host: 'https://Notary.test:443/', directory: first },
      { host: 'notary.test', directory: second },
      { host: '[::1]:4443', directory: second },
      { host: 'token.test:8443', directory: identity },
      { host: 'broken.test', directory: broken },
      { host: 'gone.test', directory: join(home, 'gone') },
    ],
    log,
  );
  const find = (host: string) => source.find(urlOf(host));

  t.test('are found by host, the default port and the scheme left out', async (t) => {
    const ann = await find('notary.test');
    t.equal(ann?.account, 'ann (credentials for notary.test)');
    const header = ann
      ?.basicFor(new URL('https://notary.test'))
      ?.headerFor(new URL('https://notary.test/v2/'));
    t.equal(header, `Basic ${Buffer.from('ann: a b ').toString('base64')}`);
    t.equal((await find('[::1]:4443'))?.account, 'bob (credentials for [::1]:4443)');
    for (const host of ['notary.test:4443', 'test', 'www.notary.test', '[::1]']) {
      t.equal(await find(host), undefined, host);
    }
  });
  t.test('the first of several for one host counts, with one warning', async (t) => {
    await Promise.all([find('notary.test'), find('notary.test')]);
    t.same(warnings, ['2 Secrets are for notary.test: the first is used']);
  });
  t.test('may hold an identity token', async (t) => {
    t.equal(
      (await find('token.test:8443'))?.account,
      'the account of the identity token for token.test:8443',
    );
  });
  t.test('that are broken are an error when they are needed', async (t) => {
    await t.rejects(find('broken.test'), {
      code: 'CREDENTIALS_INVALID',
      message: new RegExp(`for broken.test in ${broken} lack password$`),
    });
    await t.rejects(find('gone.test'), {
      code: 'CREDENTIALS_INVALID',
      message: /lack username$/,
    });
  });
});

t.test('credentials keep to those that they are for', async (t) => {
  const logins = [loginOf('robot', 'canary'), loginOf('<token>', 'canary')];
  const servers = ['a.test', 'a.test:8443', 'b.a.test', 'b.test'].map((host) => `https://${host}/`);
  const url = fc
    .tuple(fc.constantFrom(...servers, 'http://a.test/'), fc.constantFrom('', 'v2/', 'v2/x'))
    .map(([server, path]) => new URL(path, server));
  const audience: fc.Arbitrary<Audience> = fc.oneof(
    url.map((server) => ({ host: server.host, server })),
    url.map((server) => ({ host: server.host, server, realmNamedAt: new URL('/v2/', server) })),
  );
  const credentials = fc
    .tuple(audience, fc.constantFrom(...logins))
    .map(([audience, login]) => ({ audience, login, own: Credentials.for(audience, login) }));

  t.test('a password is shown to their own server, over https', async () => {
    fc.assert(
      fc.property(credentials, url, url, ({ audience, own }, server, seenBy) => {
        const header = own.basicFor(server)?.headerFor(seenBy);
        if (header === undefined) return;
        assert.equal(server.origin, audience.server.origin);
        assert.equal(seenBy.origin, audience.server.origin);
        assert.equal(seenBy.protocol, 'https:');
      }),
      runs(2000),
    );
  });
  t.test('and at a realm that their server names, where it has to name it', async () => {
    fc.assert(
      fc.property(credentials, url, url, ({ audience, own }, namedAt, server) => {
        const asked = { realm: realmNamed(namedAt), service: 's', scope: SCOPE, server };
        const request = own.tokenRequest(asked);
        const isNamed = audience.realmNamedAt
          ? namedAt.href === audience.realmNamedAt.href
          : namedAt.origin === audience.server.origin;
        const isTheirs = isNamed && server.origin === audience.server.origin;
        assert.equal(request !== undefined, isTheirs);
        if (request) assert.equal(request.url.origin, 'https://realm.test');
      }),
      runs(2000),
    );
  });
  t.test('where they are lent, they are no password, and serve the borrower alone', async () => {
    fc.assert(
      fc.property(credentials, url, url, url, ({ audience, own }, notary, namedAt, server) => {
        const lent = own.lentTo(notary.href.replace(/\/$/, '') as NotaryUrl);
        if (!lent) return;
        assert.equal(lent.basicFor(server), undefined);
        const asked = { realm: realmNamed(namedAt), service: 's', scope: SCOPE, server };
        if (!lent.tokenRequest(asked)) return;
        assert.equal(server.origin, notary.origin);
        assert.equal(namedAt.origin, audience.server.origin);
      }),
      runs(2000),
    );
  });
  t.test('and are in no text that is made of them', async (t) => {
    const audience = { host: 'a.test', server: new URL('https://a.test') };
    for (const login of logins) {
      const own = Credentials.for(audience, login);
      const texts = [
        inspect(own, { showHidden: true, depth: 9 }),
        JSON.stringify(own),
        own.account,
      ];
      for (const text of texts) t.notMatch(text, /canary/);
    }
  });
});

t.test(
  'a registry’s credentials are lent to its own host, and to what lies below it',
  async (t) => {
    const lends = (registry: string, notary: string) => {
      const audience = { host: registry, server: new URL('https://r.test') };
      return Credentials.for(audience, loginOf('u', 'p')).lentTo(urlOf(notary)) !== undefined;
    };
    for (const [registry, notary] of [
      ['app.azurecr.io', 'app.azurecr.io'],
      ['harbor.example.com', 'notary.harbor.example.com'],
      ['docker.io', 'notary.docker.io'],
      ['registry.test:5000', 'registry.test:5000'],
      ['registry.test:5000', 'a.b.registry.test:4443'],
      ['localhost', 'localhost'],
      // Where a name holds an address, anybody's may lie below it.
      ['192.0.2.1.nip.io', '198.51.100.1.192.0.2.1.nip.io'],
      ['10.0.0.1:5000', '10.0.0.1:5000'],
      ['[::1]:5000', '[::1]:5000'],
    ] as const) {
      t.ok(lends(registry, notary), `${registry} to ${notary}`);
    }
    for (const [registry, notary] of [
      ['core.harbor.example.com', 'notary.harbor.example.com'],
      ['harbor.example.com', 'example.com'],
      ['harbor.example.com', 'notary-harbor.example.com'],
      ['harbor.example.com', 'evilharbor.example.com'],
      ['harbor.example.com', 'harbor.example.com.evil.test'],
      ['harbor.example.com', 'harbor.example.com:4443'],
      ['registry.test:5000', 'registry.test'],
      ['registry.test:5000', 'registry.test:50000'],
      ['com:5000', 'evil.com'],
      ['localhost:5000', 'evil.localhost:5000'],
      ['localhost:5000', 'localhost:4443'],
      ['0.0.1:5000', 'evil.0.0.1.test'],
      ['10.0.0.1', '1.10.0.0.1'],
      ['10.0.0.1:5000', '10.0.0.1:4443'],
      ['[::1]:5000', '[::1]:4443'],
      ['docker.io', 'evil.test'],
    ] as const) {
      t.notOk(lends(registry, notary), `${registry} to ${notary}`);
    }
  },
);
