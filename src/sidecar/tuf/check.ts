import { createHash } from 'node:crypto';
import { SigningError } from '../../shared/signing-error.ts';
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
} from './metadata.ts';
import type { TrustRepository } from './trust-repository.ts';
import type { Work } from './work.ts';

/**
 * Every key stands under its own id: else a role's id could be made to mean another key.
 *
 * @throws SigningError METADATA_INVALID
 */
export function checkKeyIds(keys: ReadonlyMap<KeyId, PublicKey>, role: RoleName): void {
  for (const [id, key] of keys) {
    if (keyId(key) !== id) {
      throw new SigningError('METADATA_INVALID', `${role}.json holds another key under id ${id}`);
    }
  }
}

/**
 * Signatures by `threshold` distinct keys of the role. A key counts once, however often it signs
 * and whatever ids it goes by.
 *
 * @returns the ids of the keys that signed, as the role lists them
 * @throws SigningError METADATA_INVALID
 */
export function* checkSignatures(
  { signatures, signed }: MetadataFile<unknown>,
  role: RoleName,
  { keyIds, threshold }: RoleKeys,
  keys: ReadonlyMap<KeyId, PublicKey>,
): Work<KeyId[]> {
  if (!signed) throw new Error(`what ${role} signed is gone`);
  const signers = new Map<string, KeyId>();
  for (const id of new Set(keyIds)) {
    const key = keys.get(id);
    if (!key) continue;
    for (const { keyId, method, sig } of signatures) {
      if (keyId !== id) continue;
      // Each of them reads the whole file, and there may be many.
      yield;
      if (!verifySignature(key, method, signed, Buffer.from(sig, 'base64'))) continue;
      signers.set(keyFingerprint(key) ?? id, id);
      break;
    }
  }
  if (signers.size < threshold) {
    throw new SigningError(
      'METADATA_INVALID',
      `${role}.json has ${signers.size} valid signatures by its keys, and needs ${threshold}`,
    );
  }
  return [...signers.values()];
}

/**
 * Length and SHA-256 (and SHA-512 where given) of the raw bytes are those that `meta` names.
 *
 * @throws SigningError METADATA_INCONSISTENT
 */
export function* checkHashes(bytes: Uint8Array, role: RoleName, meta: FileMeta): Work<void> {
  const sha256 = meta.hashes.get('sha256');
  const sha512 = meta.hashes.get('sha512');
  const matches =
    bytes.length === meta.length &&
    sha256 === (yield* hashInSteps('sha256', bytes)).toString('base64') &&
    (sha512 === undefined || sha512 === (yield* hashInSteps('sha512', bytes)).toString('base64'));
  if (!matches) {
    throw new SigningError(
      'METADATA_INCONSISTENT',
      `${role}.json is not the file that its ${role === SNAPSHOT ? 'timestamp' : 'snapshot'} names`,
    );
  }
}

/**
 * The keys that were trusted before have signed the root that is served now: a root that was rotated
 * meanwhile is signed by old and new keys (TUF specification 5.3.4), any other is somebody else's.
 *
 * @throws SigningError ROOT_REPLACED
 */
export function* checkRootSuccession(
  root: MetadataFile<Root>,
  earlier: TrustRepository,
): Work<void> {
  const { content } = earlier.root;
  const threshold = content.roles.get(ROOT)?.threshold ?? 1;
  try {
    yield* checkSignatures(root, ROOT, { keyIds: earlier.rootKeyIds, threshold }, content.keys);
  } catch (cause) {
    if (!(cause instanceof SigningError)) throw cause;
    const what = `the root of ${earlier.gun} was replaced while it was being signed, and the keys of the root before it (${earlier.rootKeyIds.join(', ')}) did not sign the new one`;
    throw new SigningError('ROOT_REPLACED', what, { cause });
  }
}

/**
 * No role is served in an older version than a moment ago (TUF specification 5.3.5, 5.4.3, 5.5.5,
 * 5.6.4).
 *
 * @throws SigningError METADATA_ROLLED_BACK
 */
export function checkNotOlder(current: TrustRepository, earlier: TrustRepository): void {
  const before = versions(earlier);
  for (const [role, version] of versions(current)) {
    const last = before.get(role) ?? 0;
    if (version < last) {
      throw new SigningError(
        'METADATA_ROLLED_BACK',
        `${role}.json of ${current.gun} was served in version ${last}, and is now in ${version}`,
        { isTransient: true },
      );
    }
  }
}

function versions(repository: TrustRepository): ReadonlyMap<RoleName, number> {
  const { root, timestamp, snapshot, targets, delegations } = repository;
  const files: readonly (readonly [RoleName, MetadataFile<{ readonly version: number }>])[] = [
    [ROOT, root],
    [TIMESTAMP, timestamp],
    [SNAPSHOT, snapshot],
    [TARGETS, targets],
    ...delegations,
  ];
  return new Map(files.map(([role, { content }]) => [role, content.version]));
}

/** Some milliseconds of hashing, in bytes. */
const HASHED_AT_ONCE = 1024 * 1024;

/** A hash of bytes that may be many. */
export function* hashInSteps(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): Work<Buffer> {
  const hash = createHash(algorithm);
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) {
    if (at > 0) yield;
    hash.update(bytes.subarray(at, at + HASHED_AT_ONCE));
  }
  return hash.digest();
}

/** The SHA-256 by which one file names another, as hex; empty where it names none. */
export function namedSha256({ hashes }: FileMeta): string {
  return Buffer.from(hashes.get('sha256') ?? '', 'base64').toString('hex');
}

/** A file that readers must have, and cannot get. */
export function missingFile(role: RoleName, meta?: FileMeta): SigningError {
  const sha256 = meta && namedSha256(meta);
  const which = sha256 === undefined ? '' : ` with SHA-256 ${sha256}`;
  return new SigningError(
    'METADATA_INCONSISTENT',
    `the server lists ${role}.json${which}, and does not have it`,
    {
      fix:
        `No client can read this repository: ${role} was published with bytes that the server writes ` +
        'differently. Its owner publishes the role again, correctly and with a higher version.',
    },
  );
}
