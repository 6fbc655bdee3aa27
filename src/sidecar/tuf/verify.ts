import { SigningError } from '../../shared/signing-error.ts';
import { command } from '../../shared/shell-command.ts';
import {
  checkHashes,
  checkKeyIds,
  checkNotOlder,
  checkRootSuccession,
  checkSignatures,
  missingFile,
  namedSha256,
} from './check.ts';
import { checkExpiry, inDate, type Clocks } from './expiry.ts';
import type { KeyId, PublicKey } from './key.ts';
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
} from './metadata.ts';
import { parseRoot, parseSnapshot, parseTargets, parseTimestamp } from './parse.ts';
import { listsAny } from './role-choice.ts';
import { trustedRootKeys } from './root-certificate.ts';
import type { Work } from './work.ts';
import type { TrustRepository } from './trust-repository.ts';

export interface FileRequest {
  readonly role: RoleName;
  /** What timestamp or snapshot names; absent: the file that the server serves under the name. */
  readonly meta?: FileMeta;
}

/** A pause; a request for one file, which is the answer to it; or what will be requested next. */
export type VerificationStep =
  undefined | { readonly file: FileRequest } | { readonly soon: readonly FileRequest[] };

/**
 * A verification in steps. It gets each file when it asks for it, undefined where the server has
 * none, and does not hold on to those that nobody needs again.
 */
export type Verification<Result = TrustRepository> = Generator<VerificationStep, Result, unknown>;

/** What the caller knows before it looks at any file. */
export interface TrustExpectations extends Clocks {
  /** Root key ids, TUF or canonical, one of which must have signed; empty: trust on first use. */
  readonly rootPins: readonly string[];
  /**
   * The repository as it was loaded before: nothing may go back behind it, and a root that was
   * rotated meanwhile is signed by its root keys.
   */
  readonly earlier?: TrustRepository;
  /**
   * Whether the server has served a file by this SHA-256 (hex): what was verified of that file
   * before is not asked for again. Absent: no file was.
   */
  readonly wasServed?: (sha256: string) => boolean;
  /** The tags whose targets matter; all where it is absent. */
  readonly tags?: ReadonlySet<string>;
  /** Canonical ids of the held keys: of roles that list none the text is not kept. Absent: of all it is. */
  readonly held?: readonly KeyId[];
}

/**
 * Verifies a whole repository, in the order of the TUF specification's client workflow (5.3 root,
 * 5.4 timestamp, 5.5 snapshot, 5.6 targets) as far as Notary v1 has it. Every signature, version,
 * expiry and hash link is checked before anything is believed. Timestamp and snapshot are read first:
 * they name the root, and a cache may serve an old one under its name.
 *
 * @throws SigningError ROOT_NAME_MISMATCH, ROOT_PIN_MISMATCH, ROOT_REPLACED, METADATA_INVALID,
 * METADATA_EXPIRED, METADATA_INCONSISTENT, METADATA_ROLLED_BACK, METADATA_TOO_LARGE
 */
