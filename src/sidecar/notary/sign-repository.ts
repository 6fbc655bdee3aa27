import type { Gun } from '../../shared/image-reference.ts';
import { isPlainHttp, type NotaryUrl } from '../../shared/notary-url.ts';
import { asSigningError, SigningError } from '../../shared/signing-error.ts';
import {
  editRoles,
  fileOf,
  signEdits,
  type RoleEdit,
  type SigningKey,
} from '../tuf/publication.ts';
import { describeMiss, expiryWarnings, missesOf } from '../tuf/client-visibility.ts';
import { chooseRoles, type ChosenRole } from '../tuf/role-choice.ts';
import type { Log } from '../io/log.ts';
import type { Memory } from '../io/memory.ts';
import type { NotaryClient } from './notary-client.ts';
import { createRetries, retry, type Pause } from '../http/retry.ts';
import { checkNotSuperseded, createPublisher, type Claim } from './publish.ts';
import {
  failureOf,
  type RepositoryReceipt,
  type SignedRole,
  type SigningResult,
} from './receipt.ts';
import { loadRepository, type Expected } from './repository-loader.ts';
import type { RepositoryPlan } from '../image/signing-plan.ts';
import type { Steps } from '../io/steps.ts';
import type { TrustRepository } from '../tuf/trust-repository.ts';

/** What signing one repository needs beside the plan. */
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
}

/**
 * Signs the targets of one repository: load and verify, edit, publish, read back; and again when
 * another publisher was faster, or a server away for a moment. Never throws because of what it met: that stands in the receipt, and
 * other repositories go on.
 */
export async function signRepository(
  plan: RepositoryPlan,
  context: SigningContext,
): Promise<RepositoryReceipt> {
  const progress = { attempts: 0 };
  try {
    return await loadEditPublish(plan, context, progress);
  } catch (error) {
    return {
      gun: plan.gun,
      server: context.url,
      result: 'failed',
      roles: [],
      rootKeyIds: [],
      targets: plan.targets,
      attempts: progress.attempts,
      ...failureOf(withUnopened(asSigningError(error), context.unopened)),
    };
  }
}

/** The key that a role lists may be the one that did not open. */
function withUnopened(error: SigningError, unopened: readonly SigningError[]): SigningError {
  if (error.code !== 'KEY_NOT_IN_ROLE' || unopened.length === 0) return error;
  const reasons = unopened.map(({ message }) => message).join('; ');
  const message = `${error.message}; not among our keys: ${reasons}`;
  return new SigningError(error.code, message, { cause: error, fix: error.fix });
}

async function loadEditPublish(
  plan: RepositoryPlan,
  context: SigningContext,
  progress: { attempts: number },
): Promise<RepositoryReceipt> {
  const { client, keys, url, log, now, pause, rootPins } = context;
  const { gun, targets } = plan;
  if (isPlainHttp(url)) log.warn(`${url} is plain http: what it serves can be changed on the way`);
  const tags = targets.map(({ tag }) => tag);
  const held = keys.map(({ canonicalId }) => canonicalId);
  const trust = { gun, rootPins, tags: new Set(tags), held };
  const load = (earlier?: TrustRepository, expected?: Expected) =>
    loadRepository(
      client,
      { ...trust, now: now(), ...(earlier && { earlier }) },
      context.steps,
      expected,
    );
  const tell = (message: string) => log.warn(`${gun}: ${message}`);

  const tryAgain = ({ message }: SigningError) => tell(`trying again: ${message}`);

  let loaded = await retry(() => load(), createRetries(pause), tryAgain);
  log.step(`${gun} at ${url}: ${describeTrust(loaded, rootPins)}`);
  for (const { code, message } of loaded.rejected.values()) {
    tell(`${code === 'METADATA_TOO_LARGE' ? 'not read' : 'readers pass over'}: ${message}`);
  }

  const publisher = createPublisher({ client, load, pause, tell });
  let isConfirmed = false;
  for (;;) {
    const roles = chooseRoles(
      loaded.root.content,
      loaded.targets.content,
      tags,
      held,
      loaded.unread,
    );
    const receipt = (result: SigningResult): RepositoryReceipt => {
      // What was not published is found by nobody.
      const missedBy =
        result === 'dry-run' ? [] : targets.flatMap((target) => missesOf(loaded, target));
      missedBy.map(describeMiss).forEach(tell);
      expiryWarnings(loaded, now()).forEach(tell);
      const { rootKeyIds } = loaded;
      const signed = describeRoles(loaded, roles);
      const { attempts } = progress;
      const common = { gun, server: url, result, roles: signed, rootKeyIds, targets, attempts };
      return { ...common, ...(missedBy.length > 0 && { missedBy }) };
    };
    if (isConfirmed) {
      log.step(`${gun}: published ${tags.join(', ')}, read back and verified`);
      return receipt('signed');
    }
    const edits = editRoles(loaded, roles, targets, now());
    if (edits.length === 0) {
      // Read once more as readers read, by hash: what is served under a name may be served there alone.
      const named = versionsOf(loaded, roles);
      loaded = await retry(() => load(loaded), createRetries(pause), tryAgain);
      if (editRoles(loaded, roles, targets, now()).length > 0) {
        checkNotSuperseded({ gun, roles: named, targets }, loaded);
        continue;
      }
      log.step(`${gun}: ${tags.join(', ')} already signed, nothing to publish`);
      return receipt(progress.attempts > 0 ? 'signed' : 'already-signed');
    }
    for (const { role } of edits) {
      const reason = loaded.unread.get(role.name);
      if (reason) tell(`${reason.message}; ${role.name} is signed again`);
    }
    demandMemory(edits, gun, context.memory);
    const publication = await signEdits(edits, keys, context.steps.drive);
    const signers = [...publication.keys()].join(', ');
    if (context.dryRun) {
      log.step(`${gun}: would publish ${tags.join(', ')} in ${signers} (dry run)`);
      return receipt('dry-run');
    }
    progress.attempts++;
    log.step(`${gun}: publishing ${tags.join(', ')} in ${signers}`);
    const outcome = await publisher.post({ gun, edits, publication, targets }, loaded);
    ({ isConfirmed, repository: loaded } = outcome);
  }
}

/** How often a role is held beside what it was: signed, as a file, and read back. */
const COPIES = 3;
/** Roles of a few thousand tags are not worth asking, in bytes. */
const SMALL_BYTES = 1024 * 1024;

function demandMemory(edits: readonly RoleEdit[], gun: Gun, memory: Memory): void {
  const bytes = edits.reduce((sum, { before }) => sum + (before?.length ?? 0), 0);
  const roles = edits.map(({ role }) => `${role.name}.json`).join(' and ');
  const what = `signing ${roles} of ${gun} again writes ${bytes} bytes`;
  if (bytes > SMALL_BYTES) memory.demand(COPIES * bytes, what);
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

function versionsOf(repository: TrustRepository, roles: readonly ChosenRole[]): Claim['roles'] {
  return roles.flatMap((role) => {
    const file = fileOf(repository, role.name);
    return file ? [{ role, version: file.content.version }] : [];
  });
}

function describeRoles(
  repository: TrustRepository,
  roles: readonly ChosenRole[],
): readonly SignedRole[] {
  return roles.flatMap(({ name, keyIds }) => {
    const file = fileOf(repository, name);
    if (!file) return [];
    const { version, expires } = file.content;
    return { name, version, expires, keyId: [...keyIds.values()].join(',') };
  });
}
