import { SigningError } from '../../shared/signing-error.ts';
import { checkSignatures } from './check.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type MetadataFile,
  type RoleName,
  type Root,
} from './metadata.ts';
import type { Work } from './work.ts';
import type { TrustRepository } from './trust-repository.ts';

/**
 * The keys that were trusted before have signed the root that is served now: a root that was rotated
 * meanwhile is signed by old and new keys (TUF specification 5.3.4), any other is somebody else's.
 *
 * @throws SigningError ROOT_REPLACED
 */
export function* checkRootSuccession(
  root: MetadataFile<Root>,
  earlier: TrustRepository,
): Work<void> {
  const { content } = earlier.root;
  const threshold = content.roles.get(ROOT)?.threshold ?? 1;
  try {
    yield* checkSignatures(root, ROOT, { keyIds: earlier.rootKeyIds, threshold }, content.keys);
  } catch (cause) {
    if (!(cause instanceof SigningError)) throw cause;
    const what = `the root of ${earlier.gun} was replaced while it was being signed, and the keys of the root before it (${earlier.rootKeyIds.join(', ')}) did not sign the new one`;
    throw new SigningError('ROOT_REPLACED', what, { cause });
  }
}

/**
 * No role is served in an older version than a moment ago (TUF specification 5.3.5, 5.4.3, 5.5.5,
 * 5.6.4).
 *
 * @throws SigningError METADATA_ROLLED_BACK
 */
export function checkNotOlder(current: TrustRepository, earlier: TrustRepository): void {
  const before = versions(earlier);
  for (const [role, version] of versions(current)) {
    const last = before.get(role) ?? 0;
    if (version < last) {
      throw new SigningError(
        'METADATA_ROLLED_BACK',
        `${role}.json of ${current.gun} was served in version ${last}, and is now in ${version}`,
        { isTransient: true },
      );
    }
  }
}

function versions(repository: TrustRepository): ReadonlyMap<RoleName, number> {
  const { root, timestamp, snapshot, targets, delegations } = repository;
  const files: readonly (readonly [RoleName, MetadataFile<{ readonly version: number }>])[] = [
    [ROOT, root],
    [TIMESTAMP, timestamp],
    [SNAPSHOT, snapshot],
    [TARGETS, targets],
    ...delegations,
  ];
  return new Map(files.map(([role, { content }]) => [role, content.version]));
}
