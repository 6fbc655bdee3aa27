import type { SignerErrorCode } from '../../shared/error-code.ts';
import type { Gun } from '../../shared/image-reference.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import { asSigningError, SigningError } from '../../shared/signing-error.ts';
import { fileOf, names, type Publication, type RoleEdit, type Target } from '../tuf/publication.ts';
import type { RoleName } from '../tuf/metadata.ts';
import type { ChosenRole } from '../tuf/role-choice.ts';
import type { NotaryClient } from './notary-client.ts';
import type { Expected } from './repository-loader.ts';
import { createRetries, retry, type Pause } from '../http/retry.ts';
import type { TrustRepository } from '../tuf/trust-repository.ts';

/** What is posted: the edits, signed, of one repository. */
export interface Post {
  readonly gun: Gun;
  readonly edits: readonly RoleEdit[];
  readonly publication: Publication;
  readonly targets: readonly Target[];
}

/** Roles that named the targets in a version: later versions name them too, or are another's. */
export interface Claim {
  readonly gun: Gun;
  readonly roles: readonly { readonly role: ChosenRole; readonly version: number }[];
  readonly targets: readonly Target[];
}

/** A post without its bytes, which may be many megabytes. */
interface Posted extends Claim {
  /** SHA-256 (hex) of its files. */
  readonly hashes: ReadonlyMap<RoleName, string>;
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
   * Posts whose answers were lost are remembered. Before another try, and before giving up, the
   * server is asked for each of them by hash, and for one that it refused since it has a newer version:
   * where it has one, that post is the publish, and nothing is ever published over what came after it.
   *
   * @param from the repository that the edits were made from
   * @throws SigningError READ_BACK_FAILED, TAG_SUPERSEDED when the metadata is, or may be, out and is
   * not confirmed; PUBLISH_CONFLICT when no other publisher is there to lose to; else what the server
   * refused it with
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

/** Errors after which nobody knows whether the server took a post, or will. */
const UNKNOWN_OUTCOME: readonly SignerErrorCode[] = [
  'SERVER_UNREACHABLE',
  'SERVER_FAILED',
  'DEADLINE_EXCEEDED',
  'TERMINATED',
];
/** Refusals whose reason may be that the repository is another one than a moment ago. */
const REJECTIONS: readonly SignerErrorCode[] = [
  'PUBLISH_REJECTED',
  'SNAPSHOT_KEY_NOT_ON_SERVER',
  'SERVER_KEY_LOST',
];
/** What a read shows for certain, whatever became of a post. */
const CERTAIN: readonly SignerErrorCode[] = [
  'TAG_SUPERSEDED',
  'REPOSITORY_NOT_INITIALISED',
  'ROOT_REPLACED',
];
/** Losers of a race must not meet again, and there is no end to how many may be faster. */
const RACE = { firstWaitMs: 50, longestWaitMs: 2000, waits: Infinity, jitter: 1 };
/** The winner's state may not be visible at once; one that never comes is none that we lost to. */
const LOOKS_FOR_WINNER = 4;

/** From where, and why, the edits are to be made anew. */
interface NextTry {
  readonly repository: TrustRepository;
  readonly why: string;
}

export function createPublisher({ client, load, pause, tell }: PublisherOptions): Publisher {
  const race = createRetries(pause, RACE);
  const outage = createRetries(pause);
  let wasRejected = false;
  /** The server may have stored these, or may store them still. */
  const unanswered: Posted[] = [];

  const again = <T>(work: () => Promise<T>) =>
    retry(work, createRetries(pause), ({ message }) => tell(`reading again: ${message}`));
  const reload = (from: TrustRepository, expected?: Expected) => again(() => load(from, expected));

  const confirm = async (posted: Posted, from: TrustRepository): Promise<PostOutcome> => {
    const repository = await again(async () => {
      const current = await load(from, { posted: posted.hashes });
      checkServed(posted, current);
      return current;
    }).catch((error: unknown) => {
      throw unconfirmed(`${client.url} took the metadata`, error);
    });
    return { isConfirmed: true, repository };
  };

  /** A server takes all files of a post or none, and keeps those that are not current any more. */
  const isStored = async ({ gun, hashes }: Posted): Promise<boolean> => {
    for (const [role, hash] of hashes) {
      const stored = await again(async () => {
        const found = await client.fetchRole(role, hash);
        if (!found || sha256Hex(found) === hash) return found;
        const what = `${client.url} serves another file as ${role}.${hash}.json of ${gun}`;
        throw new SigningError('METADATA_INCONSISTENT', what, { isTransient: true });
      });
      return stored !== undefined;
    }
    return false;
  };

  const findStored = async (sought: readonly Posted[]): Promise<Posted | undefined> => {
    for (const posted of sought) if (await isStored(posted)) return posted;
    return undefined;
  };

  /** @returns the refusal where no other try can help */
  const afterUnknown = async (
    { hashes }: Posted,
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<NextTry | SigningError> => {
    // What is on its way still has time to arrive.
    if (!refusal.isTransient || !(await outage.wait(refusal.retryAfterMs))) return refusal;
    const repository = await reload(from, { posted: hashes });
    return { repository, why: `publishing again: ${refusal.message}` };
  };

  const afterConflict = async (
    posted: Posted,
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<NextTry | SigningError> => {
    for (let looks = 0; looks < LOOKS_FOR_WINNER; looks++) {
      if (!(await race.wait())) return outOfTime(refusal);
      const repository = await reload(from);
      if (isNewer(repository, from)) {
        return { repository, why: 'another publisher was faster; once more from what it left' };
      }
    }
    // The server keeps files that its snapshot lost: of delegations that were removed once.
    const begun = posted.roles.filter(({ version }) => version === 1);
    const unlisted = begun.map(({ role }) => role.name);
    const repository = await reload(from, { unlisted });
    const found = unlisted.filter(
      (role) => repository.delegations.has(role) || repository.rejected.has(role),
    );
    if (found.length > 0) {
      return { repository, why: `once more from ${found.join(', ')}, which no snapshot lists` };
    }
    if (refusal.isTransient) return afterUnknown(posted, from, notStored(refusal));
    return new SigningError('PUBLISH_CONFLICT', refusal.message, {
      cause: refusal,
      fix:
        'Nobody else published meanwhile, so another try cannot help: look for a cache or proxy that ' +
        'serves old files under /v2/. Then build again.',
    });
  };

  /** The keys of a role may have been replaced since we read them: worth one look, not more. */
  const afterRejection = async (
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<NextTry | SigningError> => {
    if (wasRejected) return refusal;
    wasRejected = true;
    const repository = await reload(from);
    if (!isNewer(repository, from)) return refusal;
    const why = `publishing again, since the repository changed meanwhile: ${refusal.message}`;
    return { repository, why };
  };

  const nextTry = async (
    posted: Posted,
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<NextTry | SigningError> => {
    const { code } = refusal;
    try {
      if (UNKNOWN_OUTCOME.includes(code)) return await afterUnknown(posted, from, refusal);
      if (code === 'PUBLISH_CONFLICT') return await afterConflict(posted, from, refusal);
      if (REJECTIONS.includes(code)) return await afterRejection(from, refusal);
      return refusal;
    } catch (error) {
      return asSigningError(error);
    }
  };

  return {
    async post(post, from) {
      const posted = withoutBytes(post);
      const refusal = await client.publish(post.publication, from.root.content).then(
        () => undefined,
        (error: unknown) => asSigningError(error),
      );
      if (!refusal) return confirm(posted, from);
      if (UNKNOWN_OUTCOME.includes(refusal.code)) unanswered.push(posted);
      const next = await nextTry(posted, from, refusal);
      // Asked after the read that the next edits are made from: what is stored later than that is
      // older than those edits, and makes the server refuse them.
      const stored = await findStored(
        // A proxy may have posted it twice: then it is the first that won over the second.
        refusal.code === 'PUBLISH_CONFLICT' ? [...unanswered, posted] : unanswered,
      ).catch((error: unknown) => {
        const outcome = `it is not known whether ${client.url} took the metadata (${refusal.message})`;
        throw unconfirmed(outcome, error);
      });
      if (!stored) {
        if (next instanceof SigningError) throw unanswered.length > 0 ? notYetStored(next) : next;
        tell(next.why);
        return { isConfirmed: false, repository: next.repository };
      }
      if (next instanceof SigningError) return confirm(stored, from);
      const { repository } = next;
      return isServed(stored, repository)
        ? { isConfirmed: true, repository }
        : confirm(stored, repository);
    },
  };
}

function withoutBytes({ gun, edits, targets, publication }: Post): Posted {
  return {
    ...{ gun, targets },
    roles: edits.map(({ role, targets: { version } }) => ({ role, version })),
    hashes: new Map([...publication].map(([role, bytes]) => [role, sha256Hex(bytes)])),
  };
}

function isNewer(repository: TrustRepository, from: TrustRepository): boolean {
  return repository.snapshot.content.version > from.snapshot.content.version;
}

/** A proxy may still pass on a post that it has not answered in time. */
function notYetStored(error: SigningError): SigningError {
  const { code, message, fix } = error;
  const what = `${message}; the server had stored nothing of it when the signer last asked`;
  return new SigningError(code, what, { cause: error, fix });
}

function outOfTime(refusal: SigningError): SigningError {
  const what = `other publishers were faster until the deadline: ${refusal.message}`;
  return new SigningError('DEADLINE_EXCEEDED', what, { cause: refusal });
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
  if (CERTAIN.includes(cause.code)) return cause;
  const message = `${outcome}, and reading it back failed: ${cause.message}`;
  return new SigningError('READ_BACK_FAILED', message, { cause });
}

function isServed(posted: Posted, current: TrustRepository): boolean {
  try {
    checkServed(posted, current);
    return true;
  } catch {
    return false;
  }
}

/**
 * The versions that were posted are served, or later ones, with the targets in them.
 *
 * @throws SigningError READ_BACK_FAILED, TAG_SUPERSEDED, METADATA_*
 */
function checkServed(claim: Claim, current: TrustRepository): void {
  for (const { role, version } of claim.roles) {
    const unread = current.unread.get(role.name);
    // Where reads lag behind, a file may be there before the snapshot that lists it.
    if (unread) throw new SigningError(unread.code, unread.message, { isTransient: true });
    const served = fileOf(current, role.name)?.content;
    if (!served || served.version < version) {
      const posted = `${role.name} version ${version} of ${claim.gun}`;
      const what = `the signer posted ${posted}; version ${served?.version ?? 'none'} is served`;
      throw new SigningError('READ_BACK_FAILED', what, { isTransient: true });
    }
  }
  checkNotSuperseded(claim, current);
}

/**
 * No later version of a role names another image, or none, under tags that the role was seen to name
 * before, or was published with.
 *
 * @throws SigningError TAG_SUPERSEDED, METADATA_INVALID
 */
export function checkNotSuperseded({ gun, roles, targets }: Claim, current: TrustRepository): void {
  for (const { role, version } of roles) {
    const served = fileOf(current, role.name)?.content;
    if (!served || served.version < version) continue;
    const wanted = targets.filter(({ tag }) => role.tags.includes(tag));
    const lost = wanted.filter((target) => !names(served, target));
    if (lost.length > 0) {
      const tags = lost.map(({ tag }) => tag).join(', ');
      const what = `${role.name} version ${version} of ${gun} named ${tags}`;
      throw new SigningError(
        'TAG_SUPERSEDED',
        `${what}; version ${served.version}, served now, names another image or none`,
      );
    }
  }
}
