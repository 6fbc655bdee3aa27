/** Archives of small images, made of files of this machine: with no tool but tar. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { succeed } from './command.ts';

/** Images to make that differ in nothing but what they start. */
export interface ImageArchiveOptions {
  /** Names under which a containerd will know them (`localhost/name:tag`) → what each starts. */
  readonly entrypoints: Readonly<Record<string, readonly string[]>>;
  /** The archive, and what is needed meanwhile beside it; its directory exists. */
  readonly archive: string;
  /** Absolute paths in the image → a file of this machine, or what a link points to. */
  readonly files: Readonly<Record<string, { readonly from: string } | { readonly to: string }>>;
  /** Directories in which everybody may write. */
  readonly writable?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** `uid:gid`. */
  readonly user: string;
}

/**
 * Makes a docker archive of images with one and the same layer.
 *
 * @throws Error when a file is missing or tar fails
 */
export async function makeImageArchive(options: ImageArchiveOptions): Promise<void> {
  const work = `${options.archive}.work`;
  const root = join(work, 'root');
  for (const [path, what] of Object.entries(options.files)) {
    const place = join(root, path);
    await mkdir(dirname(place), { recursive: true });
    if ('to' in what) {
      await symlink(what.to, place);
    } else {
      await cp(what.from, place, { dereference: true });
      await chmod(place, 0o755);
    }
  }
  for (const path of options.writable ?? []) {
    await mkdir(join(root, path), { recursive: true });
    await chmod(join(root, path), 0o1777);
  }
  const layer = join(work, 'layer.tar');
  const same = ['--numeric-owner', '--owner=0', '--group=0', '--sort=name', '--mtime=@0'];
  await tar(work, ['-C', root, ...same, '-cf', layer, '.']);
  const diffId = `sha256:${await sha256OfFile(layer)}`;
  const environment = Object.entries(options.environment ?? {});
  const manifest = [];
  for (const [name, entrypoint] of Object.entries(options.entrypoints)) {
    const config = JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        Entrypoint: entrypoint,
        Env: ['PATH=/usr/bin:/bin', ...environment.map(([key, value]) => `${key}=${value}`)],
        User: options.user,
      },
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created: '1970-01-01T00:00:00Z' }],
    });
    const file = `${createHash('sha256').update(config).digest('hex')}.json`;
    await writeFile(join(work, file), config);
    manifest.push({ Config: file, RepoTags: [name], Layers: ['layer.tar'] });
  }
  await writeFile(join(work, 'manifest.json'), JSON.stringify(manifest));
  const configs = manifest.map(({ Config }) => Config);
  await tar(work, ['-cf', options.archive, 'manifest.json', ...configs, 'layer.tar']);
  await rm(work, { recursive: true });
}

/**
 * The running Node and the libraries that it needs, as files of an image.
 *
 * @throws Error when ldd fails
 */
export async function nodeFiles(directory: string): Promise<ImageArchiveOptions['files']> {
  const listed = await succeed({ program: 'ldd', args: [process.execPath], directory });
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  return {
    '/usr/bin/node': { from: process.execPath },
    ...Object.fromEntries(libraries.map((path) => [path, { from: path }])),
  };
}

function tar(directory: string, args: readonly string[]): Promise<string> {
  return succeed({ program: 'tar', args, directory, timeLimit: 120_000 });
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
