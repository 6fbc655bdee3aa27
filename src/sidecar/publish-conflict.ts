import { SigningError } from '../shared/signing-error.ts';
import type { TrustRepository } from '../shared/tuf/verify.ts';

/** Waits; throws when the deadline passes meanwhile. */
export type Pause = (milliseconds: number) => Promise<void>;

/** What to do when another publisher was faster. */
export interface Conflicts {
  /**
   * Waits, longer each time, and loads the repository anew.
   *
   * @param before the repository that the lost publish was made from
   * @throws the error itself when it is none that a new try can help: another error, or a repository
   * that stays as it was, in which the next try would lose as well
   */
  wait(
    error: unknown,
    before: TrustRepository,
    reload: () => Promise<TrustRepository>,
  ): Promise<TrustRepository>;
}

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;
/** The winner's state may not be visible at once; one that never comes is none that we lost to. */
const PATIENCE = 4;

/** Follows the conflicts of one repository. */
export function createConflicts(pause: Pause): Conflicts {
  let lost = 0;
  return {
    async wait(error, before, reload) {
      if (!(error instanceof SigningError) || error.code !== 'PUBLISH_CONFLICT') throw error;
      for (let looks = 0; looks < PATIENCE; looks++) {
        // Full jitter: those who lost to one another must not meet again.
        await pause(Math.random() * Math.min(FIRST_WAIT_MS * 2 ** lost++, LONGEST_WAIT_MS));
        const loaded = await reload();
        if (loaded.snapshot.content.version > before.snapshot.content.version) return loaded;
      }
      throw new SigningError('PUBLISH_CONFLICT', error.message, {
        cause: error,
        fix:
          'Nobody else published meanwhile, so another try cannot help: a proxy may serve old files, ' +
          'or the keys of the role were replaced; then run notary witness for it, and publish.',
      });
    },
  };
}
