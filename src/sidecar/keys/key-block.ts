import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { curveOf } from '../../shared/curve.ts';
import { INTEGER, OCTET_STRING, readDer, SEQUENCE, sequenceOf } from '../../shared/der.ts';
import type { PemBlock } from '../../shared/pem.ts';
import { rsaModulusLength } from '../../shared/rsa-modulus.ts';
import { command } from '../../shared/shell-command.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { SMALLEST_RSA_MODULUS } from '../tuf/key.ts';
import type { Work } from '../tuf/work.ts';
import { ed25519Key, notaryEd25519Key } from './ed25519-key.ts';
import { unusableBlock } from './unusable-key-file.ts';
import {
  cipherOf,
  decryptPkcs8,
  decryptTraditional,
  derivationSteps,
  encryptionName,
  isKnownDekInfo,
} from './key-encryption.ts';
import type { Password } from './password.ts';

/** What the blocks of a run may spend. */
export interface DerivationBudget {
  steps: number;
}

/**
 * The budget of a run: about a second, and one key may take it all, in which no deadline is heard. The
 * tools take 2,048 steps a key, careful people a million.
 */
export const DERIVATION_STEPS = 2_000_000;

/** The blocks that may hold a key. Their content decides what they are: labels are often wrong. */
const LABELS = [
  'ENCRYPTED PRIVATE KEY',
  'PRIVATE KEY',
  'RSA PRIVATE KEY',
  'EC PRIVATE KEY',
  'ED25519 PRIVATE KEY',
];
/** Octets of an Ed25519 key as Notary's traditional format has it, without any DER. */
const RAW_ED25519_BYTES = 96;
/** Fewest integers of an RSA key, and those of a DSA key. */
const RSA_INTEGERS = 9;
const DSA_INTEGERS = 6;
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
/** Bits; nobody's OpenSSL verifies with more, and to sign once may take days. */
const LARGEST_RSA_MODULUS = 16_384;
/** What Notary takes, and the signer does not. */
const NOTARY_ALONE = ['secp224r1'];
const ACCEPTED = `Use an EC key (P-256, P-384 or P-521), RSA of ${SMALLEST_RSA_MODULUS} to ${LARGEST_RSA_MODULUS} bits, or Ed25519.`;

/** For OpenSSL 3, which has old ciphers in a provider that is not loaded otherwise. */
const ENCRYPT_ANEW = `Encrypt it anew: ${command`openssl pkcs8 -topk8 -provider legacy -provider default -in <old file> -out <new file>`} (OpenSSL 1.1 does it without the two -provider options), then build again.`;

/**
 * Opens one private key; a step is what one password takes.
 *
 * @param where how to call it in messages
 * @throws SigningError KEY_INVALID, KEY_PASSWORD_MISSING, KEY_PASSWORD_WRONG
 */
export function* openBlock(
  block: PemBlock,
  where: string,
  password: Password | undefined,
  budget: DerivationBudget,
): Work<KeyObject> {
  yield;
  const dekInfo = block.headers.get('DEK-Info');
  const format = dekInfo === undefined ? formatOf(block.bytes) : undefined;
  if (!LABELS.includes(block.label) || format === 'dsa') {
    const { what, fix } = unusableBlock(format === 'dsa' ? 'DSA PRIVATE KEY' : block.label);
    throw new SigningError('KEY_INVALID', `${where} is ${what}`, { fix });
  }
  const isEncrypted = dekInfo !== undefined || format === 'encrypted';
  try {
    const key = isEncrypted
      ? yield* decrypt(block, where, password, budget)
      : openPlain(block.bytes);
    checkAlgorithm(where, key);
    checkHalves(key);
    return key;
  } catch (cause) {
    if (cause instanceof SigningError) throw cause;
    throw isEncrypted && password
      ? wrongPassword(where, password, cause)
      : damagedKey(where, cause);
  }
}

function damagedKey(where: string, cause: unknown): SigningError {
  const message = `${where} holds a damaged private key, or one that OpenSSL does not read`;
  return new SigningError('KEY_INVALID', message, { cause });
}

/**
 * What a failure to decrypt means. A wrong password surfaces as any of many decoding errors: padding
 * that fits by chance.
 */
function wrongPassword(where: string, password: Password, cause: unknown): SigningError {
  if (password.candidates.every(({ length }) => length === 0)) {
    const message = `${where} is encrypted, and the password in the signing Secret is empty`;
    return new SigningError('KEY_PASSWORD_MISSING', message, { cause });
  }
  const which = password.isText
    ? 'the password of the signing Secret'
    : 'the password of the signing Secret, whose bytes are no UTF-8 and were taken as they are';
  const message = `${where} cannot be decrypted with ${which}: it has another password, or is damaged`;
  return new SigningError('KEY_PASSWORD_WRONG', message, { cause });
}

/**
 * @throws SigningError KEY_INVALID when this Node cannot decrypt it, or it is no longer what was
 * encrypted; KEY_PASSWORD_MISSING; else what the first of the passwords met
 */
