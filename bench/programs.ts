/** Where the programs are that are measured, and those that they are measured against. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { succeed } from '../test/bed/command.ts';
import { projectDirectory } from '../test/bed/project-directory.ts';

const DIST = fileURLToPath(new URL('..', import.meta.url));

/** A program that the images carry. */
export function bundledProgram(name: 'signer' | 'webhook'): string {
  return join(DIST, `${name}.cjs`);
}

/** A program of the bench, as compiled. */
export function benchProgram(name: string): string {
  return join(DIST, 'bench', `${name}.js`);
}

/**
 * Bundles a program of the bench as our own are bundled.
 *
 * @param directory where the bundle goes
 * @returns the bundle
 */
export async function bundle(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.cjs`);
  const project = projectDirectory();
  const args = [join(project, 'bundle.mjs'), benchProgram(name), outfile];
  await succeed({ program: process.execPath, args, directory: project });
  return outfile;
}
