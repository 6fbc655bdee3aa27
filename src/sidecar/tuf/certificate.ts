import type { X509Certificate } from 'node:crypto';
import {
  BOOLEAN,
  contentOf,
  identifierOf,
  OCTET_STRING,
  readDer,
  sequenceOf,
} from '../../shared/der.ts';
import { isNotaryKey } from './key.ts';

/** Object identifier of the basic constraints, the hex of its content. */
const BASIC_CONSTRAINTS = '551d13';
/** The tag of the extensions within a certificate. */
const EXTENSIONS = 0xa3;
/** Object identifiers of signatures over SHA-1: by RSA (two of them), ECDSA and DSA. */
const SHA1_SIGNATURES = ['2a864886f70d010105', '2b0e03021d', '2a8648ce3d0401', '2a8648ce380403'];
/** How far in the future a certificate may begin: the reference client grants a day. */
const CLOCK_GRACE_MS = 24 * 60 * 60 * 1000;

/**
 * Whether a certificate says that it is a CA, as the reference client asks: by its basic constraints
 * alone. `X509Certificate.ca` asks for its key usage as well.
 *
 * @throws RangeError when the certificate is no DER
 */
export function isAuthority({ raw }: X509Certificate): boolean {
  const [body] = sequenceOf(readDer(raw)[0]);
  const extensions = sequenceOf(body).find(({ tag }) => tag === EXTENSIONS);
  if (!extensions) return false;
  const [list] = readDer(extensions.content);
  const constraints = sequenceOf(list)
    .map(sequenceOf)
    .find(([identifier]) => identifierOf(identifier) === BASIC_CONSTRAINTS);
  if (!constraints) return false;
  const [first] = sequenceOf(readDer(contentOf(constraints.at(-1), OCTET_STRING))[0]);
  return first?.tag === BOOLEAN && first.content.some((octet) => octet !== 0);
}

/** Whether a certificate is good at a moment; one that ends before it begins never is. */
export function isInDate({ validFrom, validTo }: X509Certificate, now: Date): boolean {
  const [begins, ends] = [Date.parse(validFrom), Date.parse(validTo)];
  return begins <= ends && begins - CLOCK_GRACE_MS <= now.getTime() && now.getTime() <= ends;
}

/** Whether the reference client takes key and signature of a certificate. */
export function isStrong(certificate: X509Certificate): boolean {
  const [, algorithm] = sequenceOf(readDer(certificate.raw)[0]);
  const identifier = identifierOf(sequenceOf(algorithm)[0]);
  return !SHA1_SIGNATURES.includes(identifier) && hasNotaryKey(certificate);
}

function hasNotaryKey(certificate: X509Certificate): boolean {
  try {
    return isNotaryKey(certificate.publicKey);
  } catch {
    // The key is damaged, or of an algorithm that OpenSSL does not know.
    return false;
  }
}
