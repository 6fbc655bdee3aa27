import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import type { KeyFile } from '../../../../src/sidecar/keys/signing-key.ts';
import {
  asPassword,
  makeKeyDirectory,
  openKey,
  openKeys,
  openPem,
  PASSWORD,
} from '../../../support/private-key.ts';

const { directory, run, opensslKey } = makeKeyDirectory();

const onPath = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((path) => {
    try {
      return readdirSync(path).includes(program);
    } catch {
      return false;
    }
  });

const without = (program: string) => ({ skip: !onPath(program) && `${program} is not installed` });

const ROOT_PASSWORD = 'of the root alone';
const passwords = { DELEGATION: PASSWORD, TARGETS: PASSWORD, SNAPSHOT: PASSWORD };
const environment = (root: string) =>
  Object.fromEntries(
    Object.entries({ ...passwords, ROOT: root }).map(([role, phrase]) => [
      `NOTARY_${role}_PASSPHRASE`,
      phrase,
    ]),
  );

/** A trust directory of the notary CLI. */
function notaryHome(name: string, rootPassword = PASSWORD) {
  const home = join(directory, name);
  const notary = (...args: readonly string[]) =>
    run('notary', ['-d', home, ...args], environment(rootPassword));
  const files = () => keyFiles(join(home, 'private'));
  return { notary, files };
}

function keyFiles(path: string): readonly KeyFile[] {
  return readdirSync(path).map((name) => ({ name, pem: readFileSync(join(path, name), 'utf8') }));
}

/** Each opens alone and all open together; each is named after its key. */
function checkFiles(t: Test, files: readonly KeyFile[]): void {
  for (const { name, pem } of files) {
    t.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n(.*\n)*role: \w+\n\n/, name);
    t.equal(`${openKey(pem, PASSWORD).canonicalId}.key`, name, 'it is named after the key');
    t.throws(() => openPem(pem, 'wrong'), { code: 'KEY_PASSWORD_WRONG' }, name);
    t.throws(() => openPem(pem), { code: 'KEY_PASSWORD_MISSING' }, name);
  }
  const { keys, unopened, misnamed } = openKeys(files, asPassword(PASSWORD));
  t.equal(keys.length, files.length, 'all of them at once');
  t.same([unopened, misnamed], [[], []]);
}

t.test('keys of the notary CLI, as it wrote them', without('notary'), async (t) => {
  const { notary, files } = notaryHome('notary');
  const rsa = opensslKey('rsa', ['rsa_keygen_bits:3072'], 'RSA');
  const p384 = opensslKey('p384', ['ec_paramgen_curve:P-384']);
  const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
  notary('key', 'generate', 'ecdsa', '--role', 'root');
  notary('key', 'generate', 'ecdsa', '--role', 'alice');
  notary('key', 'import', rsa.file, '--role', 'bob');
  notary('key', 'import', p384.file, '--role', 'carol');
  notary('key', 'import', p256.file, '--role', 'targets', '--gun', 'h.test/a');
  t.equal(files().length, 5);
  checkFiles(t, files());

  t.test('in the one file of an export', async (t) => {
    const exported = notary('key', 'export');
    t.match(exported, /^gun: h\.test\/a\npath: \w+\nrole: targets\n/m);
    const { keys, unopened } = openPem(exported, PASSWORD);
    t.same(
      keys.map(({ canonicalId }) => `${canonicalId}.key`).sort(),
      files()
        .map(({ name }) => name)
        .sort(),
    );
    t.same(unopened, []);
  });
});

t.test('an export whose root key has its own password', without('notary'), async (t) => {
  const { notary, files } = notaryHome('two-passwords', ROOT_PASSWORD);
  notary('key', 'generate', 'ecdsa', '--role', 'root');
  const [root] = files();
  notary('key', 'generate', 'ecdsa', '--role', 'alice');
  const alice = files().find(({ name }) => name !== root?.name);
  const { keys, unopened } = openPem(notary('key', 'export'), PASSWORD);
  t.same(
    keys.map(({ canonicalId }) => `${canonicalId}.key`),
    [alice?.name],
  );
  t.match(unopened, [
    {
      code: 'KEY_PASSWORD_WRONG',
      message: /^x\.key \(key [12] of 2, role root\) cannot be decrypted with the password/,
    },
  ]);
});

t.test('notary gives a key the id that we give it', without('notary'), async (t) => {
  const { file } = opensslKey('point', ['ec_paramgen_curve:P-256']);
  for (const form of [['-conv_form', 'compressed'], ['-no_public'], []]) {
    const path = join(directory, 'form.pem');
    const pem = run('openssl', ['ec', '-in', file, ...form]);
    writeFileSync(path, pem);
    const { notary, files } = notaryHome(`form${form.join('')}`);
    notary('key', 'import', path, '--role', 'alice');
    t.same(
      files().map(({ name }) => name),
      [`${openKey(pem).canonicalId}.key`],
      form.join(' '),
    );
  }
});

t.test('keys of the docker CLI, as it wrote them', without('docker'), async (t) => {
  const home = join(directory, 'docker');
  mkdirSync(home);
  run('docker', ['trust', 'key', 'generate', 'carol', '--dir', home], {
    DOCKER_CONFIG: home,
    DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSWORD,
  });
  const files = keyFiles(join(home, 'trust', 'private'));
  t.equal(files.length, 1);
  checkFiles(t, files);
  t.throws(() => openPem(readFileSync(join(home, 'carol.pub'), 'utf8')), {
    code: 'KEY_INVALID',
    message: 'x.key holds no private key: it holds a public key',
  });
});
