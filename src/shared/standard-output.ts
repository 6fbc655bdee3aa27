import { writeSync } from 'node:fs';

const STANDARD_OUTPUT = 1;
const RETRY_MS = 10;

/**
 * Writes to standard output, before it returns. What cannot be written is lost: neither a reader that
 * has gone (`head`) nor a full disk ends a program.
 *
 * @returns whether nothing is lost that somebody would read
 */
export function writeOutput(text: string): boolean {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(STANDARD_OUTPUT, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') return code === 'EPIPE';
      // A pipe that is full, and that another program made non-blocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
  return true;
}
