import { constants, createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { curveOf } from '../../shared/curve.ts';
import { BIT_STRING, contentOf, readDer, sequenceOf } from '../../shared/der.ts';
import { formatPem, readPem } from '../../shared/pem.ts';
import { rsaModulusLength } from '../../shared/rsa-modulus.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import { canonicalJson, type Json } from './canonical-json.ts';

/** Hex SHA-256 over the canonical JSON of a key object. */
export type KeyId = string & { readonly brand: 'KeyId' };

/** A public key as metadata carries it; `public` is base64 of what `keytype` says. */
export interface PublicKey {
  readonly keytype: string;
  readonly public: string;
}

/** The signature methods that Notary writes and reads, by key algorithm. */
export type SignatureMethod = 'ecdsa' | 'rsapss' | 'eddsa';

/** Salt length of RSASSA-PSS signatures, in bytes: that of SHA-256. */
const PSS_SALT_LENGTH = 32;
/** Notary takes no smaller RSA keys; bits. */
export const SMALLEST_RSA_MODULUS = 2048;
/** The elliptic curves that Notary's own library knows, as OpenSSL names them. */
const CURVES = ['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1'];
/** The first octet of a point of which both coordinates follow. */
const UNCOMPRESSED_POINT = 0x04;
/** DER prefix of a SubjectPublicKeyInfo that wraps a raw Ed25519 key. */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The key as metadata writes it. `private: null` is part of the format. */
export function keyToJson(key: PublicKey): Json {
  return { keytype: key.keytype, keyval: { private: null, public: key.public } };
}

/** The id of the key object as it is: what roles list (the TUF key id). */
export function keyId(key: PublicKey): KeyId {
  return sha256Hex(canonicalJson(keyToJson(key))) as KeyId;
}

/**
 * The id of the bare public key: the same for a key and for every certificate over it, and the name
 * of a private key's file. Undefined where the key object cannot be read.
 */
export function canonicalKeyId(key: PublicKey): KeyId | undefined {
  if (!key.keytype.endsWith('-x509')) return keyId(key);
  const object = publicKeyObject(key);
  return object && keyId(bareKey(object));
}

/**
 * What tells one key from another, whatever it is written as: a certificate may wrap it, and base64
 * has several spellings. Undefined where the key cannot be read.
 */
export function keyFingerprint(key: PublicKey): string | undefined {
  return publicKeyObject(key)?.export({ type: 'spki', format: 'der' }).toString('base64');
}

/** The key object of a bare public key. */
export function bareKey(object: KeyObject): PublicKey {
  const der = object.export({ type: 'spki', format: 'der' });
  if (object.asymmetricKeyType === 'ed25519') {
    const raw = der.subarray(ED25519_PREFIX.length);
    return { keytype: 'ed25519', public: raw.toString('base64') };
  }
  const keytype = object.asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa';
  return { keytype, public: der.toString('base64') };
}

/**
 * The certificates of an `-x509` key, the leaf first; none for other keys. Nor for one that is not
 * written as Notary writes it: its clients write the certificates anew, and look for signatures
 * under the id of that.
 */
export function certificatesOf(key: PublicKey): readonly X509Certificate[] {
  if (!key.keytype.endsWith('-x509')) return [];
  const pem = Buffer.from(key.public, 'base64').toString('latin1');
  const { blocks } = readPem(pem);
  if (blocks.some(({ label }) => label !== 'CERTIFICATE')) return [];
  if (blocks.map(formatPem).join('') !== pem) return [];
  try {
    return blocks.map(({ bytes }) => new X509Certificate(bytes));
  } catch {
    return [];
  }
}

/**
 * Whether `signature` is one by `key` over `message`. False, never an exception, for keys and
 * methods that cannot be read: a signature that cannot be checked counts for nothing.
 */
export function verifySignature(
  key: PublicKey,
  method: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const object = publicKeyObject(key);
  try {
    switch (object?.asymmetricKeyType) {
      case 'ec':
        if (method !== 'ecdsa') return false;
        return verify('sha256', message, { key: object, dsaEncoding: 'ieee-p1363' }, signature);
      case 'rsa': {
        if (method === 'rsapkcs1v15') return verify('sha256', message, object, signature);
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        const key = { key: object, padding, saltLength: PSS_SALT_LENGTH };
        return method === 'rsapss' && verify('sha256', message, key, signature);
      }
      case 'ed25519':
        return method === 'eddsa' && verify(null, message, object, signature);
      default:
        return false;
    }
  } catch {
    return false;
  }
}

/** Whether Notary's own library reads a public key, and does not find it too short. */
export function isNotaryKey(key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'rsa') return rsaModulusLength(key) >= SMALLEST_RSA_MODULUS;
  if (key.asymmetricKeyType !== 'ec') return true;
  return CURVES.includes(curveOf(key) ?? '') && isUncompressed(key);
}

function isUncompressed(key: KeyObject): boolean {
  const [, point] = sequenceOf(readDer(key.export({ type: 'spki', format: 'der' }))[0]);
  const [, form] = contentOf(point, BIT_STRING);
  return form === UNCOMPRESSED_POINT;
}

/** What OpenSSL calls the algorithm of each kind of key that Notary knows. */
const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['ecdsa', 'ec'],
  ['ecdsa-x509', 'ec'],
  ['rsa', 'rsa'],
  ['rsa-x509', 'rsa'],
  ['ed25519', 'ed25519'],
]);

/**
 * The key itself; undefined where it cannot be read, is of another algorithm than it says, or is one
 * that no client of Notary reads.
 */
function publicKeyObject(key: PublicKey): KeyObject | undefined {
  const algorithm = ALGORITHMS.get(key.keytype);
  if (algorithm === undefined) return undefined;
  try {
    const isWrapped = key.keytype.endsWith('-x509');
    const object = isWrapped ? certificatesOf(key)[0]?.publicKey : bareKeyObject(key);
    return object?.asymmetricKeyType === algorithm && isNotaryKey(object) ? object : undefined;
  } catch {
    return undefined;
  }
}

function bareKeyObject({ keytype, public: encoded }: PublicKey): KeyObject {
  const bytes = Buffer.from(encoded, 'base64');
  const key = keytype === 'ed25519' ? Buffer.concat([ED25519_PREFIX, bytes]) : bytes;
  return createPublicKey({ key, format: 'der', type: 'spki' });
}
