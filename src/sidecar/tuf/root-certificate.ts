import type { X509Certificate } from 'node:crypto';
import type { Gun } from '../../shared/image-reference.ts';
import { command } from '../../shared/shell-command.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { isAuthority, isInDate, isStrong } from './certificate.ts';
import {
  canonicalKeyId,
  certificatesOf,
  SMALLEST_RSA_MODULUS,
  type KeyId,
  type PublicKey,
} from './key.ts';
import { ROOT, type Root } from './metadata.ts';

/**
 * What to do about a certificate above the leaf. The tools do not read the repository any more, so
 * that none of them can rotate its root key.
 */
function chainFix(gun: Gun): string {
  const anew = command`notary -s <url> delete ${gun} --remote && notary -s <url> init ${gun} && notary -s <url> key rotate ${gun} snapshot -r`;
  return (
    'No client reads the repository any more, and no command renews such a certificate. ' +
    `Make the trust data anew: ${anew}, then build again.`
  );
}

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
  const sound: [KeyId, PublicKey][] = [];
  const flaws: SigningError[] = [];
  for (const [id, key] of pinned) {
    const flaw = flawOf(key, gun, now);
    if (flaw) flaws.push(flaw);
    else sound.push([id, key]);
  }
  const [first] = flaws;
  if (first && sound.length === 0) throw first;
  return new Map(sound);
}

/**
 * Why the reference client does not take a root key that is named for the repository. It leaves out
 * what is wrong of the certificates above the leaf, which makes a key with another id.
 */
function flawOf(key: PublicKey, gun: Gun, now: Date): SigningError | undefined {
  const certificates = chainOf(key);
  for (const [i, certificate] of certificates.entries()) {
    const which =
      i === 0
        ? `the root certificate of ${gun}`
        : `certificate ${i + 1} of ${certificates.length} of the root key of ${gun} (${lastCommonName(certificate) ?? 'nameless'})`;
    const options = i === 0 ? {} : { fix: chainFix(gun) };
    if (!isInDate(certificate, now)) {
      const message = `${which} is not valid at ${now.toISOString()}`;
      return new SigningError('METADATA_EXPIRED', message, options);
    }
    if (!isStrong(certificate)) {
      const message = `${which} uses SHA-1, an RSA key under ${SMALLEST_RSA_MODULUS} bits, or a curve that Notary does not know`;
      return new SigningError('METADATA_INVALID', message, options);
    }
  }
  return undefined;
}

/** When the first certificate of a root key ends; undefined where it has none that counts. */
export function certificateEnd(key: PublicKey): Date | undefined {
  const ends = chainOf(key).map(({ validTo }) => Date.parse(validTo));
  return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}

/**
 * The certificates that speak for a root key, if any do: the first, whose key is the one that signs, is
 * the only one that is no CA, as the reference client wants it.
 */
function chainOf(key: PublicKey): readonly X509Certificate[] {
  const certificates = certificatesOf(key);
  try {
    const isChain = certificates.every((each, i) => isAuthority(each) === i > 0);
    return isChain ? certificates : [];
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function commonName(key: PublicKey): string | undefined {
  const [leaf] = chainOf(key);
  return leaf && lastCommonName(leaf);
}

/** Of several common names, the last counts for the reference client. */
function lastCommonName({ subject }: X509Certificate): string | undefined {
  const name = subject.split('\n').findLast((part) => part.startsWith('CN='));
  return name?.slice('CN='.length);
}

function isNamedFor(key: PublicKey, gun: Gun): boolean {
  const name = commonName(key);
  if (name === undefined) return false;
  return name.endsWith('*') ? gun.startsWith(name.replace(/(?<!\*)\*+$/, '')) : name === gun;
}