export function* verifyRepository(expected: TrustExpectations): Verification {
  const { gun, earlier, tags } = expected;
  const timestamp = parseTimestamp(TIMESTAMP, yield* wanted({ role: TIMESTAMP }));
  const snapshotMeta = timestamp.content.snapshot;
  const snapshotBytes = yield* wanted({ role: SNAPSHOT, meta: snapshotMeta });
  const snapshot = parseSnapshot(SNAPSHOT, snapshotBytes);
  const rootMeta = snapshot.content.meta.get(ROOT);
  const rootBytes = yield* wanted({ role: ROOT, ...(rootMeta && { meta: rootMeta }) });

  // 5.3 Root: named for this GUN and pinned (root-certificate.ts), signed by enough of those keys,
  // every key under its own id, in date, and the successor of the root that was trusted before.
  const root = parseRoot(ROOT, rootBytes);
  checkKeyIds(root.content.keys, ROOT);
  const rootRole = keysOf(root.content, ROOT);
  if (earlier) yield* checkRootSuccession(root, earlier);
  const rootKeys = inDate(expected, ROOT, (now) =>
    trustedRootKeys(root.content, gun, expected.rootPins, now),
  );
  const rootKeyIds = yield* checkSignatures(
    root,
    ROOT,
    { ...rootRole, keyIds: [...rootKeys.keys()] },
    rootKeys,
  );
  checkExpiry(root, ROOT, expected);

  // 5.4 Timestamp: signed by the root's timestamp key (arbitrary software attacks), in date (freeze
  // attacks).
  yield* checkSignatures(timestamp, TIMESTAMP, keysOf(root.content, TIMESTAMP), root.content.keys);
  checkExpiry(timestamp, TIMESTAMP, expected);

  // 5.5 Snapshot: the file that the timestamp names (mix-and-match), signed, in date; and it names
  // the very root that is trusted.
  yield* checkHashes(snapshotBytes, SNAPSHOT, snapshotMeta);
  yield* checkSignatures(snapshot, SNAPSHOT, keysOf(root.content, SNAPSHOT), root.content.keys);
  checkExpiry(snapshot, SNAPSHOT, expected);
  yield* checkHashes(rootBytes, ROOT, metaIn(snapshot, ROOT));

  // 5.6 Targets: the file that the snapshot names, signed.
  const targetsMeta = metaIn(snapshot, TARGETS);
  const targetsBytes = yield* named({ role: TARGETS, meta: targetsMeta });
  const targets = yield* parseTargets(TARGETS, targetsBytes, tags);
  const targetsRole = keysOf(root.content, TARGETS);
  yield* checkSignatures(targets, TARGETS, targetsRole, root.content.keys);

  // 5.6.7 Delegations: a file that is not the one the snapshot names makes the whole repository
  // unreadable for every client, whoever's it is. Signed by the keys that `targets` names: one that
  // is not is passed over.
  const { delegations, rejected } = yield* verifyDelegations(targets, snapshot, expected);

  const repository = {
    ...{ gun, rootKeyIds, root, timestamp, snapshot, delegations, rejected },
    targets: withoutText(targets, targetsRole, root.content.keys, expected),
    unread: unreadRoles(new Map([[TARGETS, targets], ...delegations]), snapshot, expected),
  } as unknown as TrustRepository;
  if (earlier) checkNotOlder(repository, earlier);
  return repository;
}

