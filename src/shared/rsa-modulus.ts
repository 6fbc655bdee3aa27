import type { KeyObject } from 'node:crypto';
import { contentOf, INTEGER, readDer, sequenceOf } from './der.ts';

/**
 * Bits of the modulus of an RSA key; 0 of others. `asymmetricKeyDetails` says it as well, but of a
 * key beyond 16,384 bits Node 24 leaves an error of OpenSSL behind, which fails the next key.
 */
export function rsaModulusLength(key: KeyObject): number {
  if (key.asymmetricKeyType !== 'rsa') return 0;
  const values = sequenceOf(readDer(key.export({ type: 'pkcs1', format: 'der' }))[0]);
  // A private key begins with its version.
  const modulus = contentOf(values[key.type === 'private' ? 1 : 0], INTEGER);
  const first = modulus.findIndex((octet) => octet !== 0);
  return (modulus.length - first) * 8 - (Math.clz32(modulus[first] ?? 0) - 24);
}
