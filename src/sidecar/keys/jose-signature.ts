import type { KeyObject } from 'node:crypto';

/** The signature algorithms of JOSE (RFC 7518) that the signer uses. */
export type JoseAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'PS256' | 'PS384' | 'PS512';

/**
 * Signs bytes with node-jose: ECDSA as raw r‖s, or PSS with a salt of the length of the hash.
 *
 * @param key that `curveOf` has looked at, and that the algorithm is for
 */
export async function joseSign(
  key: KeyObject,
  algorithm: JoseAlgorithm,
  message: Uint8Array,
): Promise<Uint8Array> {
  // Loaded here: half of the signer's start-up would be this library.
  const { default: jose } = await import('node-jose');
  const jwk: object = await jose.JWK.asKey(key.export({ format: 'jwk' }));
  // `Key.sign` is not in the type declarations of node-jose.
  const signer = jwk as { sign(algorithm: string, data: Buffer): Promise<{ mac: Buffer }> };
  // The same bytes, as the class that it wants.
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return (await signer.sign(algorithm, bytes)).mac;
}
