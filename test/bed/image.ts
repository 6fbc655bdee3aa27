/**
 * Small real images, pushed to a registry.
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const DOCKER = 'application/vnd.docker';
const OCI = 'application/vnd.oci.image';
const MEDIA_TYPES = {
  docker: {
    index: `${DOCKER}.distribution.manifest.list.v2+json`,
    manifest: `${DOCKER}.distribution.manifest.v2+json`,
    config: `${DOCKER}.container.image.v1+json`,
    layer: `${DOCKER}.image.rootfs.diff.tar.gzip`,
  },
  oci: {
    index: `${OCI}.index.v1+json`,
    manifest: `${OCI}.manifest.v1+json`,
    config: `${OCI}.config.v1+json`,
    layer: `${OCI}.layer.v1.tar+gzip`,
  },
} as const;

/** An image to make and push. */
export interface ImageOptions {
  /** The registry, without a slash at the end. */
  readonly registryUrl: string;
  /** Repository within the registry, such as `demo/app`. */
  readonly repository: string;
  /** Tags that all point to the image; without any it is pushed by digest alone. */
  readonly tags: readonly string[];
  /** What the one file in the image says; equal contents give equal digests. */
  readonly content: string;
  /** Whose media types it has; docker's by default. */
  readonly format?: keyof typeof MEDIA_TYPES;
}

/** An image as the registry has it. */
export interface PushedImage {
  /** `sha256:<hex>` of the manifest. */
  readonly digest: string;
  /** Length of the manifest in bytes. */
  readonly size: number;
  readonly tags: readonly string[];
}

/**
 * Makes an image of one layer with one file, and pushes it.
 *
 * @throws Error with the registry's answer when it refuses, or names another digest than ours
 */
export async function pushImage(options: ImageOptions): Promise<PushedImage> {
  const base = `${options.registryUrl}/v2/${options.repository}`;
  const types = MEDIA_TYPES[options.format ?? 'docker'];
  const tar = tarOf('content.txt', Buffer.from(options.content));
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: '1970-01-01T00:00:01Z',
      config: {},
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptorOf(types.config, config),
      layers: [descriptorOf(types.layer, layer)],
    }),
  );
  await Promise.all([pushBlob(base, config), pushBlob(base, layer)]);
  return pushManifest(base, types.manifest, manifest, options.tags);
}

/** An index to make and push. */
export interface IndexOptions extends Omit<ImageOptions, 'content'> {
  /** Images of the same repository, one a platform. */
  readonly images: readonly PushedImage[];
}

/**
 * Makes an index (docker's manifest list) of images of the same format, and pushes it.
 *
 * @throws Error as {@link pushImage}
 */
export function pushIndex(options: IndexOptions): Promise<PushedImage> {
  const types = MEDIA_TYPES[options.format ?? 'docker'];
  const manifests = options.images.map(({ digest, size }, i) => ({
    mediaType: types.manifest,
    digest,
    size,
    platform: { os: 'linux', architecture: ['amd64', 'arm64'][i] ?? 'riscv64' },
  }));
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests }),
  );
  const base = `${options.registryUrl}/v2/${options.repository}`;
  return pushManifest(base, types.index, index, options.tags);
}

async function pushManifest(
  base: string,
  mediaType: string,
  bytes: Buffer,
  tags: readonly string[],
): Promise<PushedImage> {
  const digest = digestOf(bytes);
  for (const reference of tags.length === 0 ? [digest] : tags) {
    const response = await call(`${base}/manifests/${reference}`, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: bytes,
    });
    const theirs = response.headers.get('docker-content-digest');
    if (theirs !== digest) throw new Error(`pushed ${digest}, but the registry says ${theirs}`);
  }
  return { digest, size: bytes.length, tags };
}

async function pushBlob(base: string, blob: Buffer): Promise<void> {
  const upload = await call(`${base}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(upload.headers.get('location') ?? '', upload.url);
  location.searchParams.set('digest', digestOf(blob));
  await call(location.href, { method: 'PUT', body: blob });
}

async function call(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
  const text = await response.text(); // Read even if unused: it frees the connection.
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status} ${text}`);
  return response;
}

function descriptorOf(mediaType: string, bytes: Buffer): object {
  return { mediaType, size: bytes.length, digest: digestOf(bytes) };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A tar archive (ustar) of one file: a header block, the padded content, two empty blocks. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number): string =>
    `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108); // owner
  header.write(octal(0, 8), 116); // group
  header.write(octal(content.length, 12), 124);
  header.write(octal(0, 12), 136); // time of change: fixed, so that digests are
  header.write(' '.repeat(8), 148); // the checksum is taken with blanks in its own place
  header.write('0', 156); // a regular file
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
