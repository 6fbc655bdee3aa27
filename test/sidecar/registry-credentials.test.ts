import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { registryCredentials } from '../../src/sidecar/registry-credentials.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const config = (host: string, user: string) => ({
  '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth: base64(`${user}:pass`) } } }),
});

t.test('registry credentials', (t) => {
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

  t.test('are those of the first Secret that has some, in the order given', async (t) => {
    const secrets = [
      await mounted(config('other.test', 'other')),
      await mounted({ username: 'basic\n', password: 'pass\n' }, 'https://h.test'),
      await mounted(config('h.test', 'config')),
      await mounted({ '.dockercfg': `{"old.test":{"username":"old","password":"pass"}}` }),
    ];
    const credentials = registryCredentials(secrets, log);
    const basic = { kind: 'basic', password: 'pass' };
    t.same(await credentials.find('h.test'), { ...basic, host: 'h.test', username: 'basic' });
    t.match(await credentials.find('other.test'), { ...basic, username: 'other' });
    t.match(await credentials.find('old.test'), { ...basic, username: 'old' });
    t.equal(await credentials.find('h.test:5000'), undefined);
    t.match(await registryCredentials([...secrets].reverse(), log).find('h.test'), {
      username: 'config',
    });
    t.same(warnings, []);
    t.same(credentials.problems('h.test'), []);
  });

  t.test('for Docker Hub go by any of its names', async (t) => {
    const names = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
    for (const name of [...names, 'https://index.docker.io/v1/']) {
      const inConfig = registryCredentials([await mounted(config(name, 'hub'))], log);
      const basic = registryCredentials(
        [await mounted({ username: 'hub', password: 'pass' }, name)],
        log,
      );
      for (const asked of names) {
        t.match(await inConfig.find(asked), { username: 'hub' }, `${name} for ${asked}`);
        t.match(await basic.find(asked), { username: 'hub' }, `${name} for ${asked}`);
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
      const credentials = registryCredentials([secret, good], log);
      t.match(await credentials.find('h.test'), { username: 'good' }, what);
      t.match(await credentials.find('h.test'), { username: 'good' }, 'asked again');
      t.equal(warnings.length, 1, what);
      t.match(warnings[0], says, what);
      t.notMatch(warnings[0], /secret!|desktop/);
      t.equal(credentials.problems('h.test').length, 1);
      t.match(credentials.problems('h.test')[0], says);
    }
  });

  t.test('are read when they are asked for, and no Secret that is for another host', async (t) => {
    const credentials = registryCredentials(
      [await mounted({}, 'other.test'), await mounted(config('h.test', 'robot'))],
      log,
    );
    t.same(credentials.problems('h.test'), []);
    t.match(await credentials.find('h.test'), { username: 'robot' });
    const broken = {
      '.dockerconfigjson':
        '{"auths":{"other.test":{"auth":"!"}},"credHelpers":{"other.test":"desktop"}}',
    };
    const others = registryCredentials([await mounted(broken)], log);
    t.equal(await others.find('h.test'), undefined);
    t.same(warnings, []);
    registryCredentials([await mounted({ '.dockerconfigjson': 'broken' })], log);
    t.same(warnings, [], 'nobody asked');
  });
  t.end();
});
