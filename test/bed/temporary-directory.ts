import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './cleanup.ts';

/** @returns a new directory, which is removed when this process ends */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kpack-notary-test-'));
  atExit(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
