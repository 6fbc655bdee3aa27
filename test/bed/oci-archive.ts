/** Images as OCI archives: a tar file of an OCI image layout, which has its blobs by their digest. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { succeed } from './command.ts';

/** What an image says of itself; see "config" of the OCI image specification. */
export interface ImageConfig {
  readonly created: string;
  readonly architecture: string;
  readonly config: {
    readonly User?: string;
    readonly Env?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    readonly Labels?: Readonly<Record<string, string>>;
  };
}

/** An image taken out of its archive. */
export interface UnpackedImage {
  /** `sha256:<hex>` of its manifest. */
  readonly digest: string;
  /** The name that it has in the archive. */
  readonly reference: string;
  readonly config: ImageConfig;
  /** Its root file system, owners and modes as in the image. */
  readonly root: string;
  /** The base's first. */
  readonly layers: readonly LayerSize[];
}

/** Bytes of a layer as a registry has it, and of the tar file in it. */
export interface LayerSize {
  readonly compressed: number;
  readonly uncompressed: number;
}

/** `105.0 MB, 40.9 MB compressed`: the size of layers together. */
export function describeSize(layers: readonly LayerSize[]): string {
  const megabytes = (member: keyof LayerSize) =>
    (layers.reduce((sum, layer) => sum + layer[member], 0) / 1e6).toFixed(1);
  return `${megabytes('uncompressed')} MB, ${megabytes('compressed')} MB compressed`;
}

interface Descriptor {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Unpacks an image; owners are only kept for root.
 *
 * @param archive holds one image, of which no layer removes what another brought
 * @param directory made; gets the layout and the root file system
 * @throws Error when a blob is not what its digest says
 */
export async function unpackImage(archive: string, directory: string): Promise<UnpackedImage> {
  const [layout, root] = [join(directory, 'layout'), join(directory, 'root')];
  for (const each of [layout, root]) await mkdir(each, { recursive: true });
  const untar = (file: string, target: string) =>
    succeed({
      program: 'tar',
      args: ['--extract', '--file', file, '--directory', target, '--preserve-permissions'],
      directory,
      timeLimit: 120_000,
    });
  const fileOf = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
  const read = async (digest: string): Promise<Buffer> => {
    const bytes = await readFile(fileOf(digest));
    if (`sha256:${createHash('sha256').update(bytes).digest('hex')}` === digest) return bytes;
    throw new Error(`${archive}: the blob ${digest} has another digest`);
  };
  const json = async (digest: string) => JSON.parse((await read(digest)).toString()) as unknown;

  await untar(archive, layout);
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    readonly manifests: readonly Descriptor[];
  };
  const [image, ...others] = index.manifests;
  if (image === undefined || others.length > 0) throw new Error(`${archive} holds not one image`);
  const manifest = (await json(image.digest)) as {
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
  };
  const layers: LayerSize[] = [];
  for (const { digest } of manifest.layers) {
    const layer = await read(digest);
    layers.push({ compressed: layer.length, uncompressed: gunzipSync(layer).length });
    await untar(fileOf(digest), root);
  }
  return {
    digest: image.digest,
    reference: image.annotations?.['org.opencontainers.image.ref.name'] ?? '',
    config: (await json(manifest.config.digest)) as ImageConfig,
    root,
    layers,
  };
}
