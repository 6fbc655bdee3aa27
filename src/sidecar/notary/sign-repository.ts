import type { SignerErrorCode } from '../../shared/error-code.ts';
import { isPlainHttp, type NotaryUrl } from '../../shared/notary-url.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import { asSigningError, SigningError } from '../../shared/signing-error.ts';
import { createRetries, retry, type Pause, type Retries } from '../http/retry.ts';
import type { RepositoryPlan } from '../image/signing-plan.ts';
import type { Log } from '../io/log.ts';
import type { Memory } from '../io/memory.ts';
import type { Steps } from '../io/steps.ts';
import { describeMiss, expiryWarnings, missesOf } from '../tuf/client-visibility.ts';
import type { KeyId } from '../tuf/key.ts';
import type { RoleName } from '../tuf/metadata.ts';
import {
  editRoles,
  fileOf,
  namesTarget,
  signEdits,
  type Publication,
  type RoleEdit,
  type SigningKey,
} from '../tuf/publication.ts';
import { chooseRoles, type ChosenRole } from '../tuf/role-choice.ts';
import type { TrustRepository } from '../tuf/trust-repository.ts';
import type { NotaryClient } from './notary-client.ts';
import {
  failureOf,
  type RepositoryReceipt,
  type SignedRole,
  type SigningResult,
} from '../../shared/receipt.ts';
import { loadRepository, type Expected } from './repository-loader.ts';

export interface SigningContext {
  readonly url: NotaryUrl;
  readonly client: NotaryClient;
  readonly keys: readonly SigningKey[];
  /** Why other keys of the signing Secret are not among them. */
  readonly unopened: readonly SigningError[];
  readonly rootPins: readonly string[];
  readonly now: () => Date;
  readonly pause: Pause;
  readonly steps: Steps;
  readonly memory: Memory;
  readonly log: Log;
  /** Everything but the publish. */
  readonly dryRun: boolean;
  /**
   * Resolves when the rest of the build's signatures is out. Awaited before anything is published.
   *
   * @throws SigningError why nothing is to be published
   */
  readonly beforePublish: () => Promise<void>;
}

/** Roles that name the targets in a version: later versions name them too, or are another's. */
type Claims = readonly { readonly role: ChosenRole; readonly version: number }[];

/** A post without its bytes, which may be many megabytes. */
interface Posted {
  readonly claims: Claims;
  /** SHA-256 (hex) of its files. */
  readonly hashes: ReadonlyMap<RoleName, string>;
}

/** What became of a post, with the repository as it is served now. */
interface PostOutcome {
  readonly repository: TrustRepository;
  /** Why the edits are to be made anew; undefined: the server took the post, and serves it. */
  readonly retryReason?: string;
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
/** Publishers that met in a conflict must not meet again; any number of them may be faster. */
const CONFLICT = { firstWaitMs: 50, longestWaitMs: 2000, waits: Infinity, jitter: 1 };
/** A newer version may not be visible at once. If none appears, it was not a conflict. */
const LOOKS_FOR_NEWER = 4;
/** How often a role is held beside what it was: signed, as a file, and read back. */
const COPIES = 3;
/** Roles of a few thousand tags are not worth asking for memory, in bytes. */
const SMALL_BYTES = 1024 * 1024;

/**
 * Signs the targets of one repository: load and verify, edit, publish, read back; and again when
 * another publisher was faster, or a server away for a moment. Never throws because of what it met:
 * that is in the receipt, and other repositories go on.
 */
export async function signRepository(
  plan: RepositoryPlan,
  context: SigningContext,
): Promise<RepositoryReceipt> {
  const signing = new RepositorySigning(plan, context);
  try {
    return await signing.run();
  } catch (error) {
    const failure = withUnopened(asSigningError(error), context.unopened);
    return { ...signing.receipt('failed'), ...failureOf(failure) };
  }
}

/** The key that a role lists may be the one that did not open. */
function withUnopened(error: SigningError, unopened: readonly SigningError[]): SigningError {
  if (error.code !== 'KEY_NOT_IN_ROLE' || unopened.length === 0) return error;
  const reasons = unopened.map(({ message }) => message).join('; ');
  const message = `${error.message}; not among these keys: ${reasons}`;
  return new SigningError(error.code, message, { cause: error, fix: error.fix });
}

class RepositorySigning {
  readonly #plan: RepositoryPlan;
  readonly #context: SigningContext;
  readonly #tags: readonly string[];
  readonly #held: readonly KeyId[];
  readonly #afterConflicts: Retries;
  readonly #afterOutages: Retries;
  #posts = 0;
  #wasRejected = false;
  /** The server may have stored these, or may store them still. */
  readonly #unanswered: Posted[] = [];

