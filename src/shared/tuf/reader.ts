import { RELEASES, ROOT, TARGETS, type RoleName, type Targets } from './metadata.ts';
import { names, type Target } from './publication.ts';
import { covers } from './role-choice.ts';
import { certificateEnd } from './root-certificate.ts';
import type { TrustRepository } from './verify.ts';

/**
 * Which readers do not find a target that is signed, since roles are looked into in an order: one
 * sentence each, for people. Empty: all find it.
 */
export function whoMisses(repository: TrustRepository, target: Target): readonly string[] {
  const { targets, delegations, unread } = repository;
  const inOrder: [RoleName, Targets | undefined][] = [
    [TARGETS, targets.content],
    ...targets.content.delegations.roles
      .filter((role) => covers(role, target.tag))
      .map(({ name }): [RoleName, Targets | undefined] => [
        name,
        unread.has(name) ? undefined : delegations.get(name)?.content,
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

/** Owners of a root key may need weeks to bring it out of its safe. */
const EARLY_MS = 180 * 24 * 60 * 60 * 1000;

/**
 * Which files, and root certificates, run out within 180 days, whoever has to sign them again: one
 * sentence each. Snapshot and timestamp are the server's.
 */
export function expiryWarnings(repository: TrustRepository, now: Date): readonly string[] {
  const { root, rootKeyIds, targets, delegations } = repository;
  const certificates = rootKeyIds.flatMap((id): [string, number][] => {
    const key = root.content.keys.get(id);
    const end = key && certificateEnd(key);
    return end ? [[`the certificate of root key ${id}`, end.getTime()]] : [];
  });
  const files = [[ROOT, root], [TARGETS, targets], ...delegations] as const;
  const ends = files.map(([role, { content }]): [string, number] => [
    `${role}.json`,
    Date.parse(content.expires),
  ]);
  return [...ends, ...certificates]
    .filter(([, end]) => end - now.getTime() < EARLY_MS)
    .map(([what, end]) => {
      const verb = end <= now.getTime() ? 'expired' : 'expires';
      return `${what} ${verb} at ${new Date(end).toISOString()}`;
    });
}