function* decrypt(
  { headers, bytes }: PemBlock,
  where: string,
  password: Password | undefined,
  budget: DerivationBudget,
): Work<KeyObject> {
  const dekInfo = headers.get('DEK-Info');
  if (dekInfo !== undefined && !isKnownDekInfo(dekInfo)) {
    throw unknownEncryption(where, cipherOf(dekInfo));
  }
  const steps = dekInfo === undefined ? stepsOf(bytes, where) : 0;
  if (!password) {
    const message = `${where} is encrypted, and there is no password`;
    throw new SigningError('KEY_PASSWORD_MISSING', message);
  }
  let failure: unknown;
  for (const candidate of password.candidates) {
    try {
      if (dekInfo !== undefined) return openPlain(decryptTraditional(bytes, dekInfo, candidate));
      spend(budget, steps, where);
      return openEncryptedPkcs8(bytes, where, candidate);
    } catch (error) {
      if (error instanceof SigningError) throw error;
      failure ??= error;
    }
    yield;
  }
  throw failure;
}

function stepsOf(bytes: Buffer, where: string): number {
  try {
    return derivationSteps(bytes);
  } catch (cause) {
    throw damagedKey(where, cause);
  }
}

function unknownEncryption(where: string, encryption: string, cause?: unknown): SigningError {
  const message = `${where} is encrypted with ${encryption}, which the signer does not read`;
  return new SigningError('KEY_INVALID', message, { cause, fix: ENCRYPT_ANEW });
}

/** What Notary's own way is not, OpenSSL decrypts: the key is derived once. */
function openEncryptedPkcs8(key: Buffer, where: string, password: Uint8Array): KeyObject {
  const plain = decryptPkcs8(key, password);
  if (plain) return openPkcs8(plain);
  const passphrase = Buffer.from(password);
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8', passphrase });
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    // Whatever the password: it has no such cipher, hash or derivation.
    if (!code.startsWith('ERR_OSSL_EVP_')) throw cause;
    throw unknownEncryption(where, encryptionName(key, code), cause);
  }
}

function openPlain(key: Buffer): KeyObject {
  if (key.length === RAW_ED25519_BYTES) return ed25519Key(key);
  const type = formatOf(key);
  if (type === 'pkcs8') return openPkcs8(key);
  if (type !== 'pkcs1' && type !== 'sec1') throw new Error('no private key');
  return createPrivateKey({ key, format: 'der', type });
}

/** OpenSSL reads all but Notary's own Ed25519. */
function openPkcs8(key: Buffer): KeyObject {
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } catch {
    return notaryEd25519Key(key);
  }
}

/** What DER holds, by the first values in it; undefined when it is no key. */
function formatOf(bytes: Buffer) {
  try {
    const values = sequenceOf(readDer(bytes)[0]);
    const [first, second] = values.map(({ tag }) => tag);
    if (first === SEQUENCE && second === OCTET_STRING) return 'encrypted';
    if (first !== INTEGER) return undefined;
    if (second === SEQUENCE) return 'pkcs8';
    if (second === OCTET_STRING) return 'sec1';
    const integers = values.filter(({ tag }) => tag === INTEGER).length;
    if (integers === DSA_INTEGERS) return 'dsa';
    return integers >= RSA_INTEGERS ? 'pkcs1' : undefined;
  } catch {
    return undefined;
  }
}

function spend(budget: DerivationBudget, steps: number, where: string): void {
  if (steps > budget.steps) {
    const what = `${where} asks for more key derivation than ${DERIVATION_STEPS} iterations, which is all that the keys of a signing Secret may take together`;
    throw new SigningError('KEY_INVALID', what, {
      fix: `Encrypt it anew: ${command`openssl pkcs8 -topk8 -iter 100000 -in <old file> -out <new file>`}, then build again.`,
    });
  }
  budget.steps -= steps;
}

/** @throws SigningError KEY_INVALID when the signer cannot sign with such a key */
function checkAlgorithm(where: string, key: KeyObject): void {
  const { asymmetricKeyType: type = 'nameless' } = key;
  const namedCurve = curveOf(key) ?? 'of its own';
  const modulusLength = rsaModulusLength(key);
  const isUsual = modulusLength >= SMALLEST_RSA_MODULUS && modulusLength <= LARGEST_RSA_MODULUS;
  if (type === 'ed25519' || CURVES.includes(namedCurve) || isUsual) return;
  const property =
    type === 'ec'
      ? ` on the curve ${namedCurve}`
      : type === 'rsa'
        ? ` of ${modulusLength} bits`
        : '';
  const reader = NOTARY_ALONE.includes(namedCurve)
    ? 'this signer does not read'
    : 'Notary does not accept';
  throw new SigningError('KEY_INVALID', `${where} holds a key that ${reader}: ${type}${property}`, {
    fix: ACCEPTED,
  });
}

/** A file may be damaged in one half of the key, and OpenSSL does not look. */
function checkHalves(key: KeyObject): void {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const message = Buffer.from('kpack-notary');
  if (!verify(algorithm, message, createPublicKey(key), sign(algorithm, message, key))) {
    throw new Error('the public key is not that of the private key');
  }
}
