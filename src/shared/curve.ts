import { createPublicKey, type KeyObject } from 'node:crypto';

/**
 * The curve of an elliptic-curve key, as OpenSSL names it; undefined for other keys, and for curves
 * that have no name. After this a key may also be exported as JWK.
 *
 * The one place that reads `asymmetricKeyDetails`. OpenSSL reads a private number that does not fit
 * its curve, and then has no such key: Node aborts the process where it asks for details or JWK,
 * and throws where it writes DER.
 *
 * @throws Error when the private number does not fit the curve
 */
export function curveOf(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType !== 'ec') return undefined;
  if (key.type === 'private') {
    key.export({ format: 'der', type: 'sec1' });
    return nameOf(key);
  }
  // A public key that was made of a private one still holds it.
  const spki = key.export({ format: 'der', type: 'spki' });
  return nameOf(createPublicKey({ key: spki, format: 'der', type: 'spki' }));
}

function nameOf(key: KeyObject): string | undefined {
  // eslint-disable-next-line no-restricted-properties -- after the export that proves it harmless
  return key.asymmetricKeyDetails?.namedCurve;
}
