import { createDecipheriv, createHash, getCipherInfo, getCiphers, pbkdf2Sync } from 'node:crypto';
import {
  contentOf,
  dottedIdentifier,
  identifierOf,
  integerOf,
  OCTET_STRING,
  readDer,
  SEQUENCE,
  sequenceOf,
  type DerValue,
} from '../../shared/der.ts';

/** Object identifiers, the hex of their content. */
const PBES2 = '2a864886f70d01050d';
const PBKDF2 = '2a864886f70d01050c';
const SCRYPT = '2b06010401da47040b';
const AES_256_CBC = '60864801650304012a';
const HMAC_SHA1 = '2a864886f70d0207';
const HASHES: ReadonlyMap<string, string> = new Map([
  [HMAC_SHA1, 'sha1'],
  ['2a864886f70d0209', 'sha256'],
]);

/** Modes of ciphers that authenticate nothing, as in the traditional format. */
const PLAIN_MODES = ['cbc', 'cfb', 'ofb'];
const AES_256_KEY_BYTES = 32;
/** The salt of the traditional format is the beginning of the initialisation vector; bytes. */
const TRADITIONAL_SALT_BYTES = 8;
/** The header of the traditional format: cipher and initialisation vector. */
const DEK_INFO = /^([A-Z0-9-]+),\s*((?:[0-9A-F]{2})+)$/i;
/** What old programs encrypt with, by object identifier. */
const OLD_ENCRYPTIONS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.5.1', 'pbeWithMD2AndDES-CBC'],
  ['1.2.840.113549.1.5.3', 'pbeWithMD5AndDES-CBC'],
  ['1.2.840.113549.1.5.4', 'pbeWithMD2AndRC2-CBC'],
  ['1.2.840.113549.1.5.6', 'pbeWithMD5AndRC2-CBC'],
  ['1.2.840.113549.1.5.10', 'pbeWithSHA1AndDES-CBC'],
  ['1.2.840.113549.1.5.11', 'pbeWithSHA1AndRC2-CBC'],
  ['1.2.840.113549.1.12.1.1', 'pbeWithSHA1And128BitRC4'],
  ['1.2.840.113549.1.12.1.2', 'pbeWithSHA1And40BitRC4'],
  ['1.2.840.113549.1.12.1.5', 'pbeWithSHA1And128BitRC2-CBC'],
  ['1.2.840.113549.1.12.1.6', 'pbeWithSHA1And40BitRC2-CBC'],
  ['1.2.840.113549.3.2', 'RC2-CBC'],
  ['1.2.840.113549.3.9', 'RC5-CBC'],
  ['1.3.14.3.2.7', 'DES-CBC'],
  ['1.3.6.1.4.1.3029.1.2', 'BF-CBC'],
  ['1.2.840.113533.7.66.10', 'CAST5-CBC'],
  ['1.2.410.200004.1.4', 'SEED-CBC'],
]);

interface Algorithm {
  readonly identifier: string;
  readonly parameters: DerValue | undefined;
}

/**
 * How many steps the key derivation of an encrypted PKCS#8 key takes: iterations, or N·r·p of
 * scrypt. OpenSSL takes as many as the file says, be it for hours.
 *
 * @throws RangeError when this is no encrypted PKCS#8
 */
export function derivationSteps(encrypted: Buffer): number {
  const { encryption } = parse(encrypted);
  if (encryption.identifier !== PBES2) return iterations(encryption);
  const derivation = algorithmOf(sequenceOf(encryption.parameters)[0]);
  if (derivation.identifier !== SCRYPT) return iterations(derivation);
  const [, n, r, p] = sequenceOf(derivation.parameters);
  return integerOf(n) * integerOf(r) * integerOf(p);
}

/**
 * What an encrypted PKCS#8 key is encrypted with, of which OpenSSL lacks something: a name where
 * there is one, else the object identifier.
 *
 * @param code OpenSSL's error
 * @throws RangeError when this is no encrypted PKCS#8
 */
export function encryptionName(encrypted: Buffer, code: string): string {
  const { encryption } = parse(encrypted);
  if (encryption.identifier !== PBES2) return nameOf(encryption);
  const [derivation, cipher] = sequenceOf(encryption.parameters).map(algorithmOf);
  if (!derivation || !cipher) throw new RangeError('no PBES2');
  if (code.endsWith('_KEY_DERIVATION_FUNCTION')) return nameOf(derivation);
  return nameOf((code.endsWith('_PRF') && hashOf(derivation)) || cipher);
}

