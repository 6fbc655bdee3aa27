import { RELEASES, ROOT, TARGETS, type RoleName, type Targets } from './metadata.ts';
import { namesTarget, type Target } from './publication.ts';
import { coversTag } from './role-choice.ts';
import { certificateEnd } from './root-certificate.ts';
import type { TrustRepository } from './trust-repository.ts';

/**
 * Programs that look up what a tag names. Each looks into roles of its own, in an order of its own:
 *
 * - `docker pull` (also run and build) with DOCKER_CONTENT_TRUST=1: `targets/releases`, then `targets`;
 * - `docker trust inspect`: both of these, and it lists what either names;
 * - `notary lookup`: `targets`, then the delegations in their order;
 * - Connaisseur for which no delegations are configured: `targets/releases` where there are
 *   delegations, whatever paths it has, and `targets` where there are none or it was never published.
 */
export type TrustClient = 'docker pull' | 'docker trust inspect' | 'notary lookup' | 'Connaisseur';

/** A reader that does not find just the image that was signed. */
export type Miss = { readonly reader: TrustClient; readonly tag: string } & (
  | { readonly sees: 'none' }
  | {
      /** Another image; or another one beside it. */
      readonly sees: 'another' | 'both';
      /** The role that names the other one. */
      readonly role: RoleName;
    }
);

/** A role that a reader looks into, and what it reads there. */
type Source = readonly [RoleName, Targets | undefined];

/** Which readers do not find just this image for its tag. Empty: all do. */
export function missesOf(repository: TrustRepository, target: Target): readonly Miss[] {
  const { targets, snapshot } = repository;
  const top: Source = [TARGETS, targets.content];
  const { roles } = targets.content.delegations;
  const covering = roles.filter((role) => coversTag(role, target.tag));
  const inOrder = [top, ...covering.map(({ name }) => readSource(repository, name))];
  const released = [RELEASES, TARGETS].flatMap((name) => inOrder.filter(([role]) => role === name));
  const isDeclared = roles.some(({ name }) => name === RELEASES);
  const isUnpublished = isDeclared && !snapshot.content.meta.has(RELEASES);
  const policed =
    roles.length === 0 || isUnpublished
      ? [top]
      : [readSource(repository, RELEASES)].filter(() => isDeclared);
  return [
    ...missOf('docker pull', target, firstOf(released, target)),
    ...missOf('docker trust inspect', target, released),
    ...missOf('notary lookup', target, firstOf(inOrder, target)),
    ...missOf('Connaisseur', target, policed),
  ];
}

function readSource({ delegations, unread }: TrustRepository, name: RoleName): Source {
  return [name, unread.has(name) ? undefined : delegations.get(name)?.content];
}

/** Readers that stop at the first role that has the tag. */
function firstOf(sources: readonly Source[], { tag }: Target): readonly Source[] {
  const first = sources.find(([, content]) => content?.targets.has(tag));
  return first ? [first] : [];
}

function missOf(reader: TrustClient, target: Target, sources: readonly Source[]): readonly Miss[] {
  const { tag } = target;
  const showing = sources.filter(([, content]) => content?.targets.has(tag));
  const [other] = showing.filter(([, content]) => !namesTarget(content, target));
  if (showing.length === 0) return [{ reader, tag, sees: 'none' }];
  if (!other) return [];
  const sees = showing.some(([, content]) => namesTarget(content, target)) ? 'both' : 'another';
  return [{ reader, tag, sees, role: other[0] }];
}

/** One sentence for people. */
export function describeMiss(miss: Miss): string {
  const { reader, tag } = miss;
  switch (miss.sees) {
    case 'none':
      return `${reader} finds no image for ${tag}`;
    case 'another':
      return `${reader} finds another image for ${tag}, that of ${miss.role}`;
    case 'both':
      return `${reader} lists two images for ${tag}: the signed one, and that of ${miss.role}`;
  }
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
