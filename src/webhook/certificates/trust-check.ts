import { X509Certificate } from 'node:crypto';
import { readCaBundle, readCaCertificates, type CaCertificate } from './ca-certificate.ts';
import type { CertificateCheck } from './certificate-check.ts';
import type { CertificateCluster } from './certificate-cluster.ts';
import { configurationsOf, unreadOf, type Seen } from './certificate-plan.ts';
import { whyNotValid, type KeyPair } from './tls-files.ts';

/**
 * Checks that what is served is valid, and that the API server trusts it, where somebody else sees to
 * certificates: changes nothing.
 *
 * @param cluster undefined: there is no API server that would have to
 * @param file where the certificate is read
 * @param served the pair of now
 */
export function trustCheck(
  cluster: Pick<CertificateCluster, 'look'> | undefined,
  file: string,
  served: () => KeyPair,
): CertificateCheck {
  return async (signal) => {
    const look = await cluster?.look(signal);
    const { cert } = served();
    const invalid = whyNotValid(file, cert, Date.now());
    const distrust = look && distrustOf(cert, look.seen, look.date ?? Date.now());
    return {
      problems: look?.problems ?? [],
      missing: {
        ...(invalid !== undefined && { certificate: invalid }),
        ...(distrust !== undefined && { 'ca-bundle': distrust }),
      },
    };
  };
}

/** Why the API server would refuse a chain, in words; undefined where it would not. */
export function distrustOf(chain: string, seen: Seen, now: number): string | undefined {
  const unread = unreadOf(seen);
  if (unread !== undefined) return unread;
  for (const { kind, name, entries } of configurationsOf(seen)) {
    for (const entry of entries) {
      const where = `${entry.name} of the ${kind} ${name}`;
      if (entry.caBundle === '') return `the caBundle of ${where} is empty`;
      if (!isTrustedBy(chain, readCaBundle(entry.caBundle), now)) {
        return `the caBundle of ${where} does not trust the certificate that is served`;
      }
    }
  }
  return undefined;
}

/** Longer than chains that are in use. */
const LONGEST = 8;

/**
 * Whether whoever trusts these certificates accepts a chain, as far as its dates and signatures tell.
 *
 * @param chain PEM: a serving certificate, then those between it and a trusted one, in any order
 * @param now in ms since 1970
 */
function isTrustedBy(chain: string, trusted: readonly CaCertificate[], now: number): boolean {
  const valid = (all: readonly CaCertificate[]) =>
    all.filter(({ begins, ends }) => begins <= now && now < ends);
  const [leaf, ...between] = readCaCertificates(chain);
  if (!leaf || valid([leaf]).length === 0) return false;
  const [anchors, links] = [valid(trusted), valid(between)].map((all) =>
    all.map(({ pem }) => new X509Certificate(pem)),
  );
  const issuersOf = (certificate: X509Certificate, issuers: readonly X509Certificate[]) =>
    issuers.filter(
      (issuer) =>
        certificate.raw.equals(issuer.raw) ||
        (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)),
    );
  let reached: readonly X509Certificate[] = [new X509Certificate(leaf.pem)];
  for (let length = 0; length < LONGEST && reached.length > 0; length += 1) {
    if (reached.some((one) => issuersOf(one, anchors ?? []).length > 0)) return true;
    reached = reached.flatMap((one) =>
      issuersOf(one, links ?? []).filter((issuer) => !issuer.raw.equals(one.raw)),
    );
  }
  return false;
}
