import type { Gun } from '../shared/image-reference.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { KeyId } from '../shared/tuf/key.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type FileMeta,
  type RoleName,
} from '../shared/tuf/metadata.ts';
import { parseSnapshot, parseTargets, parseTimestamp } from '../shared/tuf/parse.ts';
import { chooseRoles } from '../shared/tuf/role-choice.ts';
import {
  verifyRepository,
  type TrustExpectations,
  type TrustRepository,
} from '../shared/tuf/verify.ts';
import type { NotaryClient } from './notary-client.ts';

/** Whose delegations are to be loaded: those that sign these tags with these keys. */
export interface LoadInterest {
  readonly tags: readonly string[];
  /** Canonical ids. */
  readonly keyIds: readonly KeyId[];
}

/**
 * Fetches a repository and verifies it. Files are peeked into on the way to learn which to fetch
 * next; nothing of that is believed before the whole is verified.
 *
 * @throws SigningError REPOSITORY_NOT_INITIALISED, METADATA_*, ROOT_*, KEY_NOT_IN_ROLE, SERVER_*
 */
export async function loadRepository(
  client: NotaryClient,
  expected: TrustExpectations,
  { tags, keyIds }: LoadInterest,
): Promise<TrustRepository> {
  const root = await client.fetchRole(ROOT);
  if (!root) throw notInitialised(expected.gun);
  const timestamp = await required(client, TIMESTAMP);
  const { snapshot: meta } = parseTimestamp(TIMESTAMP, timestamp).content;
  const snapshot = await required(client, SNAPSHOT, meta);
  const listed = parseSnapshot(SNAPSHOT, snapshot).content.meta;
  const targets = await required(client, TARGETS, listed.get(TARGETS));

  const files = new Map([
    [ROOT, root],
    [TIMESTAMP, timestamp],
    [SNAPSHOT, snapshot],
    [TARGETS, targets],
  ]);
  // Verified before its keys are compared with ours: of a root for another name, say that.
  const trusted = verifyRepository(files, expected);
  const chosen = chooseRoles(
    trusted.root.content,
    parseTargets(TARGETS, targets).content,
    tags,
    keyIds,
  );
  const delegations = chosen.filter(({ name }) => name !== TARGETS && listed.has(name));
  if (delegations.length === 0) return trusted;
  await Promise.all(
    delegations.map(async ({ name }) => {
      files.set(name, await required(client, name, listed.get(name)));
    }),
  );
  return verifyRepository(files, expected);
}

async function required(
  client: NotaryClient,
  role: RoleName,
  meta?: FileMeta,
): Promise<Uint8Array> {
  const sha256 = meta?.hashes.get('sha256');
  const hex = sha256 === undefined ? undefined : Buffer.from(sha256, 'base64').toString('hex');
  const bytes = await client.fetchRole(role, hex);
  if (bytes) return bytes;
  throw new SigningError(
    'METADATA_INCONSISTENT',
    `the server lists ${role}.json${hex ? ` with SHA-256 ${hex}` : ''}, and does not have it`,
  );
}

function notInitialised(gun: Gun): SigningError {
  return new SigningError('REPOSITORY_NOT_INITIALISED', `there is no trust data for ${gun}`, {
    fix:
      `Run once, with a root key that you keep: notary init ${gun} && ` +
      `notary key rotate ${gun} snapshot -r && notary publish ${gun}. A build never does that.`,
  });
}