function* verifyDelegations(
  { content }: MetadataFile<Targets>,
  snapshot: MetadataFile<Snapshot>,
  expected: TrustExpectations,
): Verification<Pick<TrustRepository, 'delegations' | 'rejected'>> {
  checkKeyIds(content.delegations.keys, TARGETS);
  const { meta } = snapshot.content;
  const { roles } = content.delegations;
  const delegations = new Map<RoleName, MetadataFile<Targets>>();
  const rejected = new Map<RoleName, SigningError>();
  const isKnown = knownDelegations(snapshot, expected);
  // A server goes on listing delegations that were removed, and no reader asks for those.
  const isDeclared = (role: RoleName) =>
    roles.some(({ name }) => role === name || role.startsWith(`${name}/`));
  const listed = [...meta]
    .filter(([role]) => isDeclared(role) && !isKnown(role))
    .map(([role, meta]) => ({ role, meta }));
  yield { soon: listed };
  const direct = new Map(roles.map((delegation) => [delegation.name, delegation]));
  const verifyOne = function* (delegation: Delegation, bytes: Uint8Array): Verification<void> {
    const { name } = delegation;
    try {
      const file = yield* verifyDelegation(bytes, delegation, content, meta.has(name), expected);
      delegations.set(name, file);
    } catch (error) {
      rejected.set(name, signingErrorOnly(error));
    }
  };
  for (const request of listed) {
    const bytes = yield* named(request);
    const delegation = direct.get(request.role);
    if (delegation) yield* verifyOne(delegation, bytes);
  }
  for (const delegation of roles) {
    const { name } = delegation;
    if (meta.has(name)) continue;
    const bytes = yield* ask({ role: name });
    if (bytes) yield* verifyOne(delegation, bytes);
  }
  // In the order of the delegations, which readers keep to.
  const inOrder = <Value>(
    found: ReadonlyMap<RoleName, Value>,
    earlier: ReadonlyMap<RoleName, Value> = new Map(),
  ) =>
    new Map(
      roles.flatMap(({ name }) => {
        const value = found.get(name) ?? (isKnown(name) ? earlier.get(name) : undefined);
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
  const { earlier } = expected;
  return {
    delegations: inOrder(delegations, earlier?.delegations),
    rejected: inOrder(rejected, earlier?.rejected),
  };
}

/**
 * Whether a delegation was verified before: the same file, under the same keys, since the same targets
 * name them.
 */
function knownDelegations(
  { content }: MetadataFile<Snapshot>,
  { earlier, wasServed = () => false }: TrustExpectations,
): (role: RoleName) => boolean {
  const sameSha256 = (role: RoleName) => {
    const [before, now] = [earlier?.snapshot.content.meta.get(role), content.meta.get(role)];
    return before && now && namedSha256(before) === namedSha256(now) && now.length === before.length
      ? namedSha256(now)
      : undefined;
  };
  if (sameSha256(TARGETS) === undefined) return () => false;
  return (role) => {
    const sha256 = sameSha256(role);
    return sha256 !== undefined && wasServed(sha256);
  };
}

/**
 * Verifies the file of one delegation by the keys that `targets` names for it.
 *
 * @param isListed whether the snapshot lists it
 * @throws SigningError METADATA_INVALID
 */
function* verifyDelegation(
  bytes: Uint8Array,
  delegation: Delegation,
  { delegations }: Targets,
  isListed: boolean,
  expected: TrustExpectations,
): Work<MetadataFile<Targets>> {
  const { name } = delegation;
  const parsed = yield* parseTargets(name, bytes, expected.tags);
  try {
    yield* checkSignatures(parsed, name, delegation, delegations.keys);
  } catch (error) {
    const cause = signingErrorOnly(error);
    const { gun, server } = expected;
    const url = server?.url ?? '<url>';
    throw new SigningError('METADATA_INVALID', cause.message, {
      cause,
      fix: isListed
        ? `The keys of ${name} were replaced after it was signed: the owner of a new key runs ` +
          `${command`notary -s ${url} witness ${gun} ${name} && notary -s ${url} publish ${gun}`}, ` +
          'which signs again what the role holds; then build again.'
        : `The server still has ${name} as it was before it was removed and got other keys, which no ` +
          'client sees and none can replace: add the delegation under another name.',
    });
  }
  return withoutText(parsed, delegation, delegations.keys, expected);
}

/** Of a file that no held key can sign again, no more than the tags that matter. */
function withoutText(
  file: MetadataFile<Targets>,
  role: RoleKeys,
  keys: ReadonlyMap<KeyId, PublicKey>,
  { held, tags }: TrustExpectations,
): MetadataFile<Targets> {
  if (!held || listsAny(role, keys, held)) return file;
  const kept = [...file.content.targets].filter(([tag]) => !tags || tags.has(tag));
  return { ...file, signed: undefined, content: { ...file.content, targets: new Map(kept) } };
}

function unreadRoles(
  files: ReadonlyMap<RoleName, MetadataFile<Targets>>,
  snapshot: MetadataFile<Snapshot>,
  clocks: Clocks,
): ReadonlyMap<RoleName, SigningError> {
  const unread = new Map<RoleName, SigningError>();
  for (const [role, file] of files) {
    try {
      metaIn(snapshot, role);
      checkExpiry(file, role, clocks);
    } catch (error) {
      unread.set(role, signingErrorOnly(error));
    }
  }
  return unread;
}

/** @throws any other error, which is a mistake in this code */
function signingErrorOnly(error: unknown): SigningError {
  if (error instanceof SigningError) return error;
  throw error;
}

function* ask(file: FileRequest): Verification<Uint8Array | undefined> {
  return (yield { file }) as Uint8Array | undefined;
}

/** A file that has to be there. */
function* wanted(request: FileRequest): Verification<Uint8Array> {
  const bytes = yield* ask(request);
  if (bytes) return bytes;
  const { role, meta } = request;
  if (meta) throw missingFile(role, meta);
  throw new SigningError('METADATA_INCONSISTENT', `${role}.json is missing`);
}

/** The file that another one names. */
function* named(request: Required<FileRequest>): Verification<Uint8Array> {
  const bytes = yield* wanted(request);
  yield* checkHashes(bytes, request.role, request.meta);
  return bytes;
}

function keysOf(root: Root, role: RoleName): RoleKeys {
  const keys = root.roles.get(role);
  if (!keys) throw new SigningError('METADATA_INVALID', `root.json names no keys for ${role}`);
  return keys;
}

function metaIn(snapshot: MetadataFile<Snapshot>, role: RoleName): FileMeta {
  const meta = snapshot.content.meta.get(role);
  if (!meta) throw new SigningError('METADATA_INCONSISTENT', `snapshot.json does not list ${role}`);
  return meta;
}
