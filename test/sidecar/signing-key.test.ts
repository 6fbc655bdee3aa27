import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { keyId } from '../../src/shared/tuf/key.ts';
import { openKeys } from '../../src/sidecar/signing-key.ts';
import {
  canonicalIdOf,
  makeKeyDirectory,
  openKey,
  openPem,
  PASSWORD,
  withHeaders,
} from '../private-key.ts';

const { directory, run, opensslKey } = makeKeyDirectory(t);

const onPath = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((path) => {
    try {
      return readdirSync(path).includes(program);
    } catch {
      return false;
    }
  });

t.test('private keys', (t) => {
  const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
  const p384 = opensslKey('p384', ['ec_paramgen_curve:P-384']);
  const rsa = opensslKey('rsa', ['rsa_keygen_bits:2048'], 'RSA');
  const ed25519 = opensslKey('ed25519', [], 'ED25519');

  t.test('by openssl are opened, encrypted or not, with and without the headers of Notary', (t) => {
    const keys = { p256, p384, rsa, ed25519 };
    const methods = { p256: 'ecdsa', p384: 'ecdsa', rsa: 'rsapss', ed25519: 'eddsa' };
    const types = { p256: 'ecdsa', p384: 'ecdsa', rsa: 'rsa', ed25519: 'ed25519' };
    for (const [name, { plain, encrypt }] of Object.entries(keys)) {
      const id = canonicalIdOf(plain);
      const encrypted = encrypt();
      const forms = {
        plain,
        'plain with headers': withHeaders(plain, 'role: alice'),
        encrypted,
        'encrypted with headers': withHeaders(encrypted, 'gun: h.test/a', 'role: targets'),
        'with all headers of an export': withHeaders(
          encrypted,
          'gun: h.test/a',
          `path: ${id}`,
          'role: targets',
        ),
        'with the line ends of Windows': withHeaders(encrypted, 'role: alice').replaceAll(
          '\n',
          '\r\n',
        ),
        'without the blank line': withHeaders(encrypted, 'role: alice').replace(
          'alice\n\n',
          'alice\n',
        ),
        'as notary encrypts': withHeaders(
          encrypt('-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA1'),
          'role: alice',
        ),
        'amid other text': `a note\n${withHeaders(encrypted, 'role: alice')}\nmore\n`,
      };
      for (const [what, pem] of Object.entries(forms)) {
        const key = openKey(pem, PASSWORD);
        t.equal(key.canonicalId, id, `${name} ${what}`);
        t.equal(key.method, methods[name as 'p256']);
        t.equal(key.publicKey.keytype, types[name as 'p256']);
        t.equal(keyId(key.publicKey), id);
        t.equal(key.file, 'x.key');
        t.equal(key.key.type, 'private');
      }
      t.equal(openKey(plain).canonicalId, id, `${name} without a password`);
    }
    t.end();
  });

  t.test('in the older forms of openssl', (t) => {
    const id = canonicalIdOf(p256.plain);
    const sec1 = run('openssl', ['ec', '-in', p256.file]);
    t.match(sec1, /BEGIN EC PRIVATE KEY/);
    const legacy = run('openssl', [
      'ec',
      '-in',
      p256.file,
      '-aes256',
      '-passout',
      `pass:${PASSWORD}`,
    ]);
    t.match(legacy, /DEK-Info: AES-256-CBC/);
    const rsaLegacy = run('openssl', [
      'rsa',
      '-traditional',
      '-in',
      rsa.file,
      '-aes256',
      '-passout',
      `pass:${PASSWORD}`,
    ]);
    t.match(rsaLegacy, /BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info/);
    t.equal(openKey(sec1).canonicalId, id);
    t.equal(openKey(withHeaders(sec1, 'role: root')).canonicalId, id);
    t.equal(openKey(legacy, PASSWORD).canonicalId, id);
    t.equal(openKey(legacy.replace(/(DEK-Info.*\n)/, '$1role: root\n'), PASSWORD).canonicalId, id);
    t.equal(openKey(rsaLegacy, PASSWORD).canonicalId, canonicalIdOf(rsa.plain));
    t.throws(() => openPem(legacy), { code: 'KEY_PASSWORD_MISSING' });
    t.throws(() => openPem(legacy, 'wrong'), { code: 'KEY_PASSWORD_WRONG' });
    t.end();
  });

  const skip = !onPath('notary') && !onPath('docker') && 'neither notary nor docker is installed';
  t.test('by the notary and docker CLIs, as they wrote them', { skip }, (t) => {
    const files: { readonly path: string; readonly from: string }[] = [];
    const collect = (from: string, path: string) => {
      for (const name of readdirSync(path)) files.push({ path: join(path, name), from });
    };
    if (onPath('notary')) {
      const home = join(directory, 'notary');
      const phrases = ['ROOT', 'TARGETS', 'SNAPSHOT', 'DELEGATION'].map((role) => [
        `NOTARY_${role}_PASSPHRASE`,
        PASSWORD,
      ]);
      const environment = Object.fromEntries(phrases) as Record<string, string>;
      for (const role of ['root', 'alice']) {
        run('notary', ['-d', home, 'key', 'generate', 'ecdsa', '--role', role], environment);
      }
      run('notary', ['-d', home, 'key', 'import', rsa.file, '--role', 'bob'], environment);
      collect('notary', join(home, 'private'));
    }
    if (onPath('docker')) {
      const home = join(directory, 'docker');
      mkdirSync(home);
      const environment = {
        DOCKER_CONFIG: home,
        DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSWORD,
      };
      run('docker', ['trust', 'key', 'generate', 'carol', '--dir', home], environment);
      collect('docker', join(home, 'trust', 'private'));
    }
    const opened = files.map(({ path, from }) => {
      const pem = readFileSync(path, 'utf8');
      t.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n(.*\n)*role: \w+\n\n/, from);
      const key = openKey(pem, PASSWORD);
      t.equal(
        `${key.canonicalId}.key`,
        path.split('/').at(-1),
        `${from}: the file is named after the key`,
      );
      t.throws(() => openPem(pem, 'wrong'), { code: 'KEY_PASSWORD_WRONG' }, from);
      t.throws(() => openPem(pem), { code: 'KEY_PASSWORD_MISSING' }, from);
      return { name: path, pem };
    });
    t.equal(openKeys(opened, PASSWORD).length, opened.length, 'all of them at once');
    t.end();
  });

  t.test('are counted once, whatever files they are in', (t) => {
    const files = [
      { name: 'a.key', pem: p256.plain },
      { name: 'b.key', pem: withHeaders(p256.encrypt(), 'role: alice') },
      { name: 'c.key', pem: p384.plain },
    ];
    t.same(
      openKeys(files, PASSWORD).map(({ canonicalId }) => canonicalId),
      [canonicalIdOf(p256.plain), canonicalIdOf(p384.plain)],
    );
    const bundle = files.map(({ pem }) => pem).join('');
    t.equal(openPem(bundle, PASSWORD).length, 2);
    t.equal(
      openPem(
        `${withHeaders(p256.encrypt(), 'role: a')}${withHeaders(rsa.encrypt(), 'role: b')}`,
        PASSWORD,
      ).length,
      2,
    );
    t.end();
  });

  t.end();
});
