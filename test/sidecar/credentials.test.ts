import { mkdtempSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  basicCredentials,
  directorySource,
  notaryLookup,
  registryLookup,
  type Credentials,
  type CredentialSource,
} from '../../src/sidecar/credentials.ts';

const home = mkdtempSync(join(tmpdir(), 'kpack-notary-test-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
let made = 0;

async function secret(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = join(home, `secret-${made++}`);
  await mkdir(directory);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

/** Credentials by host, and which hosts were asked for. */
function known(...hosts: readonly string[]) {
  const asked: string[] = [];
  const source: CredentialSource = {
    find: (host) => {
      asked.push(host);
      const found = hosts.includes(host) ? basicCredentials(host, 'u', 'p') : undefined;
      return Promise.resolve(found);
    },
  };
  return { source, asked };
}

t.test('directories with user name and password', async (t) => {
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const first = await secret({ username: 'ann\n', password: ' a b \r\n' });
  const second = await secret({ username: 'bob', password: 'b' });
  const identity = await secret({ username: '<token>\n', password: 'canary\n' });
  const broken = await secret({ username: 'eve' });
  const directories = [
    { host: 'https://Notary.test:443/', directory: first },
    { host: 'notary.test', directory: second },
    { host: '[::1]:4443', directory: second },
    { host: 'token.test:8443', directory: identity },
    { host: 'broken.test', directory: broken },
    { host: 'gone.test', directory: join(home, 'gone') },
  ];
  const source = directorySource(directories, log);

  t.test('are found by host, the default port and the scheme left out', async (t) => {
    const ann: Credentials = {
      kind: 'basic',
      host: 'notary.test',
      username: 'ann',
      password: ' a b ',
    };
    t.same(await source.find('notary.test'), ann);
    t.match(await source.find('[::1]:4443'), { username: 'bob' });
    for (const host of ['notary.test:4443', 'test', 'www.notary.test', '[::1]', '']) {
      t.equal(await source.find(host), undefined, host);
    }
  });
  t.test('the first of several for one host counts, with one warning', async (t) => {
    await Promise.all([source.find('notary.test'), source.find('notary.test')]);
    t.same(warnings, ['2 Secrets are for notary.test: the first is used']);
  });
  t.test('may hold an identity token', async (t) => {
    t.same(await source.find('token.test:8443'), {
      kind: 'identity-token',
      host: 'token.test:8443',
      token: 'canary',
    });
  });
  t.test('that are broken are an error when they are needed', async (t) => {
    await t.rejects(source.find('broken.test'), {
      code: 'CREDENTIALS_INVALID',
      message: new RegExp(`for broken.test in ${broken} lack password$`),
    });
    await t.rejects(source.find('gone.test'), {
      code: 'CREDENTIALS_INVALID',
      message: /lack username$/,
    });
  });
});

t.test('a Notary server gets the credentials for its host alone', async (t) => {
  const notary = known('registry.test', 'realm.test');
  const registry = known('notary.test', 'registry.test', 'realm.test');
  const lookup = notaryLookup({
    server: 'notary.test',
    registryHost: 'registry.test',
    notary: notary.source,
    registry: registry.source,
  });
  t.equal(await lookup.forServer(), undefined);
  t.same([notary.asked, registry.asked], [['notary.test'], []]);
});

t.test('the realm of a Notary server gets the first that are there', async (t) => {
  const order: readonly (readonly [source: 'notary' | 'registry', host: string])[] = [
    ['notary', 'notary.test'],
    ['notary', 'realm.test'],
    ['registry', 'realm.test'],
    ['registry', 'registry.test'],
  ];
  for (let gone = 0; gone <= order.length; gone++) {
    const left = (name: 'notary' | 'registry') =>
      order.slice(gone).flatMap(([source, host]) => (source === name ? [host] : []));
    const [notary, registry] = [known(...left('notary')), known(...left('registry'))];
    const lookup = notaryLookup({
      server: 'notary.test',
      registryHost: 'Registry.test:443',
      notary: notary.source,
      registry: registry.source,
    });
    t.equal((await lookup.forRealm('realm.test'))?.host, order[gone]?.[1]);
    const asked = [...notary.asked, ...registry.asked];
    t.equal(asked.length, Math.min(gone + 1, order.length), 'nothing is read in vain');
  }
});

t.test('a registry and its realm get the registry’s; the realm else its own', async (t) => {
  const lookup = (source: CredentialSource) =>
    registryLookup({ registryHost: 'registry.test', registry: source });
  const both = lookup(known('registry.test', 'realm.test').source);
  t.equal((await both.forServer())?.host, 'registry.test');
  t.equal((await both.forRealm('realm.test'))?.host, 'registry.test');
  const realm = lookup(known('realm.test').source);
  t.equal(await realm.forServer(), undefined);
  t.equal((await realm.forRealm('realm.test'))?.host, 'realm.test');
  t.equal(await realm.forRealm('other.test'), undefined);
});
