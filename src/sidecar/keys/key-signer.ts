import { createPublicKey, sign, type KeyObject } from 'node:crypto';
import { curveOf } from '../../shared/curve.ts';
import { bareKey, keyId } from '../tuf/key.ts';
import type { SigningKey } from '../tuf/publication.ts';
import { joseSign } from './jose-signature.ts';

/**
 * A private key that signs. node-jose makes what JOSE has under the same bytes (ES256: raw r‖s; PS256:
 * PSS with a 32-byte salt), node:crypto the rest: P-384 over SHA-256, and Ed25519.
 *
 * @param key of an algorithm that Notary knows
 */
export function signingKey(file: string, key: KeyObject): SigningKey {
  const publicKey = bareKey(publicHalf(key));
  const common = { file, canonicalId: keyId(publicKey), publicKey };
  const curve = curveOf(key);
  if (key.asymmetricKeyType === 'rsa') {
    return { ...common, method: 'rsapss', sign: (message) => joseSign(key, 'PS256', message) };
  }
  if (curve === 'prime256v1') {
    return { ...common, method: 'ecdsa', sign: (message) => joseSign(key, 'ES256', message) };
  }
  const hash = curve === undefined ? null : 'sha256';
  return {
    ...common,
    method: curve === undefined ? 'eddsa' : 'ecdsa',
    sign: (message) => Promise.resolve(sign(hash, message, { key, dsaEncoding: 'ieee-p1363' })),
  };
}

/**
 * The public key as Notary writes it, and so names it: a file may hold the point of an EC key
 * compressed, or the curve in full.
 */
function publicHalf(key: KeyObject): KeyObject {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  return createPublicKey({ key: jwk, format: 'jwk' });
}
