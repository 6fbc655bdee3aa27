import {
  formatTagReference,
  parseTagReference,
  sameTag,
  type Gun,
} from '../shared/image-reference.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { Target } from '../shared/tuf/publication.ts';
import type { BuildReport } from './report.ts';

/** What is to be signed in one repository. */
export interface RepositoryPlan {
  readonly gun: Gun;
  readonly targets: readonly Target[];
}

/** What is to be signed: every tag once, by repository, in the order of the report. */
export type SigningPlan = readonly RepositoryPlan[];

/**
 * Groups the tags of a report by repository, after checking that each is one of the Build's.
 *
 * @param allowedTags the tags of the Build; empty: any
 * @throws SigningError IMAGE_REFERENCE_INVALID, TAG_NOT_ALLOWED
 */
export function planSigning(report: BuildReport, allowedTags: readonly string[]): SigningPlan {
  const allowed = allowedTags.map(parseTagReference);
  const references = report.tags.map(parseTagReference);
  const foreign = references.filter(
    (reference) => allowed.length > 0 && !allowed.some((tag) => sameTag(tag, reference)),
  );
  if (foreign.length > 0) {
    throw new SigningError(
      'TAG_NOT_ALLOWED',
      `the report names ${foreign.map(formatTagReference).join(', ')}; ` +
        `the Build has ${allowed.map(formatTagReference).join(', ')}`,
    );
  }
  const tagsByGun = new Map<Gun, Set<string>>();
  for (const { gun, tag } of references) {
    tagsByGun.set(gun, (tagsByGun.get(gun) ?? new Set()).add(tag));
  }
  return [...tagsByGun].map(([gun, tags]) => ({
    gun,
    targets: [...tags].map((tag) => ({
      tag,
      sha256: report.sha256,
      length: report.manifestSize,
    })),
  }));
}
