import { formatTagReference, type Gun, type TagReference } from '../../shared/image-reference.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { Manifest } from '../tuf/publication.ts';
import { createRegistryClient, type RegistryClient } from './registry-client.ts';
import type { RegistryAccess } from './registry-connection.ts';
import type { Tags } from './signing-plan.ts';

/**
 * The size of a manifest whose digest is known. Every repository of the image has it: where one does
 * not say it, the next is asked.
 *
 * @throws SigningError as {@link RegistryClient.manifest}: that of the last, when all fail
 */
export async function lookUpSize(
  sha256: string,
  [tag, ...others]: Tags,
  access: RegistryAccess,
): Promise<Manifest> {
  const { log, signal } = access;
  try {
    const manifest = await createRegistryClient(tag.gun, access).manifest({ sha256 });
    log.step(`the registry says: ${tag.gun}@sha256:${sha256} has ${manifest.length} bytes`);
    return manifest;
  } catch (error) {
    const [next, ...rest] = others.filter(({ gun }) => gun !== tag.gun);
    if (!(error instanceof SigningError) || signal.aborted || !next) throw error;
    log.warn(`${error.message}; asking ${next.gun}`);
    return lookUpSize(sha256, [next, ...rest], access);
  }
}

/**
 * The manifest that all these tags name: a build pushes one image. A tag that names another has been
 * moved since, and what somebody else pushed is not signed.
 *
 * @throws SigningError TAG_MOVED, and as {@link RegistryClient.manifest}
 */
export async function lookUpTags(tags: Tags, access: RegistryAccess): Promise<Manifest> {
  const clients = new Map<Gun, RegistryClient>();
  const lookUp = async (reference: TagReference): Promise<Manifest> => {
    const client = clients.get(reference.gun) ?? createRegistryClient(reference.gun, access);
    clients.set(reference.gun, client);
    const manifest = await client.manifest({ tag: reference.tag });
    access.log.step(
      `the registry says: ${formatTagReference(reference)} is sha256:${manifest.sha256}`,
    );
    return manifest;
  };
  const [first, ...others] = tags;
  const manifest = await lookUp(first);
  for (const other of others) {
    const { sha256 } = await lookUp(other);
    if (sha256 === manifest.sha256) continue;
    throw new SigningError(
      'TAG_MOVED',
      `${formatTagReference(first)} is sha256:${manifest.sha256}, ` +
        `and ${formatTagReference(other)} is sha256:${sha256}`,
    );
  }
  return manifest;
}
