import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { MountedCredentials } from '../../../../src/shared/signer-flags.ts';
import { parseTagReference } from '../../../../src/shared/image-reference.ts';
import type { Log } from '../../../../src/sidecar/io/log.ts';
import { registryCredentials } from '../../../../src/sidecar/auth/registry-credentials.ts';
import { registryRepository } from '../../../../src/sidecar/auth/registry-host.ts';
import { fixture } from '../../../support/fixture.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const config = (host: string, user: string) => ({
  '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth: base64(`${user}:pass`) } } }),
});

/** Secrets, by the host of a registry, or the name of an image there. */
function credentialsIn(secrets: readonly MountedCredentials[], log: Log) {
  const found = registryCredentials(secrets, log);
  const repositoryOf = (name: string) =>
    registryRepository(parseTagReference(name.includes('/') ? name : `${name}/demo/app`).gun);
  return {
    account: async (name: string) => (await found.find(repositoryOf(name)))?.account,
    problems: (name: string) => found.problems(repositoryOf(name)),
  };
}

t.test('registry credentials', async (t) => {
  let count = 0;
  const root = t.testdir();
  const mounted = async (files: Readonly<Record<string, string>>, host?: string) => {
    const directory = join(root, `secret-${count++}`);
    await mkdir(directory);
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return { host, directory };
  };
  const warnings: string[] = [];
  const log = { step: () => undefined, warn: (message: string) => warnings.push(message) };
  t.beforeEach(() => {
    warnings.length = 0;
  });

  t.test('are those of the first of several Secrets that are as close', async (t) => {
    const secrets = [
      await mounted(config('other.test', 'other')),
      await mounted({ username: 'basic\n', password: 'pass\n' }, 'https://h.test'),
      await mounted(config('h.test', 'config')),
      await mounted({ '.dockercfg': `{"old.test":{"username":"old","password":"pass"}}` }),
    ];
    const credentials = credentialsIn(secrets, log);
    t.equal(await credentials.account('h.test'), 'basic (credentials for h.test)');
    t.equal(await credentials.account('other.test'), 'other (credentials for other.test)');
    t.equal(await credentials.account('old.test'), 'old (credentials for old.test)');
    t.equal(await credentials.account('h.test:5000'), undefined);
    const reverse = credentialsIn([...secrets].reverse(), log);
    t.equal(await reverse.account('h.test'), 'config (credentials for h.test)');
    t.same(warnings, []);
    t.same(credentials.problems('h.test'), []);
  });

  t.test('are those of the longest path, in whichever order and Secret', async (t) => {
    const field = (name: string) => ({
      '.dockerconfigjson': fixture(`docker/${name}.dockerconfigjson`).toString(),
    });
    const user = async (secrets: readonly MountedCredentials[], repository: string) =>
      (await credentialsIn(secrets, log).account(`registry.example.test/${repository}`))
        ?.split(' ')
        .at(0);
    const host = await mounted(field('path-before-host'));
    t.equal(await user([host], 'team-b/app'), 'b');
    t.equal(await user([host], 'team-bb/app'), 'a');
    t.equal(await user([host], 'team-a/app'), 'a');
    const paths = await mounted(field('two-paths'));
    t.equal(await user([paths], 'team-b/app'), 'b');
    t.equal(await user([paths], 'team-a/app'), 'a');
    t.equal(await user([paths], 'team-c/app'), undefined);
    t.equal(await user([await mounted(field('unpadded-auth'))], 'app'), 'a');

    const several = [
      await mounted(config('*.example.test', 'any')),
      await mounted(config('registry.example.test', 'host')),
      await mounted({ username: 'basic', password: 'x' }, 'registry.example.test/team-d'),
      await mounted(config('registry.example.test/team-d/deep', 'deep')),
    ];
    for (const order of [several, [...several].reverse()]) {
      t.equal(await user(order, 'team-d/deep/app'), 'deep');
      t.equal(await user(order, 'team-d/app'), 'basic');
      t.equal(await user(order, 'app'), 'host');
      t.equal(
        await credentialsIn(order, log).account('r2.example.test/app'),
        'any (credentials for r2.example.test)',
      );
    }
    t.same(warnings, []);
  });

  t.test('for Docker Hub go by any of its names', async (t) => {
    const names = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
    for (const name of [...names, 'https://index.docker.io/v1/']) {
      const inConfig = credentialsIn([await mounted(config(name, 'hub'))], log);
      const basic = credentialsIn(
        [await mounted({ username: 'hub', password: 'pass' }, name)],
        log,
      );
      for (const asked of names) {
        t.match(await inConfig.account(asked), /^hub /, `${name} for ${asked}`);
        t.match(await basic.account(asked), /^hub /, `${name} for ${asked}`);
      }
    }
  });

  t.test('that cannot be read are a warning, and the next Secret is asked', async (t) => {
    const good = await mounted(config('h.test', 'good'));
    const bad: Record<string, readonly [secret: typeof good, says: RegExp]> = {
      'no JSON': [
        await mounted({ '.dockerconfigjson': 'secret' }),
        /secret-\d+\/\.dockerconfigjson is not a JSON object/,
      ],
      'a broken entry': [
        await mounted({ '.dockerconfigjson': '{"auths":{"h.test":{"auth":"secret!"}}}' }),
        /dockerconfigjson: the entry for h\.test has an auth that is not base64/,
      ],
      'a store': [
        await mounted({ '.dockerconfigjson': '{"auths":{"h.test":{}},"credsStore":"desktop"}' }),
        /dockerconfigjson leaves credentials to a credsStore/,
      ],
      'a helper': [
        await mounted({ '.dockerconfigjson': '{"credHelpers":{"h.test":"desktop"}}' }),
        /dockerconfigjson: the entry for h\.test names a credential helper/,
      ],
      'an empty directory': [await mounted({}), /holds no \.dockerconfigjson and no \.dockercfg/],
      'no directory': [{ host: undefined, directory: join(root, 'none') }, /holds no/],
      'no password': [await mounted({ username: 'robot' }, 'h.test'), /lack password/],
      'a directory in place of a file': [
        await (async () => {
          const secret = await mounted({});
          await mkdir(join(secret.directory, '.dockerconfigjson'));
          return secret;
        })(),
        /is not a file/,
      ],
    };
    for (const [what, [secret, says]] of Object.entries(bad)) {
      warnings.length = 0;
      const credentials = credentialsIn([secret, good], log);
      t.match(await credentials.account('h.test'), /^good /, what);
      t.match(await credentials.account('h.test'), /^good /, 'asked again');
      t.equal(warnings.length, 1, what);
      t.match(warnings[0], says, what);
      t.notMatch(warnings[0], /secret!|desktop/);
      t.equal(credentials.problems('h.test').length, 1);
      t.match(credentials.problems('h.test')[0], says);
    }
  });

  t.test('are read when they are asked for, and no Secret that is for another host', async (t) => {
    const credentials = credentialsIn(
      [await mounted({}, 'other.test'), await mounted(config('h.test', 'robot'))],
      log,
    );
    t.same(credentials.problems('h.test'), []);
    t.match(await credentials.account('h.test'), /^robot /);
    const broken = {
      '.dockerconfigjson':
        '{"auths":{"other.test":{"auth":"!"}},"credHelpers":{"other.test":"desktop"}}',
    };
    const others = credentialsIn([await mounted(broken)], log);
    t.equal(await others.account('h.test'), undefined);
    t.same(warnings, []);
    credentialsIn([await mounted({ '.dockerconfigjson': 'broken' })], log);
    t.same(warnings, [], 'nobody asked');
  });
});
