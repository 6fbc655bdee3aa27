/** Script: builds both images into dist/images, and says what they are. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { projectDirectory } from './project-directory.ts';
import { succeed } from './command.ts';
import { buildImages, whyNoImages } from './container-images.ts';
import { findProgram } from './installed.ts';
import { describeSize, unpackImage } from './oci-archive.ts';

/** The commit that is built; undefined where that is not known. */
async function revision(directory: string): Promise<string | undefined> {
  const program = findProgram('git');
  if (program === undefined) return undefined;
  const args = ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'];
  return succeed({ program, args, directory }).then(
    (text) => text.trim(),
    () => undefined,
  );
}

async function main(): Promise<void> {
  const reason = whyNoImages();
  if (reason !== undefined) throw new Error(`No images can be built: ${reason}`);
  const project = projectDirectory();
  const commit = await revision(project);
  const images = await buildImages({
    directory: join(project, 'dist/images'),
    ...(commit !== undefined && { args: { REVISION: commit } }),
  });
  const scratch = await mkdtemp(join(tmpdir(), 'kpack-notary-images-'));
  try {
    for (const [name, { archive, reference, digest }] of Object.entries(images)) {
      const { layers } = await unpackImage(archive, join(scratch, name));
      console.log(reference);
      console.log(`  digest    ${digest}`);
      console.log(`  archive   ${relative(project, archive)}`);
      console.log(`  size      ${describeSize(layers)}`);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
