import type { KeyObject } from 'node:crypto';

/** The signature algorithms of JOSE (RFC 7518) that the signer uses. */
export type JoseAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'PS256' | 'PS384' | 'PS512';

/** Loads what signs. A quarter of a run would be this: it is best done while a server is awaited. */
export function loadJose() {
  return import('./jose-algorithms.ts');
}

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
  const { JOSE_ALGORITHMS } = await loadJose();
  const { kty: _, crv, ...numbers } = key.export({ format: 'jwk' });
  const jwk: Record<string, string | Buffer> = crv === undefined ? {} : { crv };
  for (const [name, value] of Object.entries(numbers)) {
    jwk[name] = Buffer.from(String(value), 'base64url');
  }
  // The same bytes, as the class that it wants.
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const signed = await JOSE_ALGORITHMS[algorithm]?.sign(jwk, bytes);
  if (!signed) throw new Error(`node-jose does not know ${algorithm}`);
  return signed.mac;
}
