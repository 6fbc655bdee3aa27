import { parseObject } from '../../shared/json.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { RegistryRepository } from '../auth/registry-host.ts';
import type { HttpResponse } from '../http/http-message.ts';
import type { Manifest } from '../tuf/publication.ts';

export type ManifestReference = { readonly tag: string } | { readonly sha256: string };

/** All that an image can be; for a client that accepts less, a registry converts to older forms. */
export const MANIFEST_TYPES = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
] as const;

/** The reference as people write it. */
export function formatManifestReference(
  { registry, name }: RegistryRepository,
  reference: ManifestReference,
): string {
  const what = 'tag' in reference ? `:${reference.tag}` : `@sha256:${reference.sha256}`;
  return `${registry}/${name}${what}`;
}

/**
 * Digest and size of the bytes that a registry answered with. They must be what was asked for: bytes of
 * the digest; or, by tag, a manifest whose digest is the one that the registry names.
 *
 * @throws SigningError MANIFEST_MISMATCH
 */
export function readManifest(
  repository: RegistryRepository,
  reference: ManifestReference,
  { headers, body }: Pick<HttpResponse, 'headers' | 'body'>,
): Manifest {
  const sha256 = sha256Hex(body);
  const mismatch = (what: string) =>
    new SigningError(
      'MANIFEST_MISMATCH',
      `${repository.host} answers ${formatManifestReference(repository, reference)} with ` +
        `${body.length} bytes ${what}`,
    );
  if ('sha256' in reference) {
    if (sha256 !== reference.sha256) throw mismatch(`that have the digest sha256:${sha256}`);
    return { sha256, length: body.length };
  }
  if (!isManifest(body)) throw mismatch('that are no image manifest of schema 2, and no index');
  const named = headers['docker-content-digest'];
  if (typeof named === 'string' && named.startsWith('sha256:') && named !== `sha256:${sha256}`) {
    throw mismatch(`that have the digest sha256:${sha256}, and says that it is ${named}`);
  }
  return { sha256, length: body.length };
}

/** Whether these are bytes of an image: an error page would have a digest too. */
function isManifest(body: Uint8Array): boolean {
  const { schemaVersion, layers, manifests } = parseObject(body) ?? {};
  return schemaVersion === 2 && (Array.isArray(layers) || Array.isArray(manifests));
}
