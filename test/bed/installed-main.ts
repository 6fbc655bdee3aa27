/** Script: makes sure that all programs of the bed are installed; exit code 1 where they are not. */
import { ensureInstalled } from './installed.ts';

await ensureInstalled().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
