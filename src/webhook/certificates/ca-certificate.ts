import { X509Certificate } from 'node:crypto';
import { formatPem, readPem } from '../../shared/pem.ts';

/** A certificate that others are verified by, as far as it is looked at. Times in ms since 1970. */
export interface CaCertificate {
  /** One block of PEM; equal certificates have equal text. */
  readonly pem: string;
  /** SHA-256 of its DER, in hex with colons. */
  readonly fingerprint: string;
  readonly begins: number;
  readonly ends: number;
}

/** By how much the clocks of replicas and API servers may differ without harm. */
export const CLOCK_TOLERANCE_MS = 24 * 3600_000;
/** How many certificates a bundle has at most: garbage must not make it grow without end. */
export const MOST_TRUSTED = 16;
/** More than any certificate has that is in use as a CA; bytes of DER. */
const LARGEST = 6 * 1024;
/** Blocks of one text that are looked at. */
const MOST_READ = 64;

/**
 * The certificates of a PEM text, as Go reads them: blocks of another name, with headers, or
 * without lines of their own count for nothing there. What cannot be parsed, or is far too long, is left out.
 */
export function readCaCertificates(text: string): readonly CaCertificate[] {
  const found = readPem(text).blocks.filter(
    ({ label, headers, bytes, hasOwnLines }) =>
      label === 'CERTIFICATE' && headers.size === 0 && hasOwnLines && bytes.length <= LARGEST,
  );
  return withoutDoubles(found.slice(0, MOST_READ).flatMap((block) => readOne(formatPem(block))));
}

/** The same few are met at every look, and take long to parse. */
const parsed = new Map<string, CaCertificate>();
const MOST_PARSED = 64;

function readOne(pem: string): readonly CaCertificate[] {
  const known = parsed.get(pem);
  if (known) return [known];
  try {
    const { fingerprint256, validFrom, validTo } = new X509Certificate(pem);
    const [begins, ends] = [Date.parse(validFrom), Date.parse(validTo)];
    const certificate = { pem, fingerprint: fingerprint256, begins, ends };
    if (parsed.size >= MOST_PARSED) parsed.clear();
    parsed.set(pem, certificate);
    return [certificate];
  } catch {
    return [];
  }
}

/** A `caBundle` as it stands in a webhook configuration: base64 of PEM. */
export function readCaBundle(caBundle: string): readonly CaCertificate[] {
  return readCaCertificates(Buffer.from(caBundle, 'base64').toString());
}

/**
 * The `caBundle` that trusts these certificates: the same text for the same set, so that replicas never
 * write over each other for the sake of order.
 */
export function formatCaBundle(certificates: readonly CaCertificate[]): string {
  return Buffer.from(formatCaCertificates(certificates)).toString('base64');
}

/** The same as PEM. */
export function formatCaCertificates(certificates: readonly CaCertificate[]): string {
  return inOrder(withoutDoubles(certificates))
    .map(({ pem }) => pem)
    .join('');
}

/**
 * What is to be trusted: as much as a bundle may have, of the first list first, and of each the one
 * that ends last first. What ended longer ago than clocks may differ is let go.
 *
 * @param needed always trusted, first of all: a clock may be wrong by years
 */
export function trustedOf(
  needed: readonly CaCertificate[],
  lists: readonly (readonly CaCertificate[])[],
  now: number,
): readonly CaCertificate[] {
  const others = lists.flatMap((list) => inOrder(list));
  const living = others.filter(({ ends }) => now < ends + CLOCK_TOLERANCE_MS);
  return withoutDoubles([...needed, ...living]).slice(0, MOST_TRUSTED);
}

/** The one that ends last comes first. */
export function inOrder<Of extends CaCertificate>(certificates: readonly Of[]): readonly Of[] {
  return certificates.toSorted(
    (a, b) => b.ends - a.ends || (a.fingerprint < b.fingerprint ? -1 : 1),
  );
}

export function withoutDoubles<Of extends CaCertificate>(
  certificates: readonly Of[],
): readonly Of[] {
  return [...new Map(certificates.map((one) => [one.fingerprint, one])).values()];
}
