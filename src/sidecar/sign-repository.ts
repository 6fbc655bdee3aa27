import { isPlainHttp, type NotaryUrl } from '../shared/notary-url.ts';
import { asSigningError } from '../shared/signing-error.ts';
import { editRoles, fileOf, signEdits, type SigningKey } from '../shared/tuf/publication.ts';
import { whoMisses } from '../shared/tuf/reader.ts';
import { chooseRoles, type ChosenRole } from '../shared/tuf/role-choice.ts';
import type { TrustRepository } from '../shared/tuf/verify.ts';
import type { Log } from './log.ts';
import type { NotaryClient } from './notary-client.ts';
import { publish } from './publish.ts';
import { createConflicts, type Pause } from './publish-conflict.ts';
import {
  failureOf,
  type RepositoryReceipt,
  type SignedRole,
  type SigningResult,
} from './receipt.ts';
import { loadRepository } from './repository-loader.ts';
import type { RepositoryPlan } from './signing-plan.ts';

/** What signing one repository needs beside the plan. */
export interface SigningContext {
  readonly url: NotaryUrl;
  readonly client: NotaryClient;
  readonly keys: readonly SigningKey[];
  readonly rootPins: readonly string[];
  readonly now: () => Date;
  readonly pause: Pause;
  readonly log: Log;
}

/**
 * Signs the targets of one repository: load and verify, edit, publish, read back; and again when
 * another publisher was faster. Never throws because of what it met: that stands in the receipt, and
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
  const tags = targets.map(({ tag }) => tag);
  const held = keys.map(({ canonicalId }) => canonicalId);
  const load = (rootPins: readonly string[]) =>
    loadRepository(client, { gun, rootPins, now: now() });

  let loaded = await load(context.rootPins);
  log.step(`${gun} at ${url}: ${describeTrust(loaded, context.rootPins)}`);
  for (const reason of loaded.rejected.values()) log.warn(`passed over: ${reason.message}`);
  // The root seen first is the one for all that follows: no other may step in between.
  const { rootKeyIds } = loaded;
  const reload = () => load(rootKeyIds);

  const lost = createConflicts(context.pause);
  for (;;) {
    const roles = chooseRoles(loaded.root.content, loaded.targets.content, tags, held);
    const edits = editRoles(loaded, roles, targets, now());
    const receipt = (result: SigningResult, repository: TrustRepository): RepositoryReceipt => {
      for (const target of targets) for (const who of whoMisses(repository, target)) log.warn(who);
      const signed = describeRoles(repository, roles);
      const { attempts } = progress;
      return { gun, server: url, result, roles: signed, rootKeyIds, targets, attempts };
    };
    if (edits.length === 0) {
      log.step(`${gun}: ${tags.join(', ')} already signed, nothing to publish`);
      return receipt('already-signed', loaded);
    }
    const publication = await signEdits(edits, keys);
    progress.attempts++;
    try {
      const current = await publish(client, { gun, edits, publication, targets }, reload);
      const signers = [...publication.keys()].join(', ');
      log.step(`${gun}: published ${tags.join(', ')} in ${signers}, read back and verified`);
      return receipt('signed', current);
    } catch (error) {
      loaded = await lost.wait(error, loaded, reload);
      log.step(`${gun}: another publisher was faster; once more from what it left`);
    }
  }
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
