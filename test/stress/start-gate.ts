/** Many signers that begin at the same moment. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SignerRun, SignerRunOptions } from '../support/signer-run.ts';

/** Signers that wait. */
export interface StartGate {
  /** Lets them go, and all end. */
  release(): Promise<{
    readonly runs: readonly SignerRun[];
    /** From the release to the end of the last one. */
    readonly milliseconds: number;
  }>;
}

/** Past the signer's own deadline: its own is to be met, not ours. */
const TIME_LIMIT = 900_000;

/**
 * Starts signers.
 *
 * @param run starts the one of a number, from 1 on, with these options
 * @returns when each of them waits
 */
export async function startAtGate(
  directory: string,
  signers: number,
  run: (
    number: number,
    options: Required<Pick<SignerRunOptions, 'directory' | 'args' | 'timeLimit' | 'onOutput'>>,
  ) => Promise<SignerRun>,
): Promise<StartGate> {
  const gate = join(directory, 'go');
  let waiting = 0;
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  const runs = Array.from({ length: signers }, (_, index) =>
    run(index + 1, {
      directory,
      args: [`--wait-file=${gate}`],
      timeLimit: TIME_LIMIT,
      onOutput: (text) => {
        waiting += text.includes('waiting for') ? 1 : 0;
        if (waiting === signers) isReady();
      },
    }),
  );
  const ended = Promise.all(runs);
  // One that ends before it waits would let the others wait for ever.
  await Promise.race([ready, ...runs]);
  return {
    release: async () => {
      const begin = performance.now();
      await writeFile(gate, 'go');
      return { runs: await ended, milliseconds: Math.round(performance.now() - begin) };
    },
  };
}
