import { TARGETS, type RoleName, type Targets } from './metadata.ts';
import { names, type Target } from './publication.ts';
import type { TrustRepository } from './verify.ts';

/** The role that `docker pull` and `docker trust inspect` look into before `targets`. */
const RELEASES = `${TARGETS}/releases` as RoleName;

/**
 * Which readers do not find a target that is signed, since roles are looked into in an order: one
 * sentence each, for people. Empty: all find it.
 */
export function whoMisses(repository: TrustRepository, target: Target): readonly string[] {
  const { targets, delegations } = repository;
  const inOrder: [RoleName, Targets | undefined][] = [
    [TARGETS, targets.content],
    ...targets.content.delegations.roles.map(({ name }): [RoleName, Targets | undefined] => [
      name,
      delegations.get(name)?.content,
    ]),
  ];
  const first = (roles: typeof inOrder) => roles.find(([, role]) => role?.targets.has(target.tag));
  const find = (reader: string, roles: typeof inOrder): string[] => {
    const [role, content] = first(roles) ?? [];
    if (role === undefined) return [`${reader} does not show ${target.tag}`];
    return names(content, target) ? [] : [`${reader} shows another ${target.tag}, that of ${role}`];
  };
  const dockers = [RELEASES, TARGETS].flatMap((name) => inOrder.filter(([role]) => role === name));
  return [...find('docker', dockers), ...find('notary lookup', inOrder)];
}
