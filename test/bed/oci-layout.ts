/** An OCI image layout: what a registry holds, as files. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A manifest of a layout, and how the layout's index calls it. */
export interface LayoutManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/**
 * Writes a layout with these manifests, and what they refer to.
 *
 * @returns the SHA-256 of each manifest, in hex
 */
export async function writeLayout(
  directory: string,
  manifests: readonly LayoutManifest[],
  blobs: readonly Uint8Array[],
): Promise<readonly string[]> {
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const home = join(directory, 'blobs/sha256');
  await mkdir(home, { recursive: true });
  for (const bytes of [...manifests.map((manifest) => manifest.bytes), ...blobs]) {
    await writeFile(join(home, sha256(bytes)), bytes);
  }
  const entries = manifests.map(({ mediaType, bytes }) => ({
    mediaType,
    digest: `sha256:${sha256(bytes)}`,
    size: bytes.length,
  }));
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(directory, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: entries }),
  );
  return manifests.map(({ bytes }) => sha256(bytes));
}