  constructor(plan: RepositoryPlan, context: SigningContext) {
    this.#plan = plan;
    this.#context = context;
    this.#tags = plan.targets.map(({ tag }) => tag);
    this.#held = context.keys.map(({ canonicalId }) => canonicalId);
    this.#afterConflicts = createRetries(context.pause, CONFLICT);
    this.#afterOutages = createRetries(context.pause);
  }

  async run(): Promise<RepositoryReceipt> {
    const { gun, targets } = this.#plan;
    const { url, keys, log, now, rootPins, steps, dryRun } = this.#context;
    const tags = this.#tags.join(', ');
    if (isPlainHttp(url)) {
      log.warn(`${url} is plain http: what it serves can be changed on the way`);
    }
    let repository = await this.#again(() => this.#load(), 'trying again');
    log.step(`${gun} at ${url}: ${describeTrust(repository, rootPins)}`);
    for (const { code, message } of repository.rejected.values()) {
      this.#warn(`${code === 'METADATA_TOO_LARGE' ? 'not read' : 'readers pass over'}: ${message}`);
    }
    for (;;) {
      const roles = chooseRoles(repository, this.#tags, this.#held);
      const edits = editRoles(repository, roles, targets, now());
      if (edits.length === 0) {
        // Read once more as readers read, by hash: what is served under a name may be served there alone.
        const before = repository;
        repository = await this.#again(() => this.#load(before), 'trying again');
        if (editRoles(repository, roles, targets, now()).length > 0) {
          this.#checkNotSuperseded(rolesIn(before, roles), repository);
          continue;
        }
        log.step(`${gun}: ${tags} already signed, nothing to publish`);
        return this.#finish(this.#posts > 0 ? 'signed' : 'already-signed', repository, roles);
      }
      for (const { role } of edits) {
        const reason = repository.unread.get(role.name);
        if (reason) this.#warn(`${reason.message}; ${role.name} is signed again`);
      }
      this.#demandMemory(edits);
      const publication = await signEdits(edits, keys, steps.drive);
      const signed = [...publication.keys()].join(', ');
      if (dryRun) {
        log.step(`${gun}: would publish ${tags} in ${signed} (dry run)`);
        return this.#finish('dry-run', repository, roles);
      }
      await this.#context.beforePublish();
      log.step(`${gun}: publishing ${tags} in ${signed}`);
      const outcome = await this.#post(edits, publication, repository);
      ({ repository } = outcome);
      if (outcome.retryReason === undefined) {
        const signedRoles = chooseRoles(repository, this.#tags, this.#held);
        log.step(`${gun}: published ${tags}, read back and verified`);
        return this.#finish('signed', repository, signedRoles);
      }
      this.#warn(outcome.retryReason);
    }
  }

  receipt(
    result: SigningResult,
    roles: readonly SignedRole[] = [],
    repository?: TrustRepository,
  ): RepositoryReceipt {
    const { gun, targets } = this.#plan;
    const server = this.#context.url;
    const rootKeyIds = repository?.rootKeyIds ?? [];
    const { root } = repository ?? {};
    return {
      ...{ gun, server, result },
      ...(root && { root: { version: root.content.version, expires: root.content.expires } }),
      ...{ roles, rootKeyIds, targets, attempts: this.#posts },
    };
  }

  /** The receipt of a run that did not fail, after the warnings about what it leaves behind. */
  #finish(
    result: SigningResult,
    repository: TrustRepository,
    roles: readonly ChosenRole[],
  ): RepositoryReceipt {
    // What was not published is found by nobody.
    const targets = result === 'dry-run' ? [] : this.#plan.targets;
    const missedBy = targets.flatMap((target) => missesOf(repository, target));
    missedBy.map(describeMiss).forEach((miss) => this.#warn(miss));
    expiryWarnings(repository, this.#context.now()).forEach((warning) => this.#warn(warning));
    const signedRoles = rolesIn(repository, roles).map(({ role, version, expires }) => {
      const keyId = [...role.keyIds.values()].join(',');
      return { name: role.name, version, expires, keyId };
    });
    return {
      ...this.receipt(result, signedRoles, repository),
      ...(missedBy.length > 0 && { missedBy }),
    };
  }

  /**
   * Posts once, and believes what can be read back, and nothing else: neither a 200, nor a connection
   * that broke when the server may have had it all.
   *
   * Posts whose answers were lost are remembered. Before another try, and before giving up, the server
   * is asked for each of them by hash. So it is for one that it refused since it has a newer version.
   * Where it has one, that post is the publish, and nothing is ever published over what came after it.
   *
   * @param from the repository that the edits were made from
   * @throws SigningError READ_BACK_FAILED, TAG_SUPERSEDED when the metadata is, or may be, out and is
   * not confirmed; PUBLISH_CONFLICT when no other publisher is there to lose to; else what the server
   * refused it with
   */
  async #post(
    edits: readonly RoleEdit[],
    publication: Publication,
    from: TrustRepository,
  ): Promise<PostOutcome> {
    const { client } = this.#context;
    const posted = {
      claims: edits.map(({ role, targets: { version } }) => ({ role, version })),
      hashes: new Map([...publication].map(([role, bytes]) => [role, sha256Hex(bytes)])),
    };
    this.#posts += 1;
    const refusal = await client
      .publish(publication, from.root.content)
      .then(() => undefined, asSigningError);
    if (!refusal) return this.#confirm(posted, from);
    if (UNKNOWN_OUTCOME.includes(refusal.code)) this.#unanswered.push(posted);
    const next = await this.#nextTry(posted, from, refusal).catch(asSigningError);
    // Asked after the read that the next edits are made from: what is stored later than that is
    // older than those edits, and makes the server refuse them.
    const stored = await this.#findStored(
      // A proxy may have posted it twice: then the second met a conflict with the first.
      refusal.code === 'PUBLISH_CONFLICT' ? [...this.#unanswered, posted] : this.#unanswered,
    ).catch((error: unknown) => {
      const outcome = `it is not known whether ${client.url} took the metadata (${refusal.message})`;
      throw unconfirmed(outcome, error);
    });
    if (next instanceof SigningError) {
      if (stored) return this.#confirm(stored, from);
      throw this.#unanswered.length > 0 ? notYetStored(next) : next;
    }
    if (!stored) return next;
    const { repository } = next;
    return this.#isServed(stored, repository) ? { repository } : this.#confirm(stored, repository);
  }

  async #confirm(posted: Posted, from: TrustRepository): Promise<PostOutcome> {
    const repository = await this.#again(async () => {
      const current = await this.#load(from, { posted: posted.hashes });
      this.#checkServed(posted, current);
      return current;
    }).catch((error: unknown) => {
      throw unconfirmed(`${this.#context.client.url} took the metadata`, error);
    });
    return { repository };
  }

