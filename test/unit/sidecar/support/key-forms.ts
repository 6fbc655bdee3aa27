/** The forms in which the tools write one private key, and in which people hand it on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { notaryEd25519 } from './notary-ed25519.ts';
import {
  PASSWORD,
  withHeaders,
  type KeyDirectory,
  type OpensslKey,
} from '../../../support/private-key.ts';

/** A form by its name. Encrypted ones have the password of all keys. */
export type KeyForms = Readonly<Record<string, string>>;

/** PKCS#8 in every encryption that `openssl pkcs8` has, and with the headers of Notary. */
export function pkcs8Forms({ plain, encrypt }: OpensslKey): KeyForms {
  const encrypted = encrypt();
  return {
    plain,
    'plain with headers': withHeaders(plain, 'role: alice'),
    encrypted,
    'as notary encrypts': withHeaders(
      encrypt('-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA1'),
      'role: alice',
    ),
    'AES-128, SHA-512': encrypt('-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA512'),
    'triple DES': encrypt('-v2', 'des3'),
    'triple DES, PKCS#12 derivation': encrypt('-v1', 'PBE-SHA1-3DES'),
    scrypt: encrypt('-scrypt'),
    'with all headers of an export': withHeaders(
      encrypted,
      'gun: h.test/a',
      `path: ${'a1'.repeat(32)}`,
      'role: targets',
    ),
  };
}

/** What editors, shells and YAML make of a file. */
export function textForms(pem: string): KeyForms {
  const headed = withHeaders(pem, 'role: alice');
  return {
    'with the line ends of Windows': headed.replaceAll('\n', '\r\n'),
    'with the line ends of old Macs': headed.replaceAll('\n', '\r'),
    'with a byte order mark': `\ufeff${pem}`,
    'with spaces at the ends of lines': headed.replaceAll('\n', ' \t\n'),
    indented: headed.replaceAll(/^/gm, '  '),
    'with blank lines': headed.replaceAll('\n', '\n\n'),
    'without the blank line': headed.replace('alice\n\n', 'alice\n'),
    'in one line of base64': pem.replaceAll(/([A-Za-z0-9+/]{64})\n(?!-)/g, '$1'),
    'without the last line break': headed.trimEnd(),
    'amid other text': `a note: mine\n-----\n${headed}\nmore\n`,
    'after what was cut off': `-----BEGIN CERTIFICATE-----\nMIIB\n${headed}`,
  };
}

/** The traditional format, which has a label for each algorithm. */
export function traditionalForms(
  { directory, run }: KeyDirectory,
  { file }: OpensslKey,
  algorithm: 'ec' | 'rsa',
): KeyForms {
  const traditional = algorithm === 'rsa' ? ['-traditional'] : [];
  const convert = (...options: readonly string[]) =>
    run('openssl', [algorithm, '-in', file, ...traditional, ...options]);
  const encrypt = (cipher: string) => convert(`-${cipher}`, '-passout', `pass:${PASSWORD}`);
  const encrypted = encrypt('aes256');
  const forms = {
    traditional: convert(),
    'traditional with headers': withHeaders(convert(), 'role: root'),
    'traditional AES-256': encrypted,
    'traditional AES-192': encrypt('aes192'),
    'traditional AES-128': encrypt('aes128'),
    'traditional triple DES': encrypt('des3'),
    'as notary 0.1 wrote it': encrypted.replace(/(DEK-Info.*\n)/, '$1role: root\n'),
    'as notary 0.3 wrote it': encrypted.replace(
      /(DEK-Info.*\n)/,
      '$1gun: h.test/a\nrole: targets\n',
    ),
  };
  if (algorithm === 'rsa') return forms;
  const parameters = join(directory, 'parameters.pem');
  writeFileSync(parameters, run('openssl', ['ec', '-in', file, '-param_out']));
  return {
    ...forms,
    'after its parameters': `${run('openssl', ['ecparam', '-in', parameters])}${convert()}`,
    'with a compressed point': convert('-conv_form', 'compressed'),
    'without its public key': convert('-no_public'),
    'with the curve in full': convert('-param_enc', 'explicit'),
  };
}

/** Out of a PKCS#12 file, with the lines that openssl puts before the key. */
export function pkcs12Form({ directory, run }: KeyDirectory, { file }: OpensslKey): string {
  const path = join(directory, 'bundle.p12');
  const pass = `pass:${PASSWORD}`;
  run('openssl', [
    ...['pkcs12', '-export', '-nocerts', '-inkey', file],
    ...['-name', 'alice', '-passout', pass, '-out', path],
  ]);
  return run('openssl', ['pkcs12', '-in', path, '-passin', pass, '-passout', pass]);
}

/** Every form of a key, by its algorithm. */
export function everyForm(
  keys: KeyDirectory,
  key: OpensslKey,
  algorithm: 'ec' | 'rsa' | 'ed25519',
): KeyForms {
  const own =
    algorithm === 'ed25519' ? notaryForms(keys, key) : traditionalForms(keys, key, algorithm);
  return {
    ...pkcs8Forms(key),
    ...textForms(key.encrypt()),
    ...own,
    'out of PKCS#12': pkcs12Form(keys, key),
  };
}

function notaryForms(keys: KeyDirectory, key: OpensslKey): KeyForms {
  const { plain, encrypted, encryptedSha256, traditional, traditionalEncrypted } = notaryEd25519(
    keys,
    key,
  );
  return {
    "Notary's own": plain,
    "Notary's own with headers": withHeaders(plain, 'role: alice'),
    "Notary's own, encrypted": withHeaders(encrypted, 'gun: h.test/a', 'role: targets'),
    "Notary's own, SHA-256": encryptedSha256,
    "Notary's traditional": withHeaders(traditional, 'role: root'),
    "Notary's traditional, encrypted": traditionalEncrypted.replace('\n\n', '\nrole: root\n\n'),
  };
}
