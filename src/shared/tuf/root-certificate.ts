import { SigningError } from '../signing-error.ts';
import type { Gun } from '../image-reference.ts';
import {
  canonicalKeyId,
  certificatesOf,
  SMALLEST_RSA_MODULUS,
  type KeyId,
  type PublicKey,
} from './key.ts';
import type { X509Certificate } from 'node:crypto';
import type { Root } from './metadata.ts';
import { ROOT } from './metadata.ts';

/** How far in the future a certificate may begin: clocks differ, and the reference client grants it. */
const CLOCK_GRACE_MS = 24 * 60 * 60 * 1000;
/** DER object identifiers of sha1WithRSAEncryption and ecdsa-with-SHA1. */
const SHA1_SIGNATURES = ['2a864886f70d010105', '2a8648ce3d0401'].map((hex) =>
  Buffer.from(hex, 'hex'),
);

/**
 * The root keys that may speak for this repository: certificates in date whose common name is the
 * GUN (or a prefix of it that ends in `*`), pinned where pins are given. Nothing but that name ties
 * metadata to a GUN.
 *
 * @param pins ids of root keys, TUF or canonical; empty: trust on first use
 * @throws SigningError ROOT_NAME_MISMATCH, ROOT_PIN_MISMATCH, METADATA_EXPIRED, METADATA_INVALID
 */
export function trustedRootKeys(
  root: Root,
  gun: Gun,
  pins: readonly string[],
  now: Date,
): ReadonlyMap<KeyId, PublicKey> {
  const listed = (root.roles.get(ROOT)?.keyIds ?? []).flatMap((id): [KeyId, PublicKey][] => {
    const key = root.keys.get(id);
    return key ? [[id, key]] : [];
  });
  const named = listed.filter(([, key]) => isNamedFor(key, gun));
  if (named.length === 0) {
    const names = listed.map(([, key]) => commonName(key) ?? 'no certificate').join(', ');
    throw new SigningError(
      'ROOT_NAME_MISMATCH',
      `root.json of ${gun} is certified for another name: ${names || 'no root key at all'}`,
    );
  }
  const pinned = named.filter(
    ([id, key]) =>
      pins.length === 0 || pins.includes(id) || pins.includes(canonicalKeyId(key) ?? id),
  );
  if (pinned.length === 0) {
    throw new SigningError(
      'ROOT_PIN_MISMATCH',
      `the root keys of ${gun} are ${named.map(([id]) => id).join(', ')}; pinned: ${pins.join(', ')}`,
    );
  }
  const inDate = pinned.filter(([, key]) => isInDate(key, now));
  if (inDate.length === 0) {
    throw new SigningError(
      'METADATA_EXPIRED',
      `the root certificate of ${gun} is not valid at ${now.toISOString()}`,
    );
  }
  const strong = inDate.filter(([, key]) => isStrong(key));
  if (strong.length === 0) {
    throw new SigningError(
      'METADATA_INVALID',
      `the root certificate of ${gun} uses SHA-1 or an RSA key under ${SMALLEST_RSA_MODULUS} bits`,
    );
  }
  return new Map(strong);
}

/** When the certificate of a root key ends; undefined where the key has none that we trust. */
export function certificateEnd(key: PublicKey): Date | undefined {
  const certificate = leafCertificate(key);
  return certificate && new Date(certificate.validTo);
}

/**
 * The certificate that speaks for a root key: the first, whose key is the one that signs, and the
 * only one that is no CA, as the reference client wants it.
 */
function leafCertificate(key: PublicKey): X509Certificate | undefined {
  const [first, ...others] = certificatesOf(key);
  return first && !first.ca && others.every(({ ca }) => ca) ? first : undefined;
}

function commonName(key: PublicKey): string | undefined {
  const subject = leafCertificate(key)?.subject.split('\n') ?? [];
  return subject.find((part) => part.startsWith('CN='))?.slice('CN='.length);
}

function isNamedFor(key: PublicKey, gun: Gun): boolean {
  const name = commonName(key);
  if (name === undefined) return false;
  return name.endsWith('*') ? gun.startsWith(name.slice(0, -1)) : name === gun;
}

function isInDate(key: PublicKey, now: Date): boolean {
  const certificate = leafCertificate(key);
  if (!certificate) return false;
  const begins = Date.parse(certificate.validFrom) - CLOCK_GRACE_MS;
  return begins <= now.getTime() && now.getTime() <= Date.parse(certificate.validTo);
}

function isStrong(key: PublicKey): boolean {
  const certificate = leafCertificate(key);
  if (!certificate) return false;
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  if (SHA1_SIGNATURES.some((identifier) => certificate.raw.includes(identifier))) return false;
  return (
    asymmetricKeyType !== 'rsa' ||
    (asymmetricKeyDetails?.modulusLength ?? 0) >= SMALLEST_RSA_MODULUS
  );
}