  async #findStored(sought: readonly Posted[]): Promise<Posted | undefined> {
    for (const posted of sought) {
      // A server takes all files of a post or none, and keeps those that are not current any more.
      const [file] = posted.hashes;
      if (file && (await this.#isStored(...file))) return posted;
    }
    return undefined;
  }

  async #isStored(role: RoleName, hash: string): Promise<boolean> {
    const { client } = this.#context;
    const stored = await this.#again(async () => {
      const found = await client.fetchRole(role, hash);
      if (!found || sha256Hex(found) === hash) return found;
      const what = `${client.url} serves another file as ${role}.${hash}.json of ${this.#plan.gun}`;
      throw new SigningError('METADATA_INCONSISTENT', what, { isTransient: true });
    });
    return stored !== undefined;
  }

  /** @throws SigningError the refusal, where no other try can help */
  async #nextTry(
    posted: Posted,
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<PostOutcome> {
    const { code, message } = refusal;
    if (UNKNOWN_OUTCOME.includes(code)) return this.#afterUnknown(posted, from, refusal);
    if (code === 'PUBLISH_CONFLICT') return this.#afterConflict(posted, from, refusal);
    if (REJECTIONS.includes(code) && !this.#wasRejected) {
      // The keys of a role may have been replaced since they were read: worth one look, not more.
      this.#wasRejected = true;
      const repository = await this.#reload(from);
      const retryReason = `publishing again, since the repository changed meanwhile: ${message}`;
      if (isNewer(repository, from)) return { repository, retryReason };
    }
    throw refusal;
  }

  async #afterUnknown(
    { hashes }: Posted,
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<PostOutcome> {
    // What is on its way still has time to arrive.
    const isWorthIt = refusal.isTransient && (await this.#afterOutages.wait(refusal.retryAfterMs));
    if (!isWorthIt) throw refusal;
    const repository = await this.#reload(from, { posted: hashes });
    return { repository, retryReason: `publishing again: ${refusal.message}` };
  }

  async #afterConflict(
    posted: Posted,
    from: TrustRepository,
    refusal: SigningError,
  ): Promise<PostOutcome> {
    for (let looks = 0; looks < LOOKS_FOR_NEWER; looks++) {
      if (!(await this.#afterConflicts.wait())) throw outOfTime(refusal);
      const repository = await this.#reload(from);
      if (isNewer(repository, from)) {
        const retryReason = 'another publisher was faster; once more from what it left';
        return { repository, retryReason };
      }
    }
    // The server keeps files that its snapshot lost: of delegations that were removed once.
    const begun = posted.claims.filter(({ version }) => version === 1);
    const unlisted = begun.map(({ role }) => role.name);
    const repository = await this.#reload(from, { unlisted });
    const found = unlisted.filter(
      (role) => repository.delegations.has(role) || repository.rejected.has(role),
    );
    if (found.length > 0) {
      const retryReason = `once more from ${found.join(', ')}, which no snapshot lists`;
      return { repository, retryReason };
    }
    if (refusal.isTransient) return this.#afterUnknown(posted, from, notStored(refusal));
    throw new SigningError('PUBLISH_CONFLICT', refusal.message, {
      cause: refusal,
      fix:
        'Nobody else published meanwhile, so another try cannot help: look for a cache or proxy that ' +
        'serves old files under /v2/. Then build again.',
    });
  }

  #isServed(posted: Posted, current: TrustRepository): boolean {
    try {
      this.#checkServed(posted, current);
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
  #checkServed({ claims }: Posted, current: TrustRepository): void {
    for (const { role, version } of claims) {
      const unread = current.unread.get(role.name);
      // Where reads lag behind, a file may be there before the snapshot that lists it.
      if (unread) throw new SigningError(unread.code, unread.message, { isTransient: true });
      const served = fileOf(current, role.name)?.content;
      if (!served || served.version < version) {
        const posted = `${role.name} version ${version} of ${this.#plan.gun}`;
        const what = `the signer posted ${posted}; version ${served?.version ?? 'none'} is served`;
        throw new SigningError('READ_BACK_FAILED', what, { isTransient: true });
      }
    }
    this.#checkNotSuperseded(claims, current);
  }

  /**
   * No later version of a role names another image, or none, under tags that the role was seen to name
   * before, or was published with.
   *
   * @throws SigningError TAG_SUPERSEDED, METADATA_INVALID
   */
  #checkNotSuperseded(claims: Claims, current: TrustRepository): void {
    const { gun, targets } = this.#plan;
    for (const { role, version } of claims) {
      const served = fileOf(current, role.name)?.content;
      if (!served || served.version < version) continue;
      const lost = targets.filter(
        (target) => role.tags.includes(target.tag) && !namesTarget(served, target),
      );
      if (lost.length === 0) continue;
      const tags = lost.map(({ tag }) => tag).join(', ');
      const what = `${role.name} version ${version} of ${gun} named ${tags}`;
      throw new SigningError(
        'TAG_SUPERSEDED',
        `${what}; version ${served.version}, served now, names another image or none`,
      );
    }
  }

  #demandMemory(edits: readonly RoleEdit[]): void {
    const bytes = edits.reduce((sum, { before }) => sum + (before?.length ?? 0), 0);
    const roles = edits.map(({ role }) => `${role.name}.json`).join(' and ');
    const what = `signing ${roles} of ${this.#plan.gun} again writes ${bytes} bytes`;
    if (bytes > SMALL_BYTES) this.#context.memory.demand(COPIES * bytes, what);
  }

  #reload(from: TrustRepository, expected?: Expected): Promise<TrustRepository> {
    return this.#again(() => this.#load(from, expected));
  }

  #load(earlier?: TrustRepository, expected?: Expected): Promise<TrustRepository> {
    const { client, now, rootPins, steps } = this.#context;
    const tags = new Set(this.#tags);
    const trust = { gun: this.#plan.gun, rootPins, tags, held: this.#held, now: now() };
    return loadRepository(client, { ...trust, ...(earlier && { earlier }) }, steps, expected);
  }

  #again<T>(work: () => Promise<T>, doing = 'reading again'): Promise<T> {
    const retries = createRetries(this.#context.pause);
    return retry(work, retries, ({ message }) => this.#warn(`${doing}: ${message}`));
  }

  #warn(message: string): void {
    this.#context.log.warn(`${this.#plan.gun}: ${message}`);
  }
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

/** No newer version appeared, so it is the server that failed. */
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

function describeTrust(
  { root, snapshot, targets, delegations, rootKeyIds }: TrustRepository,
  pins: readonly string[],
): string {
  const versions = [
    `root ${root.content.version}`,
    `snapshot ${snapshot.content.version}`,
    `targets ${targets.content.version}`,
    ...[...delegations].map(([role, { content }]) => `${role} ${content.version}`),
  ];
  const trust = pins.length > 0 ? 'pinned' : 'not pinned: trusted on first use';
  return `${versions.join(', ')}; root key ${rootKeyIds.join(', ')} (${trust})`;
}

/** What a repository serves of roles; nothing of those that nobody published yet. */
function rolesIn(repository: TrustRepository, roles: readonly ChosenRole[]) {
  return roles.flatMap((role) => {
    const file = fileOf(repository, role.name);
    return file ? [{ role, version: file.content.version, expires: file.content.expires }] : [];
  });
}
