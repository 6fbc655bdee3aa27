import { constants, verify, type KeyObject } from 'node:crypto';
import { curveOf } from '../../shared/curve.ts';
import { rsaModulusLength } from '../../shared/rsa-modulus.ts';
import type { JoseAlgorithm } from '../keys/jose-signature.ts';

/** The algorithms of the Notary Project (signature specification, "Algorithm Selection"). */
export type JwsAlgorithm = JoseAlgorithm;

/** The hash of an algorithm. Its timestamp is over the same one. */
export type JwsHash = 'sha256' | 'sha384' | 'sha512';

/** Octets of a hash; also of the salt of PSS. */
export const HASH_BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const;

/** By the bits of the modulus: exactly these, as verifiers want it. */
const RSA: ReadonlyMap<number, JwsAlgorithm> = new Map([
  [2048, 'PS256'],
  [3072, 'PS384'],
  [4096, 'PS512'],
]);
/** By the curve, as OpenSSL names it. */
const EC: ReadonlyMap<string, JwsAlgorithm> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

/** The one algorithm that a key signs with; undefined when it may not sign. */
export function jwsAlgorithmOf(key: KeyObject): JwsAlgorithm | undefined {
  return key.asymmetricKeyType === 'rsa'
    ? RSA.get(rsaModulusLength(key))
    : EC.get(curveOf(key) ?? '');
}

/** The hash of an algorithm. */
export function hashOf(algorithm: JwsAlgorithm): JwsHash {
  switch (algorithm) {
    case 'ES256':
    case 'PS256':
      return 'sha256';
    case 'ES384':
    case 'PS384':
      return 'sha384';
    case 'ES512':
    case 'PS512':
      return 'sha512';
  }
}

/** Whether the signature is one over the message; false, never an exception, for other lengths too. */
export function verifyJws(
  key: KeyObject,
  algorithm: JwsAlgorithm,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const hash = hashOf(algorithm);
  try {
    if (algorithm.startsWith('ES')) {
      return verify(hash, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
    }
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify(hash, message, { key, padding, saltLength: HASH_BYTES[hash] }, signature);
  } catch {
    return false;
  }
}
