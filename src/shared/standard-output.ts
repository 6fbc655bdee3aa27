import { write, writeSync } from 'node:fs';

const STANDARD_OUTPUT = 1;
const RETRY_MS = 10;
/** Characters of a log that wait while nobody reads it. */
const MOST_PENDING = 1024 * 1024;

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

/**
 * Standard output for the log of a server: lines are written in the background, those of one turn of the
 * event loop at once, and the last ones when the program exits. What cannot be written is lost.
 */
export function backgroundOutput(): { write(text: string): void } {
  let pending = '';
  let isBusy = false;
  const writeNext = () => {
    const text = Buffer.from(pending);
    pending = '';
    isBusy = text.length > 0;
    if (isBusy) writeRest(text);
  };
  const writeRest = (rest: Buffer) =>
    write(STANDARD_OUTPUT, rest, (error, count) => {
      if (error?.code === 'EAGAIN') setTimeout(writeRest, RETRY_MS, rest);
      else if (error || count === rest.length) writeNext();
      else writeRest(rest.subarray(count));
    });
  process.on('exit', () => writeOutput(pending));
  return {
    write: (text) => {
      if (pending.length > MOST_PENDING) return;
      pending += text;
      if (!isBusy) setImmediate(writeNext);
      isBusy = true;
    },
  };
}
