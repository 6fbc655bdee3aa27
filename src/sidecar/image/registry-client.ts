import type { Gun } from '../../shared/image-reference.ts';
import type { Manifest } from '../tuf/publication.ts';
import {
  formatManifestReference,
  MANIFEST_TYPES,
  readManifest,
  type ManifestReference,
} from './manifest.ts';
import { connectRegistry, type RegistryAccess } from './registry-connection.ts';
import { lookUpOf, registryRefusal } from './registry-failure.ts';

export interface RegistryClient {
  /**
   * The manifest that a tag or digest names, from its very bytes.
   *
   * @throws SigningError MANIFEST_NOT_FOUND, MANIFEST_MISMATCH, CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED
   */
  manifest(reference: ManifestReference): Promise<Manifest>;
}

/** What registries take for a manifest at most. */
export const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024;

/** @throws SigningError IMAGE_REFERENCE_INVALID: no such host can be */
export function createRegistryClient(gun: Gun, access: RegistryAccess): RegistryClient {
  const registry = connectRegistry(gun, access, 'pull');
  const { repository } = registry;

  const attempt = async (reference: ManifestReference): Promise<Manifest> => {
    const version = 'tag' in reference ? reference.tag : `sha256:${reference.sha256}`;
    const task = lookUpOf(formatManifestReference(repository, reference));
    const answer = await registry.send({
      method: 'GET',
      path: `manifests/${version}`,
      headers: { accept: MANIFEST_TYPES.join(', ') },
      limit: MANIFEST_LIMIT_BYTES,
      redirects: 'follow',
      task,
    });
    if (answer.status !== 200) throw registryRefusal(repository, task, answer);
    return readManifest(repository, reference, answer);
  };

  return { manifest: (reference) => registry.persist(() => attempt(reference)) };
}
