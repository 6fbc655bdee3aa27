/** Archives of small images, made of files of this machine: with no tool but tar. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, cp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { succeed } from './command.ts';

/** An image to make. */
export interface ImageArchiveOptions {
  /** Under which a containerd will know it: `localhost/name:tag`. */
  readonly name: string;
  /** Where the archive goes, as `<file>.tar`, and what is needed meanwhile; exists. */
  readonly directory: string;
  /** Absolute paths in the image → a file of this machine, or what a link points to. */
  readonly files: Readonly<Record<string, { readonly from: string } | { readonly to: string }>>;
  /** Directories in which everybody may write. */
  readonly writable?: readonly string[];
  readonly entrypoint: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** `uid:gid`. */
  readonly user: string;
}

/**
 * Makes a docker archive of one image with one layer.
 *
 * @returns the archive
 * @throws Error when a file is missing or tar fails
 */
export async function makeImageArchive(options: ImageArchiveOptions): Promise<string> {
  const { name, directory } = options;
  const work = join(directory, name.replaceAll(/[^a-z0-9]+/g, '-'));
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
  await rm(root, { recursive: true });
  const environment = Object.entries(options.environment ?? {});
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Entrypoint: options.entrypoint,
      Env: ['PATH=/usr/bin:/bin', ...environment.map(([name, value]) => `${name}=${value}`)],
      User: options.user,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256OfFile(layer)}`] },
    history: [{ created: '1970-01-01T00:00:00Z' }],
  });
  const configFile = `${createHash('sha256').update(config).digest('hex')}.json`;
  await writeFile(join(work, configFile), config);
  const manifest = [{ Config: configFile, RepoTags: [name], Layers: ['layer.tar'] }];
  await writeFile(join(work, 'manifest.json'), JSON.stringify(manifest));
  await tar(work, ['-cf', 'image.tar', 'manifest.json', configFile, 'layer.tar']);
  const archive = `${work}.tar`;
  await rename(join(work, 'image.tar'), archive);
  await rm(work, { recursive: true });
  return archive;
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
