/**
 * Keys of signers, as metadata lists them. Key ids and signatures are made here without what is
 * tested.
 */
import { constants, createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { KeyId, SignatureMethod } from '../../../src/sidecar/tuf/key.ts';
import type { SigningKey } from '../../../src/sidecar/tuf/publication.ts';
import { canonical, type DraftObject } from './draft.ts';

/** A key that signs roles, as metadata lists it. */
export interface TestKey {
  readonly keytype: string;
  readonly public: string;
  /** The id that roles list (TUF key id). */
  readonly id: KeyId;
  /** The id of the bare public key. */
  readonly canonicalId: KeyId;
  readonly method: SignatureMethod;
  readonly privateKey: KeyObject;
}

export type KeyKind =
  'p224' | 'p256' | 'p384' | 'p521' | 'secp256k1' | 'rsa1024' | 'rsa2048' | 'ed25519';

const ED25519_PREFIX_LENGTH = 12;

/** A new bare key. */
export function makeKey(kind: KeyKind = 'p256'): TestKey {
  const { privateKey } = generate(kind);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  if (kind === 'ed25519') {
    return listKey(
      privateKey,
      'ed25519',
      spki.subarray(ED25519_PREFIX_LENGTH).toString('base64'),
      'eddsa',
    );
  }
  const rsa = kind.startsWith('rsa');
  const text = spki.toString('base64');
  return listKey(privateKey, rsa ? 'rsa' : 'ecdsa', text, rsa ? 'rsapss' : 'ecdsa');
}

/** The key as another key object over the same private key: one with another id. */
export function relist(key: TestKey, keytype: string, publicText: string): TestKey {
  return {
    ...listKey(key.privateKey, keytype, publicText, key.method),
    canonicalId: key.canonicalId,
  };
}

function generate(kind: KeyKind): { readonly privateKey: KeyObject } {
  switch (kind) {
    case 'p224':
      return generateKeyPairSync('ec', { namedCurve: 'P-224' });
    case 'secp256k1':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'p521':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'rsa1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 });
    case 'rsa2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
  }
}

function listKey(
  privateKey: KeyObject,
  keytype: string,
  publicText: string,
  method: SignatureMethod,
): TestKey {
  const id = createHash('sha256')
    .update(canonical(keyObject(keytype, publicText)))
    .digest('hex') as KeyId;
  return { keytype, public: publicText, id, canonicalId: id, method, privateKey };
}

/** The key object that metadata has of a key. */
export function keyObject(keytype: string, publicText: string): DraftObject {
  return { keytype, keyval: { private: null, public: publicText } };
}

/** A signature in Notary's form. */
export function signText(
  text: string | Uint8Array,
  key: Pick<TestKey, 'method' | 'privateKey'>,
): Buffer {
  const message = Buffer.from(text);
  switch (key.method) {
    case 'ecdsa':
      return sign('sha256', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    case 'rsapss':
      return sign('sha256', message, {
        key: key.privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: 32,
      });
    case 'eddsa':
      return sign(null, message, key.privateKey);
  }
}

/** The key as one of ours, to sign publications with. */
export function asSigningKey(key: TestKey): SigningKey {
  const bare = createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' });
  const publicKey = key.keytype.endsWith('-x509')
    ? { keytype: key.keytype.replace('-x509', ''), public: bare.toString('base64') }
    : { keytype: key.keytype, public: key.public };
  return {
    file: `${key.canonicalId}.key`,
    canonicalId: key.canonicalId,
    publicKey,
    method: key.method,
    sign: (message) => Promise.resolve(signText(message, key)),
  };
}
