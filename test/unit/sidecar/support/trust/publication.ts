/** Publications to built repositories, from the choice of roles to the signed files. */
import {
  editRoles,
  signEdits,
  type Publication,
  type Target,
} from '../../../../../src/sidecar/tuf/publication.ts';
import { chooseRoles } from '../../../../../src/sidecar/tuf/role-choice.ts';
import type { DraftObject } from '../../../../support/trust/draft.ts';
import { asSigningKey, makeKey, type TestKey } from '../../../../support/trust/key.ts';
import {
  buildRepository,
  NOW,
  RELEASES,
  type RepositoryOptions,
} from '../../../../support/trust/repository.ts';
import { verifyBuilt } from './verification.ts';
import type { TrustRepository } from '../../../../../src/sidecar/tuf/trust-repository.ts';

/** A repository whose releases we may sign. */
export function releaseRepository(
  options: RepositoryOptions & { key?: TestKey; entries?: DraftObject } = {},
) {
  const key = options.key ?? makeKey();
  const built = buildRepository({
    ...options,
    delegations: options.delegations ?? [
      { name: RELEASES, keys: [key], ...(options.entries && { targets: options.entries }) },
    ],
  });
  return { key, built, repository: verifyBuilt(built) };
}

/** The roles that we, holding these keys, would sign. */
export function choose(
  repository: TrustRepository,
  tags: readonly string[],
  keys: readonly TestKey[],
) {
  const held = keys.map(({ canonicalId }) => canonicalId);
  return chooseRoles(repository, tags, held);
}

/** What we, holding these keys, would publish. */
export async function publish(
  repository: TrustRepository,
  targets: readonly Target[],
  keys: readonly TestKey[],
): Promise<Publication> {
  const roles = choose(
    repository,
    targets.map(({ tag }) => tag),
    keys,
  );
  return signEdits(editRoles(repository, roles, targets, NOW), keys.map(asSigningKey));
}
