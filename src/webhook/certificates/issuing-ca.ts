import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { curveOf } from '../../shared/curve.ts';
import { formatPem, readPem } from '../../shared/pem.ts';
import {
  formatCaCertificates,
  inOrder,
  MOST_TRUSTED,
  readCaCertificates,
  trustedOf,
  type CaCertificate,
} from './ca-certificate.ts';

/** A CA certificate together with its private key: what leaves are issued by. */
export interface IssuingCa extends CaCertificate {
  /** PEM, PKCS#8. Never leaves this process but into the Secret. */
  readonly key: string;
}

/** What the CA's Secret says. */
export interface StoredTrust {
  /** Those that can issue, the one that ends last first. */
  readonly issuers: readonly IssuingCa[];
  /** All certificates there: what somebody may still serve a leaf of. */
  readonly certificates: readonly CaCertificate[];
}

/** Entries of the Secret: certificates, and private keys of some of them, each a PEM text. */
const CERTIFICATES_ENTRY = 'ca.crt';
const KEYS_ENTRY = 'ca.key';
/** Keys of a text that are tried. */
const MOST_KEYS = 16;

/** Entries of a Secret, base64, as the API has them. */
export type SecretData = Readonly<Record<string, string>>;

/**
 * Reads the Secret, whoever wrote it: a CA is a certificate that may issue, and the key that
 * belongs to it. What is none is left out, and counts for trust at most.
 */
export function readStoredTrust(data: SecretData): StoredTrust {
  const text = (entry: string) => Buffer.from(data[entry] ?? '', 'base64').toString();
  const certificates = readCaCertificates(text(CERTIFICATES_ENTRY));
  const keys = readKeys(text(KEYS_ENTRY));
  const issuers = certificates.flatMap((certificate) => {
    const parsed = new X509Certificate(certificate.pem);
    if (!mayIssue(parsed)) return [];
    const key = keys.find((one) => parsed.checkPrivateKey(one));
    return key ? [{ ...certificate, key: pkcs8(key) }] : [];
  });
  return { issuers: inOrder(issuers), certificates };
}

/**
 * The entries that hold a new CA beside what is worth keeping; other entries stay.
 *
 * @param now the time, in ms since 1970: what ended long ago goes
 */
export function withCa(
  data: SecretData,
  added: IssuingCa,
  { issuers, certificates }: StoredTrust,
  now: number,
): SecretData {
  const kept = trustedOf([added], [issuers, certificates], now);
  const keys = [added, ...issuers]
    .filter(({ fingerprint }) => kept.some((one) => one.fingerprint === fingerprint))
    .slice(0, MOST_TRUSTED)
    .map(({ key }) => key);
  const entry = (pem: string) => Buffer.from(pem).toString('base64');
  return {
    ...data,
    [CERTIFICATES_ENTRY]: entry(formatCaCertificates(kept)),
    [KEYS_ENTRY]: entry(keys.join('')),
  };
}

/** Whether a leaf that it issues now is good: until its issuer begins, a leaf is refused as well. */
export function isCurrent({ begins, ends }: CaCertificate, now: number): boolean {
  return begins <= now && now < ends;
}

/**
 * A root with a key of the one kind that is used here. Node says that a certificate is a CA when
 * its basic constraints do, and its key usage, where it has one, allows to sign certificates.
 */
function mayIssue(certificate: X509Certificate): boolean {
  try {
    return (
      certificate.ca &&
      isP256(certificate.publicKey) &&
      // A leaf names its issuer; OpenSSL refuses one that has no name.
      Boolean(certificate.subject) &&
      certificate.checkIssued(certificate) &&
      certificate.verify(certificate.publicKey)
    );
  } catch {
    return false;
  }
}

function readKeys(text: string): readonly KeyObject[] {
  const blocks = readPem(text).blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  return blocks.slice(0, MOST_KEYS).flatMap((block) => {
    try {
      const key = createPrivateKey(formatPem(block));
      return isP256(key) ? [key] : [];
    } catch {
      return [];
    }
  });
}

function isP256(key: KeyObject): boolean {
  return curveOf(key) === 'prime256v1';
}

function pkcs8(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}
