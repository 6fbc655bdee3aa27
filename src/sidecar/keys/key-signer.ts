import { sign, type KeyObject } from 'node:crypto';
import { curveOf } from '../../shared/curve.ts';
import type { Signer, SigningKey } from '../tuf/publication.ts';
import type { PrivateKey } from './signing-key.ts';

/**
 * The signer of a private key. node-jose makes what JOSE has under the same bytes (ES256: raw r‖s;
 * PS256: PSS with a 32-byte salt), node:crypto the rest: P-384 over SHA-256, and Ed25519.
 */
export function signingKey({ canonicalId, publicKey, method, key }: PrivateKey): SigningKey {
  const curve = curveOf(key);
  const algorithm = method === 'rsapss' ? 'PS256' : curve === 'prime256v1' ? 'ES256' : undefined;
  const signer = algorithm ? joseSigner(key, algorithm) : cryptoSigner(key, method === 'eddsa');
  return { canonicalId, publicKey, method, signer };
}

function joseSigner(key: KeyObject, algorithm: 'ES256' | 'PS256'): Signer {
  return {
    async sign(message) {
      // Loaded here: half of the signer's start-up would be this library.
      const { default: jose } = await import('node-jose');
      const jwk = await jose.JWK.asKey(key.export({ format: 'jwk' }));
      const { mac } = await signRaw(jwk, algorithm, message);
      return mac;
    },
  };
}

/** `Key.sign` is not in the type declarations of node-jose. */
function signRaw(
  key: object,
  algorithm: string,
  message: Uint8Array,
): Promise<{ readonly mac: Buffer }> {
  const raw = key as { sign(algorithm: string, data: Buffer): Promise<{ mac: Buffer }> };
  // The same bytes, as the class that it wants.
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return raw.sign(algorithm, bytes);
}

function cryptoSigner(key: KeyObject, hashesItself: boolean): Signer {
  return {
    sign: (message) =>
      Promise.resolve(
        sign(hashesItself ? null : 'sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
      ),
  };
}
