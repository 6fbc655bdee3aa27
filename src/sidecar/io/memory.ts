import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SigningError } from '../../shared/signing-error.ts';

/** Memory of the container, of which everything large is asked before it is taken. */
export interface Memory {
  /**
   * @param bytes that are about to be taken
   * @param what takes them: begins a sentence
   * @throws SigningError METADATA_TOO_LARGE where they do not fit: the kernel would kill the signer,
   * without a reason
   */
  demand(bytes: number, what: string): void;
}

export interface MemoryFigures {
  /** Bytes that the container may take; Infinity where nothing limits it. */
  readonly limit: number;
  readonly resident: () => number;
  readonly collect: () => void;
}

const MIB = 1024 * 1024;
/** What beside that may be taken meanwhile: by connections, and by what is not collected at once. */
const RESERVE_BYTES = 12 * MIB;
/** What a limit is usually a multiple of. */
const GRAIN_BYTES = 32 * MIB;
/** How much more the fix names than is needed now: signing again what is read takes more later. */
const HEADROOM = 1.5;

export function createMemory({ limit, resident, collect }: MemoryFigures): Memory {
  const isEnough = (bytes: number) => resident() + bytes + RESERVE_BYTES <= limit;
  return {
    demand(bytes, what) {
      if (isEnough(bytes)) return;
      collect();
      if (isEnough(bytes)) return;
      const needed = resident() + bytes + RESERVE_BYTES;
      const enough = `${(Math.ceil((HEADROOM * needed) / GRAIN_BYTES) * GRAIN_BYTES) / MIB}Mi`;
      throw new SigningError(
        'METADATA_TOO_LARGE',
        `${what}, for which the signer needs ${mebibytes(needed)} of memory, and the memory limit ` +
          `of the container is ${mebibytes(limit)}`,
        {
          fix:
            `Give the signing container at least ${enough}: raise spec.build.resources.limits.memory ` +
            'of the Image where it is set, else --signer-memory of the webhook; then build again.',
        },
      );
    },
  };
}

/** The memory of the container, or other control group, that this process is in. */
export function processMemory(): Memory {
  // Without a limit the kernel says 0, or more than any machine has.
  const limit = process.constrainedMemory() || Infinity;
  return createMemory({
    limit,
    resident: () => process.memoryUsage.rss(),
    collect: collectGarbage,
  });
}

/** Buffers are given back when they are collected, which V8 does in its own time. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
