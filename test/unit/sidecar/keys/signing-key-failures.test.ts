import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { traditionalForms } from '../support/key-forms.ts';
import { notaryEd25519, rawKey } from '../support/notary-ed25519.ts';
import {
  asPassword,
  canonicalIdOf,
  makeKeyDirectory,
  openKey,
  openKeys,
  openPem,
  PASSWORD,
  withHeaders,
} from '../../../support/private-key.ts';

const keys = makeKeyDirectory();
const { directory, opensslKey, run } = keys;
const p256 = opensslKey('p256', ['ec_paramgen_curve:P-256']);
const ed25519 = opensslKey('ed25519', [], 'ED25519');
const traditional = traditionalForms(keys, p256, 'ec');
const notary = notaryEd25519(keys, ed25519);

t.test('a wrong password is called that, whatever it decrypts to', async (t) => {
  // The padding of one wrong password in 256 fits by chance, and then something else is wrong.
  for (const [what, pem, tries] of [
    ['PKCS#8', withHeaders(p256.encrypt(), 'role: alice'), 3],
    ['PKCS#8, fast', p256.encrypt('-iter', '1'), 600],
    ['traditional', traditional['traditional AES-256'] ?? '', 600],
    ["Notary's Ed25519", notary.encrypted, 300],
    ["Notary's traditional Ed25519", notary.traditionalEncrypted, 600],
  ] as const) {
    for (let i = 0; i < tries; i += 1) {
      try {
        openPem(pem, `wrong ${i}`);
        t.fail(`wrong ${i} opens it`);
      } catch (error) {
        if (!(error instanceof SigningError) || error.code !== 'KEY_PASSWORD_WRONG') throw error;
      }
    }
    t.ok(openKey(pem, PASSWORD), what);
  }
});

t.test('each failure says what it is', async (t) => {
  const encrypted = withHeaders(p256.encrypt(), 'role: alice');
  const body = /[A-Za-z0-9+/]{64}\n/;
  const wrong = rawKey(keys, ed25519.file);
  wrong[0] = (wrong[0] ?? 0) ^ 1;
  const mismatched = notaryEd25519(keys, ed25519, wrong);
  const curve = (name: string) => opensslKey(name, [`ec_paramgen_curve:${name}`]).plain;
  const rsa1024 = opensslKey('rsa1024', ['rsa_keygen_bits:1024'], 'RSA');
  const decrypted = /^x\.key( \(role alice\))? cannot be decrypted with the password/;
  const damaged =
    /^x\.key( \(role alice\))? holds a damaged private key, or one that OpenSSL does not read$/;
  const accepts = /Use an EC key \(P-256, P-384 or P-521\), RSA of 2048 to 16384 bits, or Ed25519/;
  const cases: readonly (readonly [
    what: string,
    pem: string,
    password: string | undefined,
    code: string,
    message: RegExp,
    fix?: RegExp,
  ])[] = [
    [
      'no password',
      encrypted,
      undefined,
      'KEY_PASSWORD_MISSING',
      /^x\.key \(role alice\) is encrypted, and there is no password$/,
    ],
    [
      'no password, traditional',
      traditional['as notary 0.1 wrote it'] ?? '',
      undefined,
      'KEY_PASSWORD_MISSING',
      /^x\.key \(role root\) is encrypted/,
    ],
    ['an empty password', encrypted, '', 'KEY_PASSWORD_MISSING', /the password .* is empty$/],
    ['another case', encrypted, PASSWORD.toUpperCase(), 'KEY_PASSWORD_WRONG', decrypted],
    ['a lost line', encrypted.replace(body, ''), PASSWORD, 'KEY_INVALID', damaged],
    ['a lost line, plain', p256.plain.replace(body, ''), PASSWORD, 'KEY_INVALID', damaged],
    ['an empty block', p256.plain.replace(/\n[^-]+\n/, '\n\n'), undefined, 'KEY_INVALID', damaged],
    ['a public half of another key', mismatched.plain, undefined, 'KEY_INVALID', damaged],
    ['the same, traditional', mismatched.traditional, undefined, 'KEY_INVALID', damaged],
    ['the same, encrypted', mismatched.encrypted, PASSWORD, 'KEY_PASSWORD_WRONG', decrypted],
    [
      'a cipher that is gone',
      traditional['traditional AES-256']?.replace('AES-256-CBC', 'DES-CBC') ?? '',
      PASSWORD,
      'KEY_INVALID',
      /^x\.key is encrypted with DES-CBC, which the signer does not read$/,
      /openssl pkcs8 -topk8/,
    ],
    ['RSA of 1024 bits', rsa1024.plain, undefined, 'KEY_INVALID', /: rsa of 1024 bits$/, accepts],
    ['the same, encrypted', rsa1024.encrypt(), PASSWORD, 'KEY_INVALID', /: rsa of 1024/, accepts],
    ['X25519', opensslKey('x', [], 'X25519').plain, undefined, 'KEY_INVALID', /: x25519$/, accepts],
    ['Ed448', opensslKey('y', [], 'ED448').plain, undefined, 'KEY_INVALID', /: ed448$/, accepts],
    [
      'RSA for PSS alone',
      opensslKey('pss', ['rsa_keygen_bits:2048'], 'RSA-PSS').plain,
      undefined,
      'KEY_INVALID',
      /: rsa-pss$/,
      accepts,
    ],
    [
      "bitcoin's curve",
      curve('secp256k1'),
      undefined,
      'KEY_INVALID',
      /that Notary does not accept: ec on the curve secp256k1$/,
      accepts,
    ],
    [
      'P-224, which Notary takes',
      curve('P-224'),
      undefined,
      'KEY_INVALID',
      /^x\.key holds a key that this signer does not read: ec on the curve secp224r1$/,
      accepts,
    ],
  ];
  for (const [what, pem, password, code, message, fix = /./] of cases) {
    t.throws(() => openPem(pem, password), { name: 'SigningError', code, message, fix }, what);
  }
  t.throws(() => openKeys([], asPassword(PASSWORD)), { code: 'KEY_MISSING' });
});

