import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { contentOf, identifierOf, OCTET_STRING, readDer, sequenceOf } from '../../shared/der.ts';

/** The hex of 1.3.6.1.4.1.11591.15.1, which Notary calls Ed25519; nobody else's library reads it. */
const NOTARY_ED25519 = '2b06010401da470f01';
/** DER prefix of standard PKCS#8 around a seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Bytes of a seed, and of a public key. */
const HALF = 32;

/**
 * An Ed25519 key as Notary holds it: public key, seed, public key.
 *
 * @throws Error when this is none, or one half is not that of the other
 */
export function ed25519Key(bytes: Buffer): KeyObject {
  const seed = bytes.subarray(HALF, 2 * HALF);
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = spki.subarray(-HALF);
  if (!bytes.equals(Buffer.concat([publicKey, seed, publicKey]))) {
    throw new Error('the public key is not that of the seed');
  }
  return key;
}

/**
 * An Ed25519 key in Notary's own PKCS#8.
 *
 * @throws Error when this is no such key
 */
export function notaryEd25519Key(pkcs8: Buffer): KeyObject {
  const [, algorithm, key] = sequenceOf(readDer(pkcs8)[0]);
  if (identifierOf(sequenceOf(algorithm)[0]) !== NOTARY_ED25519) {
    throw new Error("not Notary's Ed25519");
  }
  return ed25519Key(contentOf(key, OCTET_STRING));
}
