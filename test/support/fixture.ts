/**
 * The files of test/fixtures, wherever the compiled tests lie.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of test/fixtures, as bytes. */
export function fixture(path: string): Buffer {
  return readFileSync(join(projectDirectory(), 'test', 'fixtures', path));
}

/** A JSON file of test/fixtures; its shape is for the caller to know. */
export function fixtureJson(path: string): unknown {
  return JSON.parse(fixture(path).toString());
}

/** The directory with package.json. */
export function projectDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error('no package.json above the tests');
    directory = parent;
  }
  return directory;
}
