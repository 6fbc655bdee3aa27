import { renameSync, statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { StepFiles } from '../../shared/signer-flags.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { unreadable, writeText } from './text-file.ts';

/** kpack's own waiter looks every second; a signer that looks more often holds up the build less. */
const POLL_MS = 100;

/**
 * Waits, without a deadline, for the step before this one. As for kpack's waiter a file counts as there
 * once it is not empty.
 *
 * @throws SigningError STEP_BEFORE_FAILED when the error file is there; FILE_UNREADABLE; the reason of
 * the signal
 */
export async function waitForStep(
  { waitFile, errorFile }: StepFiles,
  signal: AbortSignal,
): Promise<void> {
  while (waitFile !== undefined) {
    signal.throwIfAborted();
    if (errorFile !== undefined && isThere(errorFile)) {
      const message = `a step before this one wrote ${errorFile}; nothing was signed`;
      throw new SigningError('STEP_BEFORE_FAILED', message);
    }
    if (isThere(waitFile)) return;
    await wait(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Writes a file that others wait for: it appears whole, or not at all. */
export function writeStepFile(file: string, text: string): void {
  const unfinished = `${file}.notary-sign`;
  writeText(unfinished, text);
  renameSync(unfinished, file);
}

function isThere(file: string): boolean {
  try {
    return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}
