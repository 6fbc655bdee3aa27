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
import type { Expected } from './repository-loader.ts';
import { createPatience, persist, type Pause } from './patience.ts';

/** What is posted: the edits, signed, of one repository. */
export interface Post {
  readonly gun: Gun;
  readonly edits: readonly RoleEdit[];
  readonly publication: Publication;
  readonly targets: readonly Target[];
}

/** What became of a post, with the repository as it is served now. */
export interface PostOutcome {
  /** Confirmed: the server took it, and serves it. Else the edits are to be made anew. */
  readonly isConfirmed: boolean;
  readonly repository: TrustRepository;
}

/** Publishes to one repository, until one post is confirmed or no further try can help. */
export interface Publisher {
  /**
   * Posts once, and believes what can be read back, and nothing else: neither a 200, nor a connection
   * that broke when the server may have had it all.
   *
   * @param from the repository that the edits were made from
   * @throws SigningError READ_BACK_FAILED, TAG_SUPERSEDED when the metadata is, or may be, out and is
   * not confirmed; PUBLISH_CONFLICT when we lose to nobody; else what the server refused it with
   */
  post(post: Post, from: TrustRepository): Promise<PostOutcome>;
}

export interface PublisherOptions {
  readonly client: NotaryClient;
  /** Fetches and verifies the repository as it is then. */
  readonly load: (earlier: TrustRepository, expected?: Expected) => Promise<TrustRepository>;
  readonly pause: Pause;
  /** Hears why something is tried again. */
  readonly tell: (message: string) => void;
}

/** Errors after which nobody knows whether the server took a post. */
const UNKNOWN_OUTCOME: readonly SignerErrorCode[] = [
  'SERVER_UNREACHABLE',
  'SERVER_FAILED',
  'DEADLINE_EXCEEDED',
  'TERMINATED',
];
/** Losers of a race must not meet again, and there is no end to how many may be faster. */
const RACE = { firstWaitMs: 50, longestWaitMs: 2000, waits: Infinity, jitter: 1 };
/** The winner's state may not be visible at once; one that never comes is none that we lost to. */
const LOOKS_FOR_WINNER = 4;

export function createPublisher({ client, load, pause, tell }: PublisherOptions): Publisher {
  const race = createPatience(pause, RACE);
  const outage = createPatience(pause);
  let wasRejected = false;

  const again = (work: () => Promise<TrustRepository>) =>
    persist(work, createPatience(pause), ({ message }) => tell(`reading again: ${message}`));
  const reload = (from: TrustRepository, expected?: Expected) => again(() => load(from, expected));

  const confirm = async (post: Post, from: TrustRepository): Promise<PostOutcome> => {
    const repository = await again(async () => {
      const current = await load(from, { posted: post.publication });
      checkServed(post, current);
      return current;
    }).catch((error: unknown) => {
      throw unconfirmed(`${client.url} took the metadata`, error);
    });
    return { isConfirmed: true, repository };
  };

  const afterUnknown = async (post: Post, from: TrustRepository, refusal: SigningError) => {
    const posted = { posted: post.publication };
    const repository = await reload(from, posted).catch((error: unknown) => {
      const outcome = `it is not known whether ${client.url} took the metadata (${refusal.message})`;
      throw unconfirmed(outcome, error);
    });
    if (isServed(post, repository)) return { isConfirmed: true, repository };
    if (!refusal.isTransient || !(await outage.wait())) throw refusal;
    tell(`publishing again: ${refusal.message}`);
    return { isConfirmed: false, repository };
  };

  const afterConflict = async (post: Post, from: TrustRepository, refusal: SigningError) => {
    for (let looks = 0; looks < LOOKS_FOR_WINNER; looks++) {
      await race.wait();
      const repository = await reload(from);
      if (isNewer(repository, from)) {
        tell('another publisher was faster; once more from what it left');
        return { isConfirmed: false, repository };
      }
    }
    // The server keeps files that its snapshot lost: of delegations that were removed once.
    const begun = post.edits.filter(({ targets }) => targets.version === 1);
    const unlisted = begun.map(({ role }) => role.name);
    const repository = await reload(from, { unlisted });
    if (
      unlisted.some((role) => repository.delegations.has(role) || repository.rejected.has(role))
    ) {
      return { isConfirmed: false, repository };
    }
    if (refusal.isTransient) return afterUnknown(post, from, notStored(refusal));
    throw new SigningError('PUBLISH_CONFLICT', refusal.message, {
      cause: refusal,
      fix:
        'Nobody else published meanwhile, so another try cannot help: look for a cache or proxy that ' +
        'serves old files under /v2/. Then build again.',
    });
  };

  /** The keys of a role may have been replaced since we read them: worth one look, not more. */
  const afterRejection = async (from: TrustRepository, refusal: SigningError) => {
    if (wasRejected) throw refusal;
    wasRejected = true;
    const repository = await reload(from);
    if (!isNewer(repository, from)) throw refusal;
    tell(`publishing again, since the repository changed meanwhile: ${refusal.message}`);
    return { isConfirmed: false, repository };
  };

  return {
    async post(post, from) {
      const refusal = await client.publish(post.publication, from.root.content).then(
        () => undefined,
        (error: unknown) => asSigningError(error),
      );
      if (!refusal) return confirm(post, from);
      if (UNKNOWN_OUTCOME.includes(refusal.code)) return afterUnknown(post, from, refusal);
      if (refusal.code === 'PUBLISH_CONFLICT') return afterConflict(post, from, refusal);
      if (refusal.code === 'PUBLISH_REJECTED') return afterRejection(from, refusal);
      throw refusal;
    },
  };
}

