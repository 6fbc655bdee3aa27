import t from 'tap';
import {
  asPassword,
  canonicalIdOf,
  makeKeyDirectory,
  openKeys,
  openPem,
  PASSWORD,
  withHeaders,
} from '../../../support/private-key.ts';

const { opensslKey } = makeKeyDirectory();
const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
const p384 = opensslKey('p384', ['ec_paramgen_curve:P-384']);
const rsa = opensslKey('rsa', ['rsa_keygen_bits:2048'], 'RSA');
const [id, otherId] = [canonicalIdOf(p256.plain), canonicalIdOf(p384.plain)];

const OTHER_PASSWORD = 'battery staple';
const alice = { name: 'alice.key', pem: withHeaders(p256.encrypt(), 'role: alice') };
const root = {
  name: 'root.key',
  pem: withHeaders(p384.encrypt('-passout', `pass:${OTHER_PASSWORD}`), 'role: root'),
};
const garbage = { name: 'garbage.key', pem: 'garbage' };

t.test('keys are counted once, whatever files they are in', async (t) => {
  const files = [
    { name: 'a.key', pem: p256.plain },
    { name: 'b.key', pem: withHeaders(p256.encrypt(), 'role: alice') },
    { name: 'c.key', pem: p384.plain },
  ];
  const { keys, unopened } = openKeys(files, asPassword(PASSWORD));
  t.same(
    keys.map(({ canonicalId }) => canonicalId),
    [id, otherId],
  );
  t.same(unopened, []);
  t.equal(openPem(files.map(({ pem }) => pem).join(''), PASSWORD).keys.length, 2);
  t.equal(openPem(`${alice.pem}${rsa.encrypt()}`, PASSWORD).keys.length, 2);
});

t.test('one that opens is enough; the others are told', async (t) => {
  for (const files of [
    [alice, root, garbage],
    [garbage, root, alice],
  ]) {
    const { keys, unopened, misnamed } = openKeys(files, asPassword(PASSWORD));
    t.same(
      keys.map(({ canonicalId, file }) => [canonicalId, file]),
      [[id, 'alice.key']],
    );
    t.same(unopened.map(({ code }) => code).sort(), ['KEY_INVALID', 'KEY_PASSWORD_WRONG']);
    t.match(unopened.map(({ message }) => message).sort(), [
      /^garbage\.key holds no private key: it is no PEM$/,
      /^root\.key \(role root\) cannot be decrypted/,
    ]);
    t.same(misnamed, []);
  }
  const withCertificate = `-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n${alice.pem}`;
  t.same(openPem(withCertificate, PASSWORD).unopened, [], 'what is no private key is passed over');

  const cut = openPem(`${alice.pem}${rsa.plain.replace(/-----END.*\n/, '')}`, PASSWORD);
  t.equal(cut.keys.length, 1);
  t.match(cut.unopened, [
    { code: 'KEY_INVALID', message: 'x.key: its PRIVATE KEY in line 10 has no end' },
  ]);
  t.equal(openKeys([root, { name: 'plain.key', pem: p256.plain }], undefined).keys.length, 1);
});

t.test('none that opens is an error that tells of every file', async (t) => {
  t.throws(() => openKeys([garbage, alice, root], asPassword('wrong')), {
    code: 'KEY_PASSWORD_WRONG',
    message:
      /^garbage\.key holds no .*; alice\.key \(role alice\) cannot be .*; root\.key \(role root\) cannot be/,
    fix: /notary-password\.txt/,
  });
  t.throws(() => openKeys([garbage, alice], undefined), {
    code: 'KEY_PASSWORD_MISSING',
    message: /^garbage\.key holds no .*; alice\.key \(role alice\) is encrypted/,
  });
  t.throws(() => openKeys([garbage, { name: 'b.key', pem: '' }], asPassword(PASSWORD)), {
    code: 'KEY_INVALID',
    message: /^garbage\.key .*; b\.key holds no private key: it is empty$/,
  });
  t.throws(() => openPem(`${alice.pem}${root.pem}`, 'wrong'), {
    code: 'KEY_PASSWORD_WRONG',
    message: /^x\.key \(key 1 of 2, role alice\) .*; x\.key \(key 2 of 2, role root\) /,
  });
});

t.test('a file that is named after another key is told', async (t) => {
  const misnamed = (name: string, pem = p256.plain) =>
    openKeys([{ name, pem }, alice], asPassword(PASSWORD)).misnamed;
  const says = (name: string) => `${name} is named after another key: it holds ${id}`;
  for (const name of [`${id}.key`, `${id}_targets.key`, `${id.toUpperCase()}.key`, 'bob.key']) {
    t.same(misnamed(name), [], name);
  }
  for (const name of [`${otherId}.key`, `${otherId}_root.key`]) {
    t.same(misnamed(name), [says(name)]);
    t.same(misnamed(name, 'garbage'), [], 'a file that does not open has its own reason');
  }
  t.same(misnamed(`${otherId}.key`, `${p256.plain}${p384.plain}`), []);
});
