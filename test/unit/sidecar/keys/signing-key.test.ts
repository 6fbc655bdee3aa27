import { constants, createPublicKey, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { keyId, verifySignature } from '../../../../src/sidecar/tuf/key.ts';
import { everyForm, pkcs8Forms, textForms, traditionalForms } from '../support/key-forms.ts';
import {
  canonicalIdOf,
  makeKeyDirectory,
  openKey,
  PASSWORD,
} from '../../../support/private-key.ts';

const directory = makeKeyDirectory();
const { opensslKey, run } = directory;

const curve = (name: string) => opensslKey(name, [`ec_paramgen_curve:${name}`]);
const rsaKey = (bits: number) => opensslKey(`rsa${bits}`, [`rsa_keygen_bits:${bits}`], 'RSA');

const p256 = curve('P-256');
const rsa = rsaKey(2048);
const ed25519 = opensslKey('ed25519', [], 'ED25519');

const kinds = [
  ['P-256', p256, 'ec', 'ecdsa', 'ecdsa'],
  ['P-384', curve('P-384'), 'ec', 'ecdsa', 'ecdsa'],
  ['P-521', curve('P-521'), 'ec', 'ecdsa', 'ecdsa'],
  ['RSA 2048', rsa, 'rsa', 'rsapss', 'rsa'],
  ['RSA 3072', rsaKey(3072), 'rsa', 'rsapss', 'rsa'],
  ['RSA 4096', rsaKey(4096), 'rsa', 'rsapss', 'rsa'],
  ['Ed25519', ed25519, 'ed25519', 'eddsa', 'ed25519'],
] as const;

t.test('a key in any form has one id, and signatures by it verify', async (t) => {
  const message = Buffer.from('{"_type":"Targets"}');
  for (const [name, openssl, algorithm, method, keytype] of kinds) {
    const id = canonicalIdOf(openssl.plain);
    const isFirst = kinds.find((kind) => kind[2] === algorithm)?.[0] === name;
    const forms = isFirst ? everyForm(directory, openssl, algorithm) : pkcs8Forms(openssl);
    for (const [form, pem] of Object.entries(forms)) {
      const key = openKey(pem, PASSWORD);
      t.equal(key.canonicalId, id, `${name} ${form}`);
      t.equal(key.method, method);
      t.equal(key.publicKey.keytype, keytype);
      t.equal(keyId(key.publicKey), id);
      t.equal(key.file, 'x.key');
      const signature = await key.sign(message);
      t.ok(verifySignature(key.publicKey, method, message, signature), `${name} ${form} signs`);
    }
    t.equal(openKey(openssl.plain).canonicalId, id, `${name} without a password`);
  }
});

t.test('what the forms are called is what openssl wrote', async (t) => {
  const ec = traditionalForms(directory, p256, 'ec');
  t.match(ec['traditional'], /^-----BEGIN EC PRIVATE KEY-----\nM/);
  t.match(ec['traditional AES-256'], /^Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,/m);
  t.match(ec['traditional triple DES'], /^DEK-Info: DES-EDE3-CBC,/m);
  t.match(ec['after its parameters'], /^-----BEGIN EC PARAMETERS-----[^]*BEGIN EC PRIVATE KEY/);
  const rsaForms = traditionalForms(directory, rsa, 'rsa');
  t.match(rsaForms['traditional AES-256'], /^-----BEGIN RSA PRIVATE KEY-----\nProc-Type/);
  t.not(ec['with a compressed point'], ec['traditional']);
  t.not(ec['with the curve in full'], ec['traditional']);
  for (const text of Object.values(textForms(p256.plain))) t.not(text, p256.plain);
});

t.test('openssl itself verifies what we sign', async (t) => {
  const path = (name: string) => join(directory.directory, name);
  writeFileSync(path('message'), 'the message');
  const digest = ['dgst', '-sha256', '-signature', path('signature')];
  const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'];
  for (const [name, openssl, algorithm] of kinds) {
    run('openssl', ['pkey', '-in', openssl.file, '-pubout', '-out', path('public.pem')]);
    const signer = openKey(openssl.encrypt(), PASSWORD);
    const signature = await signer.sign(readFileSync(path('message')));
    writeFileSync(path('signature'), algorithm === 'ec' ? derOf(signature) : signature);
    const said =
      algorithm === 'ed25519'
        ? run('openssl', [
            ...['pkeyutl', '-verify', '-pubin', '-inkey', path('public.pem'), '-rawin'],
            ...['-in', path('message'), '-sigfile', path('signature')],
          ])
        : run('openssl', [
            ...[...digest, '-verify', path('public.pem'), ...(algorithm === 'rsa' ? pss : [])],
            path('message'),
          ]);
    t.match(said, /^(Verified OK|Signature Verified Successfully)$/m, name);
  }
  const signature = await openKey(rsa.plain).sign(Buffer.from('x'));
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const key = createPublicKey(rsa.plain);
  t.ok(verify('sha256', Buffer.from('x'), { key, padding, saltLength: 32 }, signature));
});

/** The DER that openssl wants of an ECDSA signature. */
function derOf(raw: Uint8Array): Buffer {
  const integers = [raw.subarray(0, raw.length / 2), raw.subarray(raw.length / 2)].map((half) => {
    const digits = Buffer.from(half)
      .toString('hex')
      .replace(/^(00)+(?=..)/, '');
    const content = Buffer.from(/^[89a-f]/.test(digits) ? `00${digits}` : digits, 'hex');
    return Buffer.concat([Buffer.from([0x02, content.length]), content]);
  });
  const length = integers.reduce((sum, { length }) => sum + length, 0);
  const head = length < 0x80 ? [0x30, length] : [0x30, 0x81, length];
  return Buffer.concat([Buffer.from(head), ...integers]);
}