function isNewer(repository: TrustRepository, from: TrustRepository): boolean {
  return repository.snapshot.content.version > from.snapshot.content.version;
}

/** There was nobody to lose to, so it is the server that failed. */
function notStored(refusal: SigningError): SigningError {
  return new SigningError('SERVER_FAILED', refusal.message, {
    cause: refusal,
    isTransient: true,
    fix: 'The server can read and not write: see its log, and its database; then build again.',
  });
}

function unconfirmed(outcome: string, error: unknown): SigningError {
  const cause = asSigningError(error);
  if (cause.code === 'TAG_SUPERSEDED') return cause;
  const message = `${outcome}, and reading it back failed: ${cause.message}`;
  return new SigningError('READ_BACK_FAILED', message, { cause });
}

function isServed(post: Post, current: TrustRepository): boolean {
  try {
    checkServed(post, current);
    return true;
  } catch {
    return false;
  }
}

/**
 * The versions that we posted are served, or later ones, with our targets in them.
 *
 * @throws SigningError READ_BACK_FAILED, TAG_SUPERSEDED, METADATA_*
 */
function checkServed({ gun, edits, targets }: Post, current: TrustRepository): void {
  for (const { role, targets: edited } of edits) {
    const unread = current.unread.get(role.name);
    // Where reads lag behind, a file may be there before the snapshot that lists it.
    if (unread) throw new SigningError(unread.code, unread.message, { isTransient: true });
    const served = fileOf(current, role.name)?.content;
    const posted = `${role.name} version ${edited.version} of ${gun}`;
    if (!served || served.version < edited.version) {
      const what = `we posted ${posted}; version ${served?.version ?? 'none'} is served`;
      throw new SigningError('READ_BACK_FAILED', what, { isTransient: true });
    }
    const wanted = targets.filter(({ tag }) => role.tags.includes(tag));
    const lost = wanted.filter((target) => !names(served, target));
    if (lost.length > 0) {
      const tags = lost.map(({ tag }) => tag).join(', ');
      throw new SigningError(
        'TAG_SUPERSEDED',
        `${posted} named ${tags}; version ${served.version}, served now, names another image or none`,
      );
    }
  }
}
