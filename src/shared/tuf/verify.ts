import { createHash } from 'node:crypto';
import type { Gun } from '../image-reference.ts';
import { SigningError } from '../signing-error.ts';
import { keyFingerprint, keyId, verifySignature, type KeyId, type PublicKey } from './key.ts';
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

/** What a server serves for a repository, by role; delegations as far as somebody wants them. */
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
  /** `targets` and the delegations among the files. */
  readonly targets: ReadonlyMap<RoleName, MetadataFile<Targets>>;
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

  // 5.6.7 Delegations: the same, by the keys that `targets` names for them.
  const { delegations } = targets.content;
  checkKeyIds(delegations.keys, TARGETS);
  const verifiedTargets = new Map([[TARGETS, targets]]);
  for (const delegation of delegations.roles) {
    const bytes = files.get(delegation.name);
    if (!bytes) continue;
    checkHashes(bytes, delegation.name, snapshotMeta(snapshot, delegation.name));
    const content = parseTargets(delegation.name, bytes);
    checkSignatures(content, delegation.name, delegation, delegations.keys);
    checkExpiry(content, delegation.name, now);
    verifiedTargets.set(delegation.name, content);
  }

  return {
    gun,
    rootKeyIds,
    root,
    timestamp,
    snapshot,
    targets: verifiedTargets,
  } as unknown as TrustRepository;
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

/** Every key stands under its own id: else a role's id could be made to mean another key. */
function checkKeyIds(keys: ReadonlyMap<KeyId, PublicKey>, role: RoleName): void {
  for (const [id, key] of keys) {
    if (keyId(key) !== id) {
      throw new SigningError('METADATA_INVALID', `${role}.json holds another key under id ${id}`);
    }
  }
}

/**
 * Signatures by `threshold` distinct keys of the role. A key counts once, however often it signs
 * and whatever ids it goes by.
 */
function checkSignatures(
  { signatures, signedText }: MetadataFile<unknown>,
  role: RoleName,
  { keyIds, threshold }: RoleKeys,
  keys: ReadonlyMap<KeyId, PublicKey>,
): KeyId[] {
  const message = Buffer.from(signedText);
  const signers = new Map<string, KeyId>();
  for (const id of keyIds) {
    const key = keys.get(id);
    if (!key) continue;
    const valid = signatures.some(
      ({ keyId, method, sig }) =>
        keyId === id && verifySignature(key, method, message, Buffer.from(sig, 'base64')),
    );
    if (valid) signers.set(keyFingerprint(key) ?? id, id);
  }
  if (signers.size < threshold) {
    throw new SigningError(
      'METADATA_INVALID',
      `${role}.json has ${signers.size} valid signatures by its keys, and needs ${threshold}`,
    );
  }
  return [...signers.values()];
}

function checkExpiry(
  { content }: MetadataFile<{ readonly expires: string }>,
  role: RoleName,
  now: Date,
): void {
  if (Date.parse(content.expires) <= now.getTime()) {
    throw new SigningError('METADATA_EXPIRED', `${role}.json expired at ${content.expires}`);
  }
}

/** Length and SHA-256 (and SHA-512 where given) of the raw bytes are those that `meta` names. */
function checkHashes(bytes: Uint8Array, role: RoleName, meta: FileMeta): void {
  const sha256 = meta.hashes.get('sha256');
  const sha512 = meta.hashes.get('sha512');
  const matches =
    bytes.length === meta.length &&
    sha256 === createHash('sha256').update(bytes).digest('base64') &&
    (sha512 === undefined || sha512 === createHash('sha512').update(bytes).digest('base64'));
  if (!matches) {
    throw new SigningError(
      'METADATA_INCONSISTENT',
      `${role}.json is not the file that its ${role === SNAPSHOT ? 'timestamp' : 'snapshot'} names`,
    );
  }
}
