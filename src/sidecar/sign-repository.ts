import type { SignerErrorCode } from '../shared/error-code.ts';
import { isPlainHttp, type NotaryUrl } from '../shared/notary-url.ts';
import { asSigningError, SigningError } from '../shared/signing-error.ts';
import {
  editRoles,
  fileOf,
  names,
  signEdits,
  type Publication,
  type RoleEdit,
  type SigningKey,
} from '../shared/tuf/publication.ts';
import { whoMisses } from '../shared/tuf/reader.ts';
import { chooseRoles, type ChosenRole } from '../shared/tuf/role-choice.ts';
import type { TrustRepository } from '../shared/tuf/verify.ts';
import type { Log } from './log.ts';
import type { NotaryClient } from './notary-client.ts';
import { failureOf, type RepositoryReceipt, type SignedRole } from './receipt.ts';
import { loadRepository } from './repository-loader.ts';
import type { RepositoryPlan } from './signing-plan.ts';

/** What signing one repository needs beside the plan. */
export interface SigningContext {
  readonly url: NotaryUrl;
  readonly client: NotaryClient;
  readonly keys: readonly SigningKey[];
  readonly rootPins: readonly string[];
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * Signs the targets of one repository: load and verify, edit, publish once, read back. Never throws
 * because of what it met: that stands in the receipt, and other repositories go on.
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
      ...failureOf(asSigningError(error)),
    };
  }
}

async function loadEditPublish(
  plan: RepositoryPlan,
  context: SigningContext,
  progress: { attempts: number },
): Promise<RepositoryReceipt> {
  const { client, keys, url, log, now } = context;
  const { gun, targets } = plan;
  if (isPlainHttp(url)) log.warn(`${url} is plain http: what it serves can be changed on the way`);
  const load = (rootPins: readonly string[]) =>
    loadRepository(client, { gun, rootPins, now: now() });

  const loaded = await load(context.rootPins);
  log.step(`${gun} at ${url}: ${describeTrust(loaded, context.rootPins)}`);
  for (const reason of loaded.rejected.values()) log.warn(`passed over: ${reason.message}`);
  const tags = targets.map(({ tag }) => tag);
  const held = keys.map(({ canonicalId }) => canonicalId);
  const roles = chooseRoles(loaded.root.content, loaded.targets.content, tags, held);
  const edits = editRoles(loaded, roles, targets, now());
  const describe = (repository: TrustRepository) => {
    for (const target of targets) for (const who of whoMisses(repository, target)) log.warn(who);
    return {
      rootKeyIds: loaded.rootKeyIds,
      roles: describeRoles(repository, roles),
      targets,
      attempts: progress.attempts,
    };
  };
  if (edits.length === 0) {
    log.step(`${gun}: ${tags.join(', ')} already signed, nothing to publish`);
    return { gun, server: url, result: 'already-signed', ...describe(loaded) };
  }

  const publication = await signEdits(edits, keys);
  progress.attempts++;
  // The root seen first is the one to read back under: no other may step in between.
  const current = await publish(client, publication, async () =>
    readBack(edits, plan, url, await load(loaded.rootKeyIds)),
  );
  log.step(`${gun}: published ${tags.join(', ')} in ${[...publication.keys()].join(', ')}`);
  log.step(`${gun}: read back and verified`);
  return { gun, server: url, result: 'signed', ...describe(current) };
}

/** Errors after which nobody knows whether the server took a publish. */
const UNKNOWN_OUTCOME: readonly SignerErrorCode[] = ['SERVER_UNREACHABLE', 'DEADLINE_EXCEEDED'];

/**
 * Publishes, and believes what can be read back, and nothing else: neither a 200, nor a connection
 * that broke when the server may have had it all.
 *
 * @throws SigningError READ_BACK_FAILED when the metadata is, or may be, out and unconfirmed; what
 * the server refused it with
 */
async function publish(
  client: NotaryClient,
  publication: Publication,
  readBack: () => Promise<TrustRepository>,
): Promise<TrustRepository> {
  const broken = await client.publish(publication).catch((error: unknown) => {
    if (error instanceof SigningError && UNKNOWN_OUTCOME.includes(error.code)) return error;
    throw error;
  });
  return readBack().catch((error: unknown) => {
    const cause = asSigningError(error);
    const outcome = broken
      ? `it is not known whether ${client.url} took the metadata (${broken.message})`
      : `${client.url} took the metadata`;
    throw new SigningError(
      'READ_BACK_FAILED',
      `${outcome}, and reading it back failed: ${cause.message}`,
      { cause },
    );
  });
}

/**
 * The repository as it is served after a publish, if it has the versions that we posted or later
 * ones, with our targets in them.
 */
function readBack(
  edits: readonly RoleEdit[],
  { gun, targets }: RepositoryPlan,
  url: NotaryUrl,
  current: TrustRepository,
): TrustRepository {
  for (const { role, targets: edited } of edits) {
    const served = fileOf(current, role.name)?.content;
    const wanted = targets.filter(({ tag }) => role.tags.includes(tag));
    const isServed = wanted.every((target) => names(served, target));
    if (!served || served.version < edited.version || !isServed) {
      const posted = `${role.name} version ${edited.version} of ${gun}`;
      const version = served ? `version ${served.version}` : 'none';
      throw new SigningError('READ_BACK_FAILED', `we posted ${posted}; ${url} serves ${version}`);
    }
  }
  return current;
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