function nameOf({ identifier }: Algorithm): string {
  const dotted = dottedIdentifier(identifier);
  return OLD_ENCRYPTIONS.get(dotted) ?? dotted;
}

/**
 * Decrypts PKCS#8 as Notary encrypts it, without a look at the key within.
 *
 * @returns undefined when it is encrypted in another way
 * @throws Error when the password is wrong, or the bytes are damaged
 */
export function decryptPkcs8(encrypted: Buffer, password: Uint8Array): Buffer | undefined {
  const { encryption, data } = parse(encrypted);
  if (encryption.identifier !== PBES2) return undefined;
  const [derivation, cipher] = sequenceOf(encryption.parameters).map(algorithmOf);
  if (derivation?.identifier !== PBKDF2 || cipher?.identifier !== AES_256_CBC) return undefined;
  const [salt, count] = sequenceOf(derivation.parameters);
  const hash = HASHES.get(hashOf(derivation)?.identifier ?? HMAC_SHA1);
  if (hash === undefined) return undefined;
  const key = pbkdf2Sync(
    password,
    contentOf(salt, OCTET_STRING),
    integerOf(count),
    AES_256_KEY_BYTES,
    hash,
  );
  const decipher = createDecipheriv('aes-256-cbc', key, contentOf(cipher.parameters, OCTET_STRING));
  return Buffer.concat([decipher.update(data), decipher.final()]);
}

/** The hash of PBKDF2, where it is said: it may follow, as may the length of the key. */
function hashOf(derivation: Algorithm): Algorithm | undefined {
  const [, , ...options] = sequenceOf(derivation.parameters);
  const named = options.find(({ tag }) => tag === SEQUENCE);
  return named && algorithmOf(named);
}

/** The cipher that a `DEK-Info` header names, for people. */
export function cipherOf(dekInfo: string): string {
  return dekInfo.slice(0, 40).split(',')[0] ?? '';
}

/** Whether this Node can decrypt what a `DEK-Info` header says. */
export function isKnownDekInfo(dekInfo: string): boolean {
  const [, cipher = '', vector = ''] = DEK_INFO.exec(dekInfo) ?? [];
  const { mode = '', ivLength } = getCipherInfo(cipher) ?? {};
  return (
    PLAIN_MODES.includes(mode) &&
    ivLength === vector.length / 2 &&
    getCiphers().includes(cipher.toLowerCase())
  );
}

/**
 * Decrypts a block of OpenSSL's traditional format, with the key derivation that it has there: MD5,
 * once.
 *
 * @param dekInfo the header: cipher and initialisation vector
 * @throws Error when the password is wrong, the bytes are damaged, or encrypted in another way
 */
export function decryptTraditional(
  encrypted: Buffer,
  dekInfo: string,
  password: Uint8Array,
): Buffer {
  const [, cipher = '', hex = ''] = DEK_INFO.exec(dekInfo) ?? [];
  const vector = Buffer.from(hex, 'hex');
  const salt = vector.subarray(0, TRADITIONAL_SALT_BYTES);
  const length = getCipherInfo(cipher)?.keyLength ?? 0;
  let key = Buffer.alloc(0);
  let last = key;
  while (key.length < length) {
    last = createHash('md5').update(last).update(password).update(salt).digest();
    key = Buffer.concat([key, last]);
  }
  const decipher = createDecipheriv(cipher, key.subarray(0, length), vector);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}

function parse(encrypted: Buffer): { readonly encryption: Algorithm; readonly data: Buffer } {
  const [algorithm, data] = sequenceOf(readDer(encrypted)[0]);
  return { encryption: algorithmOf(algorithm), data: contentOf(data, OCTET_STRING) };
}

function algorithmOf(value: DerValue | undefined): Algorithm {
  const [identifier, parameters] = sequenceOf(value);
  return { identifier: identifierOf(identifier), parameters };
}

/** Parameters of all derivations but scrypt begin with salt and count. */
function iterations({ parameters }: Algorithm): number {
  return integerOf(sequenceOf(parameters)[1]);
}
