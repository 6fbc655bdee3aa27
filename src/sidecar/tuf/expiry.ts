import type { Gun } from '../../shared/image-reference.ts';
import type { NotaryUrl } from '../../shared/notary-url.ts';
import { command } from '../../shared/shell-command.ts';
import { SigningError } from '../../shared/signing-error.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type MetadataFile,
  type RoleName,
} from './metadata.ts';

/** By which clocks the files of a repository are judged. */
export interface Clocks {
  readonly gun: Gun;
  /** The time of this machine. */
  readonly now: Date;
  /**
   * The server of the files, and its time when it last answered, where it says that. Undefined where
   * nobody serves them: then this machine's clock alone counts.
   */
  readonly server?: { readonly url: NotaryUrl; readonly time?: Date | undefined };
}

/** @throws SigningError METADATA_EXPIRED, as {@link inDate} */
export function checkExpiry(
  { content }: MetadataFile<{ readonly expires: string }>,
  role: RoleName,
  clocks: Clocks,
): void {
  inDate(clocks, role, (now) => {
    if (Date.parse(content.expires) > now.getTime()) return;
    throw new SigningError('METADATA_EXPIRED', `${role}.json expired at ${content.expires}`);
  });
}

/**
 * Judges a role by the clock of this machine. Where the role is good by the server's clock, the
 * clocks differ, and the error says that first: what cures an expired role harms a healthy one.
 *
 * @param judge throws METADATA_EXPIRED where the role is not in date at a moment
 * @throws SigningError METADATA_EXPIRED with a fix for this role, else whatever `judge` throws
 */
export function inDate<T>(clocks: Clocks, role: RoleName, judge: (now: Date) => T): T {
  const { now, server } = clocks;
  try {
    return judge(now);
  } catch (error) {
    if (!isExpiry(error)) throw error;
    const time = server?.time;
    if (time && isGood(() => judge(time))) {
      const first = `the clock of this node says ${now.toISOString()}, that of ${server.url} ${time.toISOString()}`;
      throw new SigningError(
        'METADATA_EXPIRED',
        `${first}: the clocks differ, and only by the first one ${error.message}`,
        { cause: error, fix: CLOCKS_FIX },
      );
    }
    throw new SigningError('METADATA_EXPIRED', error.message, {
      cause: error,
      fix: expiryFix(role, clocks),
    });
  }
}

const CLOCKS_FIX =
  'Set the clock that is wrong, most often that of the node, then build again. The repository needs no change: signing its roles anew would harm it.';

/** What helps where both clocks agree. The notary CLI refuses whatever holds an expired role. */
function expiryFix(role: RoleName, { gun, server }: Clocks): string | undefined {
  const url = server?.url ?? '<url>';
  switch (role) {
    case ROOT:
      return (
        'No command renews an expired root. Its owner starts anew: all signatures and delegations ' +
        'are lost, and whoever pinned or cached the old root refuses the new one. Run ' +
        `${command`notary -s ${url} delete ${gun} --remote && notary -s ${url} init ${gun} && notary -s ${url} key rotate ${gun} snapshot -r`}, ` +
        'put the new targets key into the signing Secret, then build again.'
      );
    case TARGETS:
      return (
        'No notary command renews expired targets. Put the targets key of the owner into the signing ' +
        'Secret, beside the key that is there and with the same password, then build again: the ' +
        'signer signs targets again as they are.'
      );
    case SNAPSHOT:
    case TIMESTAMP:
      return (
        `The server renews ${role} itself when it is asked, and no command of a client can: look for ` +
        'a cache or proxy that serves old files under /v2/, and at the log of the server. Then build again.'
      );
    default:
      return undefined;
  }
}

function isExpiry(error: unknown): error is SigningError {
  return error instanceof SigningError && error.code === 'METADATA_EXPIRED';
}

function isGood(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (isExpiry(error)) return false;
    throw error;
  }
}
