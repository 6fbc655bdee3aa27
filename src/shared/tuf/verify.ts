import type { Gun } from '../image-reference.ts';
import { SigningError } from '../signing-error.ts';
import { command } from '../shell-command.ts';
import { checkHashes, checkKeyIds, checkSignatures, missingFile } from './check.ts';
import { checkExpiry, inDate, type Clocks } from './expiry.ts';
import type { KeyId } from './key.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type Delegation,
  type FileMeta,
  type MetadataFile,
  type RoleKeys,
  type RoleName,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from './metadata.ts';
import { parseRoot, parseSnapshot, parseTargets, parseTimestamp } from './parse.ts';
import { trustedRootKeys } from './root-certificate.ts';
import { checkNotOlder, checkRootSuccession } from './succession.ts';

/**
 * What a server serves for a repository, by role: every role that the snapshot lists; and delegations
 * that it does not list, where those are asked for.
 */
export type RepositoryFiles = ReadonlyMap<RoleName, Uint8Array>;

/** What the caller knows before it looks at any file. */
export interface TrustExpectations extends Clocks {
  /** Root key ids, TUF or canonical, one of which must have signed; empty: trust on first use. */
  readonly rootPins: readonly string[];
  /**
   * The repository as it was loaded before: nothing may go back behind it, and a root that was
   * rotated meanwhile is signed by its root keys.
   */
  readonly earlier?: TrustRepository;
}

declare const verified: unique symbol;

/** A repository whose every file was verified. Holding one is the proof: {@link verifyRepository}
 * is its only maker. */
export interface TrustRepository {
  readonly [verified]: true;
  readonly gun: Gun;
  /** Ids of the root keys that signed, as root.json lists them. */
  readonly rootKeyIds: readonly KeyId[];
  readonly root: MetadataFile<Root>;
  readonly timestamp: MetadataFile<Timestamp>;
  readonly snapshot: MetadataFile<Snapshot>;
  readonly targets: MetadataFile<Targets>;
  /** The delegations that `targets` names and that their keys have signed. */
  readonly delegations: ReadonlyMap<RoleName, MetadataFile<Targets>>;
  /**
   * Those of `targets` and delegations that readers do not read, and why: they have expired, or the
   * snapshot does not list them. To sign them again is the cure.
   */
  readonly unread: ReadonlyMap<RoleName, SigningError>;
  /** Delegations that their keys have not signed, and why not: readers pass over them. */
  readonly rejected: ReadonlyMap<RoleName, SigningError>;
}

/**
 * Verifies a whole repository, in the order of the TUF specification's client workflow (5.3 root,
 * 5.4 timestamp, 5.5 snapshot, 5.6 targets) as far as Notary v1 has it. Every signature, version,
 * expiry and hash link is checked before anything is believed.
 *
 * @throws SigningError ROOT_NAME_MISMATCH, ROOT_PIN_MISMATCH, ROOT_REPLACED, METADATA_INVALID, METADATA_EXPIRED,
 * METADATA_INCONSISTENT, METADATA_ROLLED_BACK
 */
export function verifyRepository(
  files: RepositoryFiles,
  expected: TrustExpectations,
): TrustRepository {
  const { gun, earlier } = expected;

  // 5.3 Root: named for this GUN and pinned (root-certificate.ts), signed by enough of those keys,
  // every key under its own id, in date, and the successor of the root that was trusted before.
  const root = parseRoot(ROOT, file(files, ROOT));
  checkKeyIds(root.content.keys, ROOT);
  const rootRole = keysOf(root.content, ROOT);
  if (earlier) checkRootSuccession(root, earlier);
  const rootKeys = inDate(expected, ROOT, (now) =>
    trustedRootKeys(root.content, gun, expected.rootPins, now),
  );
  const rootKeyIds = checkSignatures(
    root,
    ROOT,
    { ...rootRole, keyIds: [...rootKeys.keys()] },
    rootKeys,
  );
  checkExpiry(root, ROOT, expected);

  // 5.4 Timestamp: signed by the root's timestamp key (arbitrary software attacks), in date (freeze
  // attacks).
  const timestamp = parseTimestamp(TIMESTAMP, file(files, TIMESTAMP));
  checkSignatures(timestamp, TIMESTAMP, keysOf(root.content, TIMESTAMP), root.content.keys);
  checkExpiry(timestamp, TIMESTAMP, expected);

  // 5.5 Snapshot: the file that the timestamp names (mix-and-match), signed, in date; and it names
  // the very root that we trust.
  checkHashes(file(files, SNAPSHOT), SNAPSHOT, timestamp.content.snapshot);
  const snapshot = parseSnapshot(SNAPSHOT, file(files, SNAPSHOT));
  checkSignatures(snapshot, SNAPSHOT, keysOf(root.content, SNAPSHOT), root.content.keys);
  checkExpiry(snapshot, SNAPSHOT, expected);
  checkHashes(file(files, ROOT), ROOT, snapshotMeta(snapshot, ROOT));

  // 5.6 Targets: the file that the snapshot names, signed.
  checkHashes(file(files, TARGETS), TARGETS, snapshotMeta(snapshot, TARGETS));
  const targets = parseTargets(TARGETS, file(files, TARGETS));
  checkSignatures(targets, TARGETS, keysOf(root.content, TARGETS), root.content.keys);

  // 5.6.7 Delegations: a file that is not the one the snapshot names makes the whole repository
  // unreadable for every client, whoever's it is. Signed by the keys that `targets` names: one that
  // is not is passed over.
  const { delegations, rejected } = verifyDelegations(files, targets, snapshot, expected);

  const repository = {
    ...{ gun, rootKeyIds, root, timestamp, snapshot, targets, delegations, rejected },
    unread: unreadRoles(new Map([[TARGETS, targets], ...delegations]), snapshot, expected),
  } as unknown as TrustRepository;
  if (earlier) checkNotOlder(repository, earlier);
  return repository;
}

