import {
  formatTagReference,
  parseTagReference,
  sameTag,
  type Gun,
  type TagReference,
} from '../../shared/image-reference.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { Manifest, Target } from '../tuf/publication.ts';

/** The tags of an image, each once. */
export type Tags = readonly [TagReference, ...TagReference[]];

export interface RepositoryPlan {
  readonly gun: Gun;
  readonly targets: readonly Target[];
}

/**
 * Reads the tags to sign, and checks that each is one of the Build's.
 *
 * @param allowedTags the tags of the Build; empty: any
 * @throws SigningError REPORT_WITHOUT_TAGS, IMAGE_REFERENCE_INVALID, TAG_NOT_ALLOWED
 */
export function readTags(tags: readonly string[], allowedTags: readonly string[]): Tags {
  const allowed = allowedTags.map(parseTagReference);
  const references = tags.map(parseTagReference);
  const foreign = references.filter(
    (reference) => allowed.length > 0 && !allowed.some((tag) => sameTag(tag, reference)),
  );
  if (foreign.length > 0) {
    throw new SigningError(
      'TAG_NOT_ALLOWED',
      `asked to sign ${foreign.map(formatTagReference).join(', ')}; ` +
        `the Build has ${allowed.map(formatTagReference).join(', ')}`,
    );
  }
  const distinct = new Map(references.map((tag) => [formatTagReference(tag), tag]));
  const [first, ...others] = distinct.values();
  if (!first) throw new SigningError('REPORT_WITHOUT_TAGS', 'report.toml has no image.tags');
  return [first, ...others];
}

/** What is to be signed: every tag once, by repository, in the order of the report. */
export function planSigning(tags: Tags, manifest: Manifest): readonly RepositoryPlan[] {
  const targets = new Map<Gun, Target[]>();
  for (const { gun, tag } of tags) {
    targets.set(gun, [...(targets.get(gun) ?? []), { tag, ...manifest }]);
  }
  return [...targets].map(([gun, targets]) => ({ gun, targets }));
}
