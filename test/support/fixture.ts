import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../bed/project-directory.ts';

/** A file of test/fixtures, as bytes. */
export function fixture(path: string): Buffer {
  return readFileSync(join(projectDirectory(), 'test', 'fixtures', path));
}

/** A JSON file of test/fixtures; its shape is for the caller to know. */
export function fixtureJson(path: string): unknown {
  return JSON.parse(fixture(path).toString());
}
