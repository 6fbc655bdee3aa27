/**
 * Script: builds the Kubernetes programs of the tests where they are missing, which takes longer than
 * a test file may. Where they cannot be had it says so, and the tests that need them are skipped.
 */
import { ensurePrograms, TEST_PROGRAMS, whyNoKubernetes } from './kubernetes-programs.ts';

const reason = whyNoKubernetes();
if (reason === undefined) {
  await ensurePrograms(TEST_PROGRAMS).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
} else {
  console.error(`Tests in a real API server will be skipped: ${reason}`);
}
