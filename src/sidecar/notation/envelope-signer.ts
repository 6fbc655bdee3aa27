import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { TLS_CERTIFICATE_FILE, TLS_KEY_FILE, V2_PASSWORD_FILE } from '../../shared/names.ts';
import { readPem, type PemBlock } from '../../shared/pem.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { SignerErrorCode } from '../../shared/error-code.ts';
import { joseSign } from '../keys/jose-signature.ts';
import { DERIVATION_STEPS, openBlock } from '../keys/key-block.ts';
import { unusableFile } from '../keys/unusable-key-file.ts';
import { readCertificateChain, type CertificateChain } from './certificate-chain.ts';
import type { NotationSecret } from './notation-secret.ts';

/** Who signs envelopes: a private key, wherever it is, and the certificates over it. */
export interface EnvelopeSigner {
  readonly chain: CertificateChain;
  /**
   * Signs bytes with the algorithm of the chain.
   *
   * @returns raw r‖s, or PSS with a salt as long as the hash
   */
  readonly sign: (input: Uint8Array) => Promise<Uint8Array>;
}

/** Other than for the keys of Notary v1, of which the table of codes speaks. */
const FIXES: Partial<Record<SignerErrorCode, string>> = {
  KEY_INVALID: `Put the private key of the certificate in ${TLS_CERTIFICATE_FILE} under ${TLS_KEY_FILE} into the Secret, as PEM: PKCS#8 (plain, or encrypted with AES), PKCS#1 or SEC1.`,
  KEY_PASSWORD_MISSING: `Put the password of the key under ${V2_PASSWORD_FILE} into the Secret, or the key without encryption under ${TLS_KEY_FILE}.`,
  KEY_PASSWORD_WRONG: `Correct ${V2_PASSWORD_FILE} in the Secret, or replace a damaged ${TLS_KEY_FILE}.`,
};

/**
 * Makes the signer of a mounted Secret: its chain is checked, its key opened and compared. A step is
 * what one password takes.
 *
 * @throws SigningError CERTIFICATE_INVALID, CERTIFICATE_CHAIN_INCOMPLETE, CERTIFICATE_EXPIRED,
 * KEY_INVALID, KEY_PASSWORD_MISSING, KEY_PASSWORD_WRONG, KEY_MISMATCH
 */
export function* envelopeSigner(
  secret: NotationSecret,
  now: Date,
): Generator<undefined, EnvelopeSigner, unknown> {
  const chain = readCertificateChain(secret.certificatePem, secret.caPem, now);
  const key = yield* openKey(secret);
  const [leaf = new Uint8Array()] = chain.certificates;
  if (!isSameKey(createPublicKey(key), new X509Certificate(leaf).publicKey)) {
    const message = `the private key in ${TLS_KEY_FILE} does not belong to the first certificate of ${TLS_CERTIFICATE_FILE} (${chain.subject})`;
    throw new SigningError('KEY_MISMATCH', message);
  }
  return { chain, sign: (input) => joseSign(key, chain.algorithm, input) };
}

/** By their numbers. Of keys of two kinds, `equals` leaves an error in OpenSSL that fails the next key. */
function isSameKey(one: KeyObject, other: KeyObject): boolean {
  return isDeepStrictEqual(one.export({ format: 'jwk' }), other.export({ format: 'jwk' }));
}

function* openKey({ keyPem, password }: NotationSecret): Generator<undefined, KeyObject, unknown> {
  try {
    const block = privateBlock(keyPem);
    return yield* openBlock(block, TLS_KEY_FILE, password, { steps: DERIVATION_STEPS });
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    const { code, message, cause } = error;
    throw new SigningError(code, message, { cause, fix: FIXES[code] });
  }
}

/** @throws SigningError KEY_INVALID */
function privateBlock(pem: string): PemBlock {
  const text = readPem(pem);
  const blocks = text.blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [block, ...others] = blocks;
  if (!block) {
    const { what } = unusableFile(pem, text);
    throw new SigningError('KEY_INVALID', `${TLS_KEY_FILE} holds no private key: ${what}`);
  }
  if (others.length === 0) return block;
  const message = `${TLS_KEY_FILE} holds ${blocks.length} private keys, and the signer cannot choose`;
  throw new SigningError('KEY_INVALID', message);
}
