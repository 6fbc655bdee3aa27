import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { PemBlock } from '../shared/pem.ts';
import { command } from '../shared/shell-command.ts';
import { SigningError } from '../shared/signing-error.ts';
import { SMALLEST_RSA_MODULUS, type SignatureMethod } from '../shared/tuf/key.ts';
import { ed25519Key, notaryEd25519Key } from './ed25519-key.ts';
import { foreignBlock } from './foreign-file.ts';
import {
  decryptPkcs8,
  decryptTraditional,
  derivationSteps,
  isKnownDekInfo,
} from './key-encryption.ts';

/** A private key, and how it signs. */
export interface OpenedBlock {
  readonly key: KeyObject;
  readonly method: SignatureMethod;
}

/** What the blocks of a run may spend. */
export interface DerivationBudget {
  /** Steps of key derivation that are left. */
  steps: number;
}

/** The budget of a run: some seconds; the tools take 2,048 steps a key, careful people a million. */
export const DERIVATION_STEPS = 5_000_000;

type KeyFormat = 'pkcs8' | 'pkcs1' | 'sec1' | 'ed25519';

const ENCRYPTED_PKCS8 = 'ENCRYPTED PRIVATE KEY';
const FORMATS: ReadonlyMap<string, KeyFormat> = new Map([
  [ENCRYPTED_PKCS8, 'pkcs8'],
  ['PRIVATE KEY', 'pkcs8'],
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['EC PRIVATE KEY', 'sec1'],
  ['ED25519 PRIVATE KEY', 'ed25519'],
]);
/** The curves that Notary's own library knows. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
/** Bits; nobody's OpenSSL verifies with more, and to sign once may take days. */
const LARGEST_RSA_MODULUS = 16_384;
const ACCEPTED = `Use an EC key (P-256, P-384 or P-521), RSA of ${SMALLEST_RSA_MODULUS} to ${LARGEST_RSA_MODULUS} bits, or Ed25519.`;

/**
 * Opens one private key.
 *
 * @param where how to call it in messages
 * @throws SigningError KEY_INVALID, KEY_PASSWORD_MISSING, KEY_PASSWORD_WRONG
 */
export function openBlock(
  block: PemBlock,
  where: string,
  password: string | undefined,
  budget: DerivationBudget,
): OpenedBlock {
  const format = FORMATS.get(block.label);
  if (format === undefined) {
    const { what, fix } = foreignBlock(block.label);
    throw new SigningError('KEY_INVALID', `${where} is ${what}`, { fix });
  }
  const failure = failureOf(block, where, password);
  const attempt = <T>(make: () => T): T => {
    try {
      return make();
    } catch (cause) {
      throw cause instanceof SigningError ? cause : failure(cause);
    }
  };
  const key = attempt(() =>
    isEncrypted(block)
      ? openEncrypted(format, block, where, password, budget)
      : openPlain(format, block.bytes),
  );
  const method = signatureMethod(where, key);
  attempt(() => checkHalves(key));
  return { key, method };
}

function isEncrypted({ label, headers }: PemBlock): boolean {
  return label === ENCRYPTED_PKCS8 || headers.has('DEK-Info');
}

/**
 * What every failure to open a block says. A wrong password surfaces as any of many decoding
 * errors: padding that fits by chance.
 */
function failureOf(
  block: PemBlock,
  where: string,
  password: string | undefined,
): (cause: unknown) => SigningError {
  return (cause) => {
    if (!isEncrypted(block)) {
      const message = `${where} holds a damaged private key, or one that OpenSSL does not read`;
      return new SigningError('KEY_INVALID', message, { cause });
    }
    if (password === '') {
      const message = `${where} is encrypted, and the password in the signing Secret is empty`;
      return new SigningError('KEY_PASSWORD_MISSING', message, { cause });
    }
    const message = `${where} cannot be decrypted with the password of the signing Secret: it has another password, or is damaged`;
    return new SigningError('KEY_PASSWORD_WRONG', message, { cause });
  };
}

function openEncrypted(
  format: KeyFormat,
  { headers, bytes }: PemBlock,
  where: string,
  password: string | undefined,
  budget: DerivationBudget,
): KeyObject {
  if (password === undefined) {
    throw new SigningError(
      'KEY_PASSWORD_MISSING',
      `${where} is encrypted, and there is no password`,
    );
  }
  const dekInfo = headers.get('DEK-Info');
  if (dekInfo === undefined) {
    spend(budget, derivationSteps(bytes), where);
    return openEncryptedPkcs8(bytes, password);
  }
  if (!isKnownDekInfo(dekInfo)) {
    const [cipher = ''] = dekInfo.slice(0, 40).split(',');
    throw new SigningError(
      'KEY_INVALID',
      `${where} is encrypted with ${cipher}, which is not read`,
      {
        fix: `Encrypt it anew: ${command`openssl pkcs8 -topk8 -in <old file> -out <new file>`}, then build again.`,
      },
    );
  }
  return openPlain(format, decryptTraditional(bytes, dekInfo, password));
}

/** OpenSSL decrypts in every way there is, and reads all but Notary's own Ed25519. */
function openEncryptedPkcs8(key: Buffer, passphrase: string): KeyObject {
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8', passphrase });
  } catch {
    return notaryEd25519Key(decryptPkcs8(key, passphrase));
  }
}

function openPlain(format: KeyFormat, key: Buffer): KeyObject {
  if (format === 'ed25519') return ed25519Key(key);
  try {
    return createPrivateKey({ key, format: 'der', type: format });
  } catch (cause) {
    if (format !== 'pkcs8') throw cause;
    return notaryEd25519Key(key);
  }
}

function spend(budget: DerivationBudget, steps: number, where: string): void {
  if (steps > budget.steps) {
    throw new SigningError(
      'KEY_INVALID',
      `${where} asks for more key derivation than ${DERIVATION_STEPS} iterations, which is all that the keys of a signing Secret may take together`,
      {
        fix: `Encrypt it anew: ${command`openssl pkcs8 -topk8 -iter 100000 -in <old file> -out <new file>`}, then build again.`,
      },
    );
  }
  budget.steps -= steps;
}

function signatureMethod(where: string, key: KeyObject): SignatureMethod {
  const { asymmetricKeyType: type = 'nameless', asymmetricKeyDetails: details = {} } = key;
  const { namedCurve = 'of its own', modulusLength = 0 } = details;
  if (type === 'ec' && CURVES.includes(namedCurve)) return 'ecdsa';
  if (type === 'ed25519') return 'eddsa';
  const isUsual = modulusLength >= SMALLEST_RSA_MODULUS && modulusLength <= LARGEST_RSA_MODULUS;
  if (type === 'rsa' && isUsual) return 'rsapss';
  const property =
    type === 'ec'
      ? ` on the curve ${namedCurve}`
      : type === 'rsa'
        ? ` of ${modulusLength} bits`
        : '';
  throw new SigningError(
    'KEY_INVALID',
    `${where} holds a key that Notary does not accept: ${type}${property}`,
    { fix: ACCEPTED },
  );
}

/** A file may be damaged in one half of the key, and OpenSSL does not look. */
function checkHalves(key: KeyObject): void {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const message = Buffer.from('kpack-notary');
  if (!verify(algorithm, message, createPublicKey(key), sign(algorithm, message, key))) {
    throw new Error('the public key is not that of the private key');
  }
}
