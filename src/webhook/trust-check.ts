import { isTrustedBy } from './certificate-chain.ts';
import { readCaBundle } from './ca-certificate.ts';
import type { CertificateCheck } from './certificate-check.ts';
import type { CertificateCluster } from './certificate-cluster.ts';
import { configurationsOf, unreadOf, type Seen } from './certificate-plan.ts';

/**
 * Checks that the API server trusts what is served, where somebody else sees to certificates: changes
 * nothing.
 *
 * @param chain what is served now: PEM
 */
export function trustCheck(
  cluster: Pick<CertificateCluster, 'look'>,
  chain: () => string,
): CertificateCheck {
  return async (signal) => {
    const { seen, problems, date } = await cluster.look(signal);
    const why = distrustOf(chain(), seen, date ?? Date.now());
    return { problems, missing: why === undefined ? {} : { 'ca-bundle': why } };
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