t.test('a key whose halves do not belong together is not used', async (t) => {
  const der = join(directory, 'other.der');
  const raw = (file: string) => {
    run('openssl', ['ec', '-in', file, '-outform', 'DER', '-out', der]);
    return run('openssl', ['asn1parse', '-inform', 'DER', '-in', der]);
  };
  const dump = (text: string) => /OCTET STRING +\[HEX DUMP\]:(\w+)/.exec(text)?.[1] ?? '';
  const mine = dump(raw(p256.file));
  const theirs = dump(raw(opensslKey('theirs', ['ec_paramgen_curve:P-256']).file));
  const bytes = Buffer.from(p256.plain.replaceAll(/-.*-|\n/g, ''), 'base64').toString('hex');
  const mixed = Buffer.from(bytes.replace(mine.toLowerCase(), theirs.toLowerCase()), 'hex');
  const pem = `-----BEGIN PRIVATE KEY-----\n${mixed.toString('base64')}\n-----END PRIVATE KEY-----\n`;
  t.not(mixed.toString('hex'), bytes);
  t.throws(() => openPem(pem), { code: 'KEY_INVALID', message: /^x\.key holds a damaged/ });
  const file = join(directory, 'mixed.pem');
  writeFileSync(file, pem);
  const encrypted = run('openssl', [
    ...['pkcs8', '-topk8', '-in', file, '-passout', `pass:${PASSWORD}`],
  ]);
  t.throws(() => openPem(encrypted, PASSWORD), { code: 'KEY_PASSWORD_WRONG' });
});

t.test('no error says the password or the key', async (t) => {
  const encrypted = p256.encrypt();
  for (const [pem, password] of [
    [encrypted, 'hush-hush'],
    [traditional['traditional AES-256'] ?? '', 'hush-hush'],
    [notary.encrypted, 'hush-hush'],
    [p256.plain.replace('M', 'N'), 'hush-hush'],
  ] as const) {
    try {
      openPem(pem, password);
      t.fail('it was opened');
    } catch (error) {
      const { message, fix } = error as SigningError;
      t.notMatch(`${message} ${fix}`, /hush-hush/);
      const line = pem.split('\n').find((text) => /^[A-Za-z0-9+/]{64}$/.test(text));
      t.notMatch(`${message} ${fix}`, line ?? 'a line');
    }
  }
  t.equal(openKey(encrypted, PASSWORD).canonicalId, canonicalIdOf(p256.plain));
});
