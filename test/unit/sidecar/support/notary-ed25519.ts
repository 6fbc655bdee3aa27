/**
 * Ed25519 keys as Notary writes them. None of its programs makes such a key, so openssl puts the
 * containers together: their bytes owe nothing to what is tested.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PASSWORD, type KeyDirectory, type OpensslKey } from '../../../support/private-key.ts';

/** One Ed25519 key in the forms that only Notary has. PEM. */
export interface NotaryEd25519 {
  /** PKCS#8 with Notary's own object identifier. */
  readonly plain: string;
  /** The same, encrypted as Notary does: PBKDF2 with SHA-1, AES-256-CBC. */
  readonly encrypted: string;
  readonly encryptedSha256: string;
  /** The traditional format of Notary before 0.6. */
  readonly traditional: string;
  readonly traditionalEncrypted: string;
}

const SALT = '0102030405060708';
const VECTOR = 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff';

/**
 * Writes a key in Notary's forms.
 *
 * @param raw the 96 bytes; those of the key by default
 */
export function notaryEd25519(
  keys: KeyDirectory,
  { file }: OpensslKey,
  raw: Buffer = rawKey(keys, file),
): NotaryEd25519 {
  const { directory, run } = keys;
  const path = (name: string) => join(directory, `ed25519-${name}`);
  const asn1 = (name: string, lines: readonly string[]): Buffer => {
    writeFileSync(path(`${name}.conf`), `${lines.join('\n')}\n`);
    run('openssl', [
      ...['asn1parse', '-genconf', path(`${name}.conf`)],
      ...['-noout', '-out', path(`${name}.der`)],
    ]);
    return readFileSync(path(`${name}.der`));
  };
  const encryptWith = (key: string, bytes: Buffer): Buffer => {
    writeFileSync(path('clear'), bytes);
    run('openssl', [
      ...['enc', '-aes-256-cbc', '-K', key, '-iv', VECTOR],
      ...['-in', path('clear'), '-out', path('hidden')],
    ]);
    return readFileSync(path('hidden'));
  };

  const pkcs8 = asn1('pkcs8', [
    'asn1=SEQUENCE:info',
    '[info]',
    'version=INTEGER:0',
    'algorithm=SEQUENCE:algorithm',
    `key=FORMAT:HEX,OCTETSTRING:${raw.toString('hex')}`,
    '[algorithm]',
    'id=OID:1.3.6.1.4.1.11591.15.1',
  ]);
  const pbes2 = (digest: 'SHA1' | 'SHA256'): Buffer => {
    const key = run('openssl', [
      ...['kdf', '-keylen', '32', '-kdfopt', `digest:${digest}`, '-kdfopt', `pass:${PASSWORD}`],
      ...['-kdfopt', `hexsalt:${SALT}`, '-kdfopt', 'iter:2048', 'PBKDF2'],
    ]).replaceAll(/[:\s]/g, '');
    return asn1(`pbes2-${digest}`, [
      'asn1=SEQUENCE:info',
      '[info]',
      'algorithm=SEQUENCE:algorithm',
      `data=FORMAT:HEX,OCTETSTRING:${encryptWith(key, pkcs8).toString('hex')}`,
      '[algorithm]',
      'id=OID:PBES2',
      'parameters=SEQUENCE:parameters',
      '[parameters]',
      'derivation=SEQUENCE:derivation',
      'cipher=SEQUENCE:cipher',
      '[derivation]',
      'id=OID:PBKDF2',
      'parameters=SEQUENCE:pbkdf2',
      '[pbkdf2]',
      `salt=FORMAT:HEX,OCTETSTRING:${SALT}`,
      'iterations=INTEGER:2048',
      ...(digest === 'SHA1' ? [] : ['length=INTEGER:32', 'hash=SEQUENCE:hash']),
      '[cipher]',
      'id=OID:aes-256-cbc',
      `vector=FORMAT:HEX,OCTETSTRING:${VECTOR}`,
      '[hash]',
      'id=OID:hmacWithSHA256',
      'parameters=NULL',
    ]);
  };
  // The key derivation of `openssl enc` is that of the traditional format.
  const derived = run('openssl', [
    ...['enc', '-aes-256-cbc', '-md', 'md5', '-P'],
    ...['-S', VECTOR.slice(0, 16), '-pass', `pass:${PASSWORD}`],
  ]);
  const [, traditionalKey = ''] = /^key=(\w+)$/m.exec(derived) ?? [];
  return {
    plain: pem('PRIVATE KEY', pkcs8),
    encrypted: pem('ENCRYPTED PRIVATE KEY', pbes2('SHA1')),
    encryptedSha256: pem('ENCRYPTED PRIVATE KEY', pbes2('SHA256')),
    traditional: pem('ED25519 PRIVATE KEY', raw),
    traditionalEncrypted: pem('ED25519 PRIVATE KEY', encryptWith(traditionalKey, raw), [
      'Proc-Type: 4,ENCRYPTED',
      `DEK-Info: AES-256-CBC,${VECTOR}`,
    ]),
  };
}

/** What Notary holds of a key: public key, seed, public key. */
export function rawKey({ directory, run }: KeyDirectory, file: string): Buffer {
  const half = (...options: readonly string[]) => {
    const out = join(directory, 'ed25519-half.der');
    run('openssl', ['pkey', '-in', file, '-outform', 'DER', '-out', out, ...options]);
    return readFileSync(out).subarray(-32);
  };
  const [publicKey, seed] = [half('-pubout'), half()];
  return Buffer.concat([publicKey, seed, publicKey]);
}

function pem(label: string, bytes: Buffer, headers: readonly string[] = []): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  const head = headers.length === 0 ? [] : [...headers, ''];
  return [`-----BEGIN ${label}-----`, ...head, ...lines, `-----END ${label}-----`, ''].join('\n');
}
