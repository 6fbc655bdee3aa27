import { isIssuedBy, type Certificate } from './certificate.ts';
import { validityProblems } from './chain-rules.ts';

/** A way from a leaf upwards. */
export interface ChainPath {
  /** The leaf first; if it reaches no end, as far as it goes. */
  readonly path: readonly Certificate[];
  readonly isComplete: boolean;
}

/**
 * Finds the issuers of a leaf, by name and signature. Where several certificates fit, as after a CA was
 * renewed, it takes those first that are valid at the moment.
 *
 * @param isEnd whether a certificate is a root to end at
 */
export function findPath(
  leaf: Certificate,
  others: readonly Certificate[],
  moment: Date,
  isEnd: (certificate: Certificate) => boolean,
): ChainPath {
  const isValid = (certificate: Certificate) =>
    validityProblems([certificate], moment).length === 0;
  const valid = others.filter(isValid);
  const candidates = [...valid, ...others.filter((other) => !valid.includes(other))];
  const seen = new Set([leaf]);
  let longest: readonly Certificate[] = [leaf];
  const climb = (
    path: readonly Certificate[],
    last: Certificate,
  ): readonly Certificate[] | undefined => {
    if (path.length > longest.length) longest = path;
    if (isEnd(last)) return path;
    for (const issuer of candidates) {
      if (seen.has(issuer) || !isIssuedBy(last, issuer)) continue;
      seen.add(issuer);
      const whole = climb([...path, issuer], issuer);
      if (whole) return whole;
    }
    return undefined;
  };
  const whole = climb([leaf], leaf);
  return { path: whole ?? longest, isComplete: whole !== undefined };
}
