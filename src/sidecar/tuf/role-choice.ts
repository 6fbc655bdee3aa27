import { SigningError } from '../../shared/signing-error.ts';
import type { TrustRepository } from './trust-repository.ts';
import { canonicalKeyId, type KeyId, type PublicKey } from './key.ts';
import {
  TARGETS,
  type Delegation,
  type RoleKeys,
  type RoleName,
  type Root,
  type Targets,
} from './metadata.ts';

/** A role to sign, with the ids under which it lists the keys that the signer holds. */
export interface ChosenRole {
  readonly name: RoleName;
  readonly threshold: number;
  /** Canonical id of a held key → the id that the role lists it under. */
  readonly keyIds: ReadonlyMap<KeyId, KeyId>;
  /** The tags that the role may sign. */
  readonly tags: readonly string[];
}

/** One path segment below `targets`: the signer signs no deeper delegations. */
const DIRECT_CHILD = /^targets\/[-a-z0-9_]+$/;

/**
 * The roles that sign these tags, as docker and kpack choose them: without delegations `targets`;
 * else every direct delegation whose paths cover the tag and that lists a held key. Beside
 * delegations, `targets` is signed as it is where nobody reads it any more and its keys are held.
 *
 * @param held canonical ids of the keys that the signer holds
 * @throws SigningError KEY_NOT_IN_ROLE when a tag has no such role; ROLE_THRESHOLD
 */
export function chooseRoles(
  repository: TrustRepository,
  tags: readonly string[],
  held: readonly KeyId[],
): readonly ChosenRole[] {
  const [root, targets] = [repository.root.content, repository.targets.content];
  const { roles, keys } = targets.delegations;
  const own = candidate(TARGETS, root.roles.get(TARGETS), root.keys, tags, held);
  const candidates =
    roles.length === 0
      ? [own]
      : roles
          .filter(({ name }) => DIRECT_CHILD.test(name))
          .map((role) => {
            const covered = tags.filter((tag) => coversTag(role, tag));
            return candidate(role.name, role, keys, covered, held);
          });

  const chosen = candidates.filter(({ keyIds, tags }) => keyIds.size > 0 && tags.length > 0);
  const uncovered = tags.filter((tag) => !chosen.some((role) => role.tags.includes(tag)));
  if (uncovered.length > 0) {
    throw new SigningError(
      'KEY_NOT_IN_ROLE',
      `no role lets the keys of the signing Secret (${held.join(', ')}) sign ${uncovered.join(', ')}; ` +
        describeRoles(root, targets),
    );
  }
  for (const { name, threshold, keyIds } of chosen) {
    if (keyIds.size < threshold) {
      throw new SigningError(
        'ROLE_THRESHOLD',
        `${name} needs ${threshold} signatures, and the signing Secret holds ${keyIds.size} of its keys`,
      );
    }
  }
  const isRenewed =
    roles.length > 0 && repository.unread.has(TARGETS) && own.keyIds.size >= own.threshold;
  return isRenewed ? [...chosen, { ...own, tags: [] }] : chosen;
}

function candidate(
  name: RoleName,
  role: RoleKeys | undefined,
  keys: ReadonlyMap<KeyId, PublicKey>,
  tags: readonly string[],
  held: readonly KeyId[],
): ChosenRole {
  const keyIds = new Map<KeyId, KeyId>();
  for (const listed of role?.keyIds ?? []) {
    const canonical = canonicalIdOf(listed, keys);
    if (held.includes(canonical)) keyIds.set(canonical, listed);
  }
  return { name, threshold: role?.threshold ?? 1, keyIds, tags };
}

/** Whether a role lists a held key, whatever it may sign. */
export function listsAny(
  role: RoleKeys,
  keys: ReadonlyMap<KeyId, PublicKey>,
  held: readonly KeyId[],
): boolean {
  return role.keyIds.some((id) => held.includes(canonicalIdOf(id, keys)));
}

/** Whether a delegation may sign a tag; readers ignore what it signs beyond that. */
export function coversTag({ paths }: Delegation, tag: string): boolean {
  return paths.some((path) => tag.startsWith(path));
}

function canonicalIdOf(listed: KeyId, keys: ReadonlyMap<KeyId, PublicKey>): KeyId {
  const key = keys.get(listed);
  return (key && canonicalKeyId(key)) ?? listed;
}

function describeRoles(root: Root, { delegations }: Targets): string {
  const describe = (name: string, role: RoleKeys, keys: ReadonlyMap<KeyId, PublicKey>) =>
    `${name} (threshold ${role.threshold}) lists ${role.keyIds.map((id) => canonicalIdOf(id, keys)).join(', ') || 'no keys'}`;
  const targets = root.roles.get(TARGETS);
  if (delegations.roles.length === 0) {
    return targets ? describe(TARGETS, targets, root.keys) : 'there is no targets role';
  }
  const described = delegations.roles.map((role) => {
    const text = `${describe(role.name, role, delegations.keys)} for ${describePaths(role)}`;
    return DIRECT_CHILD.test(role.name) ? text : `${text}, but is no direct delegation`;
  });
  return [...described, 'targets itself signs nothing where there are delegations'].join('; ');
}

function describePaths({ paths }: Delegation): string {
  if (paths.includes('')) return 'all tags';
  return paths.length === 0 ? 'no tags' : `tags that begin with ${paths.join(' or ')}`;
}
