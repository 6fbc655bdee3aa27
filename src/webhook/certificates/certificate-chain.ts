import { X509Certificate } from 'node:crypto';
import { readCaCertificates, type CaCertificate } from './ca-certificate.ts';

/** Longer than chains that are in use. */
const LONGEST = 8;

/**
 * Whether whoever trusts these certificates accepts a chain, as far as its dates and signatures tell.
 *
 * @param chain PEM: a serving certificate, then those between it and a trusted one, in any order
 * @param now in ms since 1970
 */
export function isTrustedBy(
  chain: string,
  trusted: readonly CaCertificate[],
  now: number,
): boolean {
  const valid = (all: readonly CaCertificate[]) =>
    all.filter(({ begins, ends }) => begins <= now && now < ends);
  const [leaf, ...between] = readCaCertificates(chain);
  if (!leaf || valid([leaf]).length === 0) return false;
  const [anchors, links] = [valid(trusted), valid(between)].map((all) =>
    all.map(({ pem }) => new X509Certificate(pem)),
  );
  const isIssuedByOneOf = (certificate: X509Certificate, issuers: readonly X509Certificate[]) =>
    issuers.filter(
      (issuer) =>
        certificate.raw.equals(issuer.raw) ||
        (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)),
    );
  let reached: readonly X509Certificate[] = [new X509Certificate(leaf.pem)];
  for (let length = 0; length < LONGEST && reached.length > 0; length += 1) {
    if (reached.some((one) => isIssuedByOneOf(one, anchors ?? []).length > 0)) return true;
    reached = reached.flatMap((one) =>
      isIssuedByOneOf(one, links ?? []).filter((issuer) => !issuer.raw.equals(one.raw)),
    );
  }
  return false;
}
