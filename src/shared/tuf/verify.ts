import type { Gun } from '../image-reference.ts';
import { SigningError } from '../signing-error.ts';
import { checkExpiry, checkHashes, checkKeyIds, checkSignatures } from './check.ts';
import type { KeyId } from './key.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
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

/** What a server serves for a repository, by role: every role that the snapshot lists. */
export type RepositoryFiles = ReadonlyMap<RoleName, Uint8Array>;

/** What the caller knows before it looks at any file. */
export interface TrustExpectations {
  readonly gun: Gun;
  /** Root key ids, TUF or canonical, one of which must have signed; empty: trust on first use. */
  readonly rootPins: readonly string[];
  readonly now: Date;
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
  /** The direct delegations that a reader accepts. */
  readonly delegations: ReadonlyMap<RoleName, MetadataFile<Targets>>;
  /** Those that a reader passes over, and why. */
  readonly rejected: ReadonlyMap<RoleName, SigningError>;
}

/**
 * Verifies a whole repository, in the order of the TUF specification's client workflow (5.3 root,
 * 5.4 timestamp, 5.5 snapshot, 5.6 targets) as far as Notary v1 has it. Every signature, version,
 * expiry and hash link is checked before anything is believed.
 *
 * @throws SigningError ROOT_NAME_MISMATCH, ROOT_PIN_MISMATCH, METADATA_INVALID, METADATA_EXPIRED,
 * METADATA_INCONSISTENT
 */
export function verifyRepository(
  files: RepositoryFiles,
  expected: TrustExpectations,
): TrustRepository {
  const { gun, now } = expected;

  // 5.3 Root: named for this GUN and pinned (root-certificate.ts), signed by enough of those keys,
  // every key under its own id, in date. Without an earlier root there is no rollback to detect.
  const root = parseRoot(ROOT, file(files, ROOT));
  checkKeyIds(root.content.keys, ROOT);
  const rootRole = keysOf(root.content, ROOT);
  const rootKeys = trustedRootKeys(root.content, gun, expected.rootPins, now);
  const rootKeyIds = checkSignatures(
    root,
    ROOT,
    { ...rootRole, keyIds: [...rootKeys.keys()] },
    rootKeys,
  );
  checkExpiry(root, ROOT, now);

  // 5.4 Timestamp: signed by the root's timestamp key (arbitrary software attacks), in date (freeze
  // attacks).
  const timestamp = parseTimestamp(TIMESTAMP, file(files, TIMESTAMP));
  checkSignatures(timestamp, TIMESTAMP, keysOf(root.content, TIMESTAMP), root.content.keys);
  checkExpiry(timestamp, TIMESTAMP, now);

  // 5.5 Snapshot: the file that the timestamp names (mix-and-match), signed, in date; and it names
  // the very root that we trust.
  checkHashes(file(files, SNAPSHOT), SNAPSHOT, timestamp.content.snapshot);
  const snapshot = parseSnapshot(SNAPSHOT, file(files, SNAPSHOT));
  checkSignatures(snapshot, SNAPSHOT, keysOf(root.content, SNAPSHOT), root.content.keys);
  checkExpiry(snapshot, SNAPSHOT, now);
  checkHashes(file(files, ROOT), ROOT, snapshotMeta(snapshot, ROOT));

  // 5.6 Targets: the file that the snapshot names, signed, in date.
  checkHashes(file(files, TARGETS), TARGETS, snapshotMeta(snapshot, TARGETS));
  const targets = parseTargets(TARGETS, file(files, TARGETS));
  checkSignatures(targets, TARGETS, keysOf(root.content, TARGETS), root.content.keys);
  checkExpiry(targets, TARGETS, now);

  // 5.6.7 Delegations: a file that is not the one the snapshot names makes the whole repository
  // unreadable for every client, whoever's it is. Signed by the keys that `targets` names, in date:
  // one that is not is passed over.
  const { delegations, rejected } = verifyDelegations(files, targets, snapshot, now);

  const repository = { gun, rootKeyIds, root, timestamp, snapshot, targets, delegations, rejected };
  return repository as unknown as TrustRepository;
}

function verifyDelegations(
  files: RepositoryFiles,
  { content }: MetadataFile<Targets>,
  snapshot: MetadataFile<Snapshot>,
  now: Date,
): Pick<TrustRepository, 'delegations' | 'rejected'> {
  checkKeyIds(content.delegations.keys, TARGETS);
  for (const [role, meta] of snapshot.content.meta) {
    if (role.startsWith(`${TARGETS}/`)) checkHashes(file(files, role), role, meta);
  }
  const delegations = new Map<RoleName, MetadataFile<Targets>>();
  const rejected = new Map<RoleName, SigningError>();
  for (const delegation of content.delegations.roles) {
    const { name } = delegation;
    if (!snapshot.content.meta.has(name)) continue;
    try {
      const parsed = parseTargets(name, file(files, name));
      checkSignatures(parsed, name, delegation, content.delegations.keys);
      checkExpiry(parsed, name, now);
      delegations.set(name, parsed);
    } catch (error) {
      if (!(error instanceof SigningError)) throw error;
      rejected.set(name, error);
    }
  }
  return { delegations, rejected };
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
