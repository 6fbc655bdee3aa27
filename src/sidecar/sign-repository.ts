import { SigningError } from '../shared/signing-error.ts';
import { isPlainHttp, type NotaryUrl } from '../shared/notary-url.ts';
import { TARGETS } from '../shared/tuf/metadata.ts';
import {
  editRoles,
  names,
  signEdits,
  type RoleEdit,
  type SigningKey,
} from '../shared/tuf/publication.ts';
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
 * a SigningError: what went wrong stands in the receipt, and other repositories go on.
 */
export async function signRepository(
  plan: RepositoryPlan,
  context: SigningContext,
): Promise<RepositoryReceipt> {
  const progress = { attempts: 0 };
  try {
    return await loadEditPublish(plan, context, progress);
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    return {
      gun: plan.gun,
      server: context.url,
      result: 'failed',
      roles: [],
      rootKeyIds: [],
      targets: plan.targets,
      attempts: progress.attempts,
      ...failureOf(error),
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
  const interest = {
    tags: targets.map(({ tag }) => tag),
    keyIds: keys.map(({ canonicalId }) => canonicalId),
  };
  const load = (rootPins: readonly string[]) =>
    loadRepository(client, { gun, rootPins, now: now() }, interest);

  const loaded = await load(context.rootPins);
  log.step(`${gun} at ${url}: ${describeTrust(loaded, context.rootPins)}`);
  const roles = chosenRoles(loaded, interest);
  const edits = editRoles(loaded, roles, targets, now());
  const receipt = { gun, server: url, rootKeyIds: loaded.rootKeyIds, targets };
  if (edits.length === 0) {
    log.step(`${gun}: ${interest.tags.join(', ')} already signed, nothing to publish`);
    return {
      ...receipt,
      result: 'already-signed',
      roles: describeRoles(loaded, roles),
      attempts: 0,
    };
  }

  const publication = await signEdits(edits, keys);
  progress.attempts++;
  await client.publish(publication);
  log.step(
    `${gun}: published ${interest.tags.join(', ')} in ${[...publication.keys()].join(', ')}`,
  );

  const current = await readBack(edits, plan, url, () =>
    // The root seen first is the one to read back under: no other may step in between.
    load(loaded.rootKeyIds),
  );
  log.step(`${gun}: read back and verified`);
  return {
    ...receipt,
    result: 'signed',
    roles: describeRoles(current, roles),
    attempts: progress.attempts,
  };
}

/**
 * What the server serves after a publish: the versions that we posted or later ones, with our
 * targets in them.
 *
 * @throws SigningError READ_BACK_FAILED, whatever the reason: the metadata is out, unconfirmed
 */
async function readBack(
  edits: readonly RoleEdit[],
  { gun, targets }: RepositoryPlan,
  url: NotaryUrl,
  load: () => Promise<TrustRepository>,
): Promise<TrustRepository> {
  const current = await load().catch((cause: unknown) => {
    if (!(cause instanceof SigningError)) throw cause;
    const why = `${url} took the metadata of ${gun}, and reading it back failed`;
    throw new SigningError('READ_BACK_FAILED', `${why} (${cause.code}): ${cause.message}`, {
      cause,
    });
  });
  for (const { role, targets: edited } of edits) {
    const served = current.targets.get(role.name)?.content;
    const wanted = targets.filter(({ tag }) => role.tags.includes(tag));
    const isServed = wanted.every((target) => names(served, target));
    if (!served || served.version < edited.version || !isServed) {
      const posted = `${role.name} version ${edited.version} of ${gun}`;
      throw new SigningError('READ_BACK_FAILED', `${url} took ${posted}, and serves another`);
    }
  }
  return current;
}

function chosenRoles(
  { root, targets }: TrustRepository,
  { tags, keyIds }: Parameters<typeof loadRepository>[2],
): readonly ChosenRole[] {
  const content = targets.get(TARGETS)?.content;
  if (!content) throw new SigningError('INTERNAL', 'a verified repository has no targets');
  return chooseRoles(root.content, content, tags, keyIds);
}

function describeTrust(
  { root, snapshot, targets, rootKeyIds }: TrustRepository,
  pins: readonly string[],
): string {
  const versions = [
    `root ${root.content.version}`,
    `snapshot ${snapshot.content.version}`,
    ...[...targets].map(([role, { content }]) => `${role} ${content.version}`),
  ];
  const trust = pins.length > 0 ? 'pinned' : 'not pinned: trusted on first use';
  return `${versions.join(', ')}; root key ${rootKeyIds.join(', ')} (${trust})`;
}

function describeRoles(
  { targets }: TrustRepository,
  roles: readonly ChosenRole[],
): readonly SignedRole[] {
  return roles.flatMap(({ name, keyIds }) => {
    const file = targets.get(name);
    if (!file) return [];
    const { version, expires } = file.content;
    return { name, version, expires, keyId: [...keyIds.values()].join(',') };
  });
}
