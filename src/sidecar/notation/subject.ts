import type { IncomingHttpHeaders } from 'node:http';
import { cut } from '../../shared/shown-value.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { RegistryRepository } from '../auth/registry-host.ts';
import { formatManifestReference, MANIFEST_TYPES } from '../image/manifest.ts';
import type { Descriptor } from './descriptor.ts';

/** The longest size that is read; digits. */
const SIZE = /^\d{1,15}$/;

/**
 * The descriptor of an image, from the answer to HEAD: verifiers make it of the same headers and compare
 * it with the signed one.
 *
 * @param size bytes that the manifest should have; undefined: unknown
 * @throws SigningError MANIFEST_MISMATCH
 */
export function readSubject(
  repository: RegistryRepository,
  sha256: string,
  size: number | undefined,
  headers: IncomingHttpHeaders,
): Descriptor {
  const digest = `sha256:${sha256}`;
  const type = headers['content-type']?.replace(/;.*/, '').trim() ?? '';
  const mediaType = MANIFEST_TYPES.find((known) => known === type);
  const length = headers['content-length'] ?? '';
  const named = headers['docker-content-digest'] ?? digest;
  const problems = [
    mediaType === undefined && `no media type of an image (Content-Type "${cut(type)}")`,
    !SIZE.test(length) && 'no size (Content-Length)',
    size !== undefined &&
      SIZE.test(length) &&
      Number(length) !== size &&
      `${length} bytes, not ${size}`,
    named !== digest && `the digest ${cut(String(named))}`,
  ].filter((problem) => problem !== false);
  if (mediaType !== undefined && problems.length === 0) {
    return { mediaType, digest, size: Number(length) };
  }
  const what = formatManifestReference(repository, { sha256 });
  throw new SigningError(
    'MANIFEST_MISMATCH',
    `${repository.host} answers HEAD of ${what} with ${problems.join(', and ')}`,
  );
}
