import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { SigningError } from '../shared/signing-error.ts';
import {
  bareKey,
  keyId,
  SMALLEST_RSA_MODULUS,
  type KeyId,
  type PublicKey,
  type SignatureMethod,
} from '../shared/tuf/key.ts';

/** One `*.key` file of the signing Secret. */
export interface KeyFile {
  readonly name: string;
  readonly pem: string;
}

/** A private key that can sign for Notary. */
export interface PrivateKey {
  readonly file: string;
  /** The id that the Notary and docker CLIs name the file after. */
  readonly canonicalId: KeyId;
  readonly publicKey: PublicKey;
  readonly method: SignatureMethod;
  readonly key: KeyObject;
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\r?\n([\s\S]*?)\r?\n-----END \1-----/g;
/** The curves that Notary's own library knows. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

/**
 * Opens every key of the files, each key once. The Notary and docker CLIs write PKCS#8 with headers
 * (`role:`, `gun:`) that no other program reads.
 *
 * @throws SigningError KEY_MISSING, KEY_INVALID, KEY_PASSWORD_MISSING, KEY_PASSWORD_WRONG
 */
export function openKeys(files: readonly KeyFile[], password: string | undefined): PrivateKey[] {
  if (files.length === 0) {
    throw new SigningError('KEY_MISSING', 'the signing Secret holds no *.key file');
  }
  const keys = files.flatMap((file) => openFile(file, password));
  return [...new Map(keys.map((key) => [key.canonicalId, key])).values()];
}

function openFile({ name, pem }: KeyFile, password: string | undefined): PrivateKey[] {
  const blocks = [...pem.matchAll(PEM_BLOCK)];
  if (blocks.length === 0) {
    throw new SigningError('KEY_INVALID', `${name} holds no PEM block with a private key`);
  }
  return blocks.map(([, label = '', body = '']) => {
    const key = openBlock(name, label, body, password);
    const publicKey = bareKey(createPublicKey(key));
    return {
      file: name,
      canonicalId: keyId(publicKey),
      publicKey,
      method: signatureMethod(name, key),
      key,
    };
  });
}

function openBlock(
  name: string,
  label: string,
  body: string,
  password: string | undefined,
): KeyObject {
  const legacy = /^DEK-Info:/m.test(body);
  const encrypted = legacy || label === 'ENCRYPTED PRIVATE KEY';
  if (encrypted && password === undefined) {
    throw new SigningError('KEY_PASSWORD_MISSING', `${name} is encrypted`);
  }
  // OpenSSL takes header lines for its own legacy format, whose DEK-Info it needs.
  const text = legacy ? body : body.replace(/^[\w-]+:.*(?:\r?\n|$)/gm, '').trimStart();
  const key = `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
  try {
    return createPrivateKey({ key, format: 'pem', ...(encrypted && { passphrase: password }) });
  } catch (cause) {
    // A wrong password surfaces as any of many decoding errors: padding that fits by chance.
    if (encrypted) {
      throw new SigningError(
        'KEY_PASSWORD_WRONG',
        `${name} cannot be decrypted with the password of the signing Secret`,
        { cause },
      );
    }
    throw new SigningError('KEY_INVALID', `${name} holds no private key that OpenSSL reads`, {
      cause,
    });
  }
}

function signatureMethod(name: string, key: KeyObject): SignatureMethod {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec' && CURVES.includes(details?.namedCurve ?? '')) return 'ecdsa';
  if (type === 'ed25519') return 'eddsa';
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= SMALLEST_RSA_MODULUS) return 'rsapss';
  throw new SigningError(
    'KEY_INVALID',
    `${name} holds a ${type ?? 'nameless'} key that Notary does not accept`,
    { fix: `Use EC P-256, P-384 or P-521, or RSA of at least ${SMALLEST_RSA_MODULUS} bits.` },
  );
}
