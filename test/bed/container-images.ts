/**
 * The images of our programs, built from the Containerfile by buildah, on a base that is made of what
 * the machine has: nothing is pulled.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { VERSION } from '../../src/shared/version.ts';
import { projectDirectory } from './project-directory.ts';
import { atExit } from './cleanup.ts';
import { succeed } from './command.ts';
import { ensureInstalled, findProgram } from './installed.ts';
import { createNodeBase } from './node-base.ts';

/** Our programs that have an image: the targets of the Containerfile. */
export const IMAGE_NAMES = ['webhook', 'signer'] as const;
export type ImageName = (typeof IMAGE_NAMES)[number];

/** What to build. */
export interface ImagesOptions {
  /** Gets the archives; made where it is missing. */
  readonly directory: string;
  /** The directory with the Containerfile and dist/; the project by default. */
  readonly context?: string;
  /** `linux/arm64`; this machine's by default. The base is this machine's node all the same. */
  readonly platform?: string;
  /** Arguments of the Containerfile besides the base and where the bundles come from. */
  readonly args?: Readonly<Record<string, string>>;
}

/** An image that was built. */
export interface BuiltImage {
  /** An OCI archive, which `ctr images import`, podman, buildah and skopeo read. */
  readonly archive: string;
  /** The name that it has in there: `localhost/kpack-notary/signer:0.1.0`. */
  readonly reference: string;
  /** `sha256:<hex>` of its manifest. */
  readonly digest: string;
}

/**
 * No times of this build and no name of this buildah get into an image. Its steps run in a chroot, which
 * takes no container runtime.
 */
const BUILD = [
  ...['build', '--timestamp', '0', '--identity-label=false'],
  ...['--isolation', 'chroot'],
];
const BASE = 'localhost/kpack-notary/base:machine';
/** Milliseconds that each of its steps may take on a machine that does much else. */
const TIME_LIMIT = 300_000;

/** Why no images can be built here; undefined where they can. */
export function whyNoImages(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root builds images here';
  if ((findProgram('buildah') ?? findProgram('apt-get')) === undefined) {
    return 'there is no buildah, nor apt-get to install it with';
  }
  // Containers that may not mount cannot build either.
  const isAllowed = spawnSync('unshare', ['--mount', 'true']).status === 0;
  return isAllowed ? undefined : 'root may not mount here';
}

/** Ends a test file where no images can be built: skipped, and the reason printed. */
export function needImages(t: { plan(count: 0, comment: string): void }): void {
  const reason = whyNoImages();
  if (reason === undefined) return;
  t.plan(0, reason);
  process.exit();
}

/**
 * Builds both images from the bundles of `npm run build`. buildah's own storage is in a temporary
 * directory, and gone afterwards.
 *
 * @throws Error with buildah's output when it fails; Error when it is missing, and installing it is
 *   not ours to do
 */
export async function buildImages(options: ImagesOptions): Promise<Record<ImageName, BuiltImage>> {
  await ensureInstalled(['buildah']);
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'kpack-notary-images-'));
  const forget = atExit(() => rmSync(work, { recursive: true, force: true }));
  try {
    const { context = projectDirectory(), platform, args = {} } = options;
    const start = [...BUILD, ...(platform === undefined ? [] : ['--platform', platform])];
    await createNodeBase(join(work, 'base'));
    const baseFile = join(work, 'Containerfile.base');
    await writeFile(baseFile, 'FROM scratch\nCOPY . /\n');
    await buildah(work, [...start, '--tag', BASE, '--file', baseFile, join(work, 'base')]);
    const build = async (name: ImageName): Promise<BuiltImage> => {
      const reference = `localhost/kpack-notary/${name}:${VERSION}`;
      const archive = join(directory, `${name}.tar`);
      const all = { BASE, BUNDLES: 'from-dist', VERSION, ...args };
      await buildah(work, [
        ...start,
        ...['--target', name, '--tag', reference],
        ...Object.entries(all).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
        ...['--file', join(context, 'Containerfile'), context],
      ]);
      const digestFile = join(work, 'digest');
      // It would be added to an archive that is there.
      await rm(archive, { force: true });
      await buildah(work, [
        ...['push', '--digestfile', digestFile],
        ...[reference, `oci-archive:${archive}:${reference}`],
      ]);
      return { archive, reference, digest: await readFile(digestFile, 'utf8') };
    };
    // One after the other: they share their storage.
    return { webhook: await build('webhook'), signer: await build('signer') };
  } finally {
    await rm(work, { recursive: true, force: true });
    forget();
  }
}

/** Runs buildah, with all its state in a directory. */
async function buildah(directory: string, args: readonly string[]): Promise<void> {
  const storage = ['--root', join(directory, 'storage'), '--runroot', join(directory, 'run')];
  await succeed({
    // It leaves mounts behind, which go with the namespace.
    program: 'unshare',
    args: ['--mount', 'buildah', ...storage, ...args],
    directory,
    env: { TMPDIR: directory },
    timeLimit: TIME_LIMIT,
  });
}