function verifyDelegations(
  files: RepositoryFiles,
  { content }: MetadataFile<Targets>,
  snapshot: MetadataFile<Snapshot>,
  clocks: Clocks,
): Pick<TrustRepository, 'delegations' | 'rejected'> {
  checkKeyIds(content.delegations.keys, TARGETS);
  // A server goes on listing delegations that were removed, and no reader asks for those.
  const isDeclared = (role: RoleName) =>
    content.delegations.roles.some(({ name }) => role === name || role.startsWith(`${name}/`));
  for (const [role, meta] of snapshot.content.meta) {
    if (!isDeclared(role)) continue;
    const bytes = files.get(role);
    if (!bytes) throw missingFile(role, meta);
    checkHashes(bytes, role, meta);
  }
  const delegations = new Map<RoleName, MetadataFile<Targets>>();
  const rejected = new Map<RoleName, SigningError>();
  for (const delegation of content.delegations.roles) {
    const { name } = delegation;
    if (!files.has(name)) continue;
    const isListed = snapshot.content.meta.has(name);
    const verdict = errorOf(() => {
      delegations.set(
        name,
        verifyDelegation(file(files, name), delegation, content, isListed, clocks),
      );
    });
    if (verdict) rejected.set(name, verdict);
  }
  return { delegations, rejected };
}

/**
 * Verifies the file of one delegation by the keys that `targets` names for it.
 *
 * @param isListed whether the snapshot lists it
 * @throws SigningError METADATA_INVALID
 */
function verifyDelegation(
  bytes: Uint8Array,
  delegation: Delegation,
  { delegations }: Targets,
  isListed: boolean,
  { gun, server }: Clocks,
): MetadataFile<Targets> {
  const { name } = delegation;
  const parsed = parseTargets(name, bytes);
  const verdict = errorOf(() => checkSignatures(parsed, name, delegation, delegations.keys));
  if (!verdict) return parsed;
  const url = server?.url ?? '<url>';
  throw new SigningError('METADATA_INVALID', verdict.message, {
    cause: verdict,
    fix: isListed
      ? `The keys of ${name} were replaced after it was signed: the owner of a new key runs ` +
        `${command`notary -s ${url} witness ${gun} ${name} && notary -s ${url} publish ${gun}`}, ` +
        'which signs again what the role holds; then build again.'
      : `The server still has ${name} as it was before it was removed and got other keys, which no ` +
        'client sees and none can replace: add the delegation under another name.',
  });
}

function unreadRoles(
  files: ReadonlyMap<RoleName, MetadataFile<Targets>>,
  snapshot: MetadataFile<Snapshot>,
  clocks: Clocks,
): ReadonlyMap<RoleName, SigningError> {
  return new Map(
    [...files].flatMap(([role, file]) => {
      const verdict = errorOf(() => {
        snapshotMeta(snapshot, role);
        checkExpiry(file, role, clocks);
      });
      return verdict ? [[role, verdict] as const] : [];
    }),
  );
}

function errorOf(check: () => void): SigningError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof SigningError) return error;
    throw error;
  }
}

function file(files: RepositoryFiles, role: RoleName): Uint8Array {
  const bytes = files.get(role);
  if (!bytes) throw new SigningError('METADATA_INCONSISTENT', `${role}.json is missing`);
  return bytes;
}

function keysOf(root: Root, role: RoleName): RoleKeys {
  const keys = root.roles.get(role);
  if (!keys) throw new SigningError('METADATA_INVALID', `root.json names no keys for ${role}`);
  return keys;
}

function snapshotMeta(snapshot: MetadataFile<Snapshot>, role: RoleName): FileMeta {
  const meta = snapshot.content.meta.get(role);
  if (!meta) throw new SigningError('METADATA_INCONSISTENT', `snapshot.json does not list ${role}`);
  return meta;
}
