import { createDecipheriv, createHash, getCipherInfo, pbkdf2Sync } from 'node:crypto';
import {
  contentOf,
  identifierOf,
  integerOf,
  OCTET_STRING,
  readDer,
  SEQUENCE,
  sequenceOf,
  type DerValue,
} from '../shared/der.ts';

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

const AES_256_KEY_BYTES = 32;
/** The salt of the traditional format is the beginning of the initialisation vector; bytes. */
const TRADITIONAL_SALT_BYTES = 8;
/** Ciphers of the traditional format that OpenSSL 3 still has. */
const TRADITIONAL_CIPHER = /^((?:AES-(?:128|192|256)|DES-EDE3)-CBC),\s*([0-9A-F]+)$/i;

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
 * Decrypts PKCS#8 as Notary encrypts it, without a look at the key within.
 *
 * @throws Error when the password is wrong, the bytes are damaged, or encrypted in another way
 */
export function decryptPkcs8(encrypted: Buffer, password: string): Buffer {
  const { encryption, data } = parse(encrypted);
  const [derivation, cipher] = sequenceOf(encryption.parameters).map(algorithmOf);
  if (derivation?.identifier !== PBKDF2 || cipher?.identifier !== AES_256_CBC) {
    throw new Error('not encrypted as Notary does');
  }
  const [salt, count, ...options] = sequenceOf(derivation.parameters);
  // What may follow: the length of the key, and the hash where it is not SHA-1.
  const named = options.find(({ tag }) => tag === SEQUENCE);
  const hash = HASHES.get(named ? algorithmOf(named).identifier : HMAC_SHA1);
  if (hash === undefined) throw new Error('not hashed as Notary does');
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

/** Whether we can decrypt what this `DEK-Info` header says. */
export function isKnownDekInfo(dekInfo: string): boolean {
  return TRADITIONAL_CIPHER.test(dekInfo);
}

/**
 * Decrypts a block of OpenSSL's traditional format, with the key derivation that it has there: MD5,
 * once.
 *
 * @param dekInfo the header: cipher and initialisation vector
 * @throws Error when the password is wrong, the bytes are damaged, or encrypted in another way
 */
export function decryptTraditional(encrypted: Buffer, dekInfo: string, password: string): Buffer {
  const [, cipher = '', hex = ''] = TRADITIONAL_CIPHER.exec(dekInfo) ?? [];
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
