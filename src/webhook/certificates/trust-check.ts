import { isTrustedBy } from './certificate-chain.ts';
import { readCaBundle } from './ca-certificate.ts';
import type { CertificateCheck } from './certificate-check.ts';
import type { CertificateCluster } from './certificate-cluster.ts';
import { configurationsOf, unreadOf, type Seen } from './certificate-plan.ts';
import { whyNotValid, type KeyPair } from './tls-files.ts';

/**
 * Checks that what is served is valid, and that the API server trusts it, where somebody else sees to
 * certificates: changes nothing.
 *
 * @param file where the certificate is read
 * @param served the pair of now
 */
export function trustCheck(
  cluster: Pick<CertificateCluster, 'look'>,
  file: string,
  served: () => KeyPair,
): CertificateCheck {
  return async (signal) => {
    const { seen, problems, date } = await cluster.look(signal);
    const invalid = whyNotValid(file, served(), Date.now());
    const distrust = distrustOf(served().cert, seen, date ?? Date.now());
    return {
      problems,
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
