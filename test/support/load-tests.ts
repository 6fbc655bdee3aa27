import { readdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';
import t from 'tap';

/**
 * Runs all test files below a folder in this process. A process for each would spend most of its time
 * on starting.
 *
 * @param url of a module `NAME.test.js`, beside the folder `NAME`
 */
export function loadTests(url: string): void {
  const folder = fileURLToPath(url).replace(/\.test\.js$/, '');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  // The root test stays open for the files' own tests as long as this one runs.
  t.test('the files load', async (t) => {
    for (const file of files.filter((name) => name.endsWith('.test.js')).sort()) {
      await import(pathToFileURL(join(folder, file)).href);
      t.pass(file);
    }
  });
}
