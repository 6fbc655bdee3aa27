import type { SignerErrorCode } from '../shared/error-code.ts';
import type { Gun } from '../shared/image-reference.ts';
import { asSigningError, SigningError } from '../shared/signing-error.ts';
import {
  fileOf,
  names,
  type Publication,
  type RoleEdit,
  type Target,
} from '../shared/tuf/publication.ts';
import type { TrustRepository } from '../shared/tuf/verify.ts';
import type { NotaryClient } from './notary-client.ts';

/** Errors after which nobody knows whether the server took a publish. */
const UNKNOWN_OUTCOME: readonly SignerErrorCode[] = ['SERVER_UNREACHABLE', 'DEADLINE_EXCEEDED'];

/** What was posted: the edits, signed, of one repository. */
export interface Post {
  readonly gun: Gun;
  readonly edits: readonly RoleEdit[];
  readonly publication: Publication;
  readonly targets: readonly Target[];
}

/**
 * Publishes, and believes what can be read back, and nothing else: neither a 200, nor a connection
 * that broke when the server may have had it all.
 *
 * @param load fetches and verifies the repository as it is then
 * @returns the repository as it is served with our targets in it
 * @throws SigningError READ_BACK_FAILED when the metadata is, or may be, out and unconfirmed; else
 * what the server refused it with
 */
export async function publish(
  client: NotaryClient,
  post: Post,
  load: () => Promise<TrustRepository>,
): Promise<TrustRepository> {
  const broken = await client.publish(post.publication).catch((error: unknown) => {
    if (error instanceof SigningError && UNKNOWN_OUTCOME.includes(error.code)) return error;
    throw error;
  });
  try {
    const current = await load();
    checkServed(post, current);
    return current;
  } catch (error) {
    const cause = asSigningError(error);
    const outcome = broken
      ? `it is not known whether ${client.url} took the metadata (${broken.message})`
      : `${client.url} took the metadata`;
    const message = `${outcome}, and reading it back failed: ${cause.message}`;
    throw new SigningError('READ_BACK_FAILED', message, { cause });
  }
}

/** The versions that we posted are served, or later ones, with our targets in them. */
function checkServed({ gun, edits, targets }: Post, current: TrustRepository): void {
  for (const { role, targets: edited } of edits) {
    const served = fileOf(current, role.name)?.content;
    const wanted = targets.filter(({ tag }) => role.tags.includes(tag));
    const isServed = wanted.every((target) => names(served, target));
    if (!served || served.version < edited.version || !isServed) {
      const posted = `${role.name} version ${edited.version} of ${gun}`;
      const version = served?.version ?? 'none';
      throw new SigningError(
        'READ_BACK_FAILED',
        `we posted ${posted}; version ${version} is served`,
      );
    }
  }
}
