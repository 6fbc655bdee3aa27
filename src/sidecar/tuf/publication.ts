import { SigningError } from '../../shared/signing-error.ts';
import { emitEdited, emitFile, emitTargets, formatExpires } from './emit.ts';
import { verifySignature, type KeyId, type PublicKey, type SignatureMethod } from './key.ts';
import { parseTargets } from './parse.ts';
import {
  TARGETS,
  type FileMeta,
  type MetadataFile,
  type RoleName,
  type Signature,
  type Targets,
} from './metadata.ts';
import type { ChosenRole } from './role-choice.ts';
import { finish, type Driver, type Work } from './work.ts';
import type { TrustRepository } from './trust-repository.ts';

/** What an image is signed as: digest and size of its manifest; an index counts as itself. */
export interface Manifest {
  /** Lower-case hex. */
  readonly sha256: string;
  /** In bytes. */
  readonly length: number;
}

/** One image to sign: a tag, and the manifest that it names. */
export interface Target extends Manifest {
  readonly tag: string;
}

/** A private key that can sign for Notary. */
export interface SigningKey {
  readonly file: string;
  /** The id that the Notary and docker CLIs name its file after. */
  readonly canonicalId: KeyId;
  readonly publicKey: PublicKey;
  readonly method: SignatureMethod;
  /** The signature over the bytes, in the form that Notary's `sig` holds before base64. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A role that changes: its new content, not yet signed. */
export interface RoleEdit {
  readonly role: ChosenRole;
  /** With the targets that are new, at least. */
  readonly targets: Targets;
  /** The canonical text that it had, whose other targets stay; undefined: `targets` has all. */
  readonly before: Uint8Array | undefined;
}

/** The exact bytes to post, by role. Empty: all is signed already. */
export type Publication = ReadonlyMap<RoleName, Uint8Array>;

/** How long a signed role lives: what notary and docker give targets and delegations. */
const LIFETIME_MS = 3 * 365 * 24 * 60 * 60 * 1000;

/**
 * The changes that put the targets into the chosen roles: one new version of each role, or none
 * where it names the same manifests already. A role that readers do not read is signed again.
 *
 * @throws SigningError METADATA_UNKNOWN_MEMBER when signing a role again would lose something;
 * METADATA_INVALID when others than its keys signed a role; METADATA_EXPIRED when `targets` has
 * expired and is not among the roles
 */
export function editRoles(
  repository: TrustRepository,
  roles: readonly ChosenRole[],
  targets: readonly Target[],
  now: Date,
): readonly RoleEdit[] {
  const { unread } = repository;
  const blocking = unread.get(TARGETS);
  if (blocking && !roles.some(({ name }) => name === TARGETS)) throw blocking;
  return roles.flatMap((role) => {
    const file = fileOf(repository, role.name);
    const wanted = targets.filter(({ tag }) => role.tags.includes(tag));
    const isSigned = wanted.every((target) => namesTarget(file?.content, target));
    if (isSigned && !unread.has(role.name)) return [];
    if (file && file.unknownMembers.length > 0) {
      throw new SigningError(
        'METADATA_UNKNOWN_MEMBER',
        `${role.name}.json of ${repository.gun} holds ${file.unknownMembers.join(', ')}`,
      );
    }
    // What is named already stays as it is, with all that others wrote beside it.
    const unsigned = wanted.filter((target) => !namesTarget(file?.content, target));
    const entries = unsigned.map(({ tag, sha256, length }): [string, FileMeta] => [
      tag,
      { length, hashes: new Map([['sha256', Buffer.from(sha256, 'hex').toString('base64')]]) },
    ]);
    if (file && !file.signed) throw new Error(`the text of ${role.name} was not kept`);
    return {
      role,
      before: file?.isCanonical === true ? file.signed : undefined,
      targets: {
        delegations: file?.content.delegations ?? { keys: new Map(), roles: [] },
        expires: formatExpires(new Date(now.getTime() + LIFETIME_MS)),
        targets: new Map([...(file?.content.targets ?? []), ...entries]),
        version: nextVersion(role.name, file?.content.version ?? 0),
      },
    };
  });
}

/** @throws SigningError METADATA_INVALID when there is no later version that readers can read */
function nextVersion(role: RoleName, version: number): number {
  if (version < Number.MAX_SAFE_INTEGER) return version + 1;
  throw new SigningError('METADATA_INVALID', `${role}.json has version ${version}, the last one`, {
    fix: `Somebody who holds a key of ${role} used up its versions: replace the key, and delegate to another name.`,
  });
}

/**
 * The file of a role that is to be signed; undefined where nothing was published in it yet.
 *
 * @throws SigningError METADATA_INVALID: why readers pass it over
 */
export function fileOf(
  { targets, delegations, rejected }: TrustRepository,
  role: RoleName,
): MetadataFile<Targets> | undefined {
  const reason = rejected.get(role);
  if (reason) throw reason;
  return role === TARGETS ? targets : delegations.get(role);
}

/**
 * Signs the edits with every key that the roles list, and checks each file as a reader will:
 * a byte that others would read or write differently makes a repository unreadable.
 *
 * @throws SigningError METADATA_INVALID when a file cannot be written so that others read it;
 * INTERNAL when a new signature does not verify
 * @param drive does the work in its steps
 */
export async function signEdits(
  edits: readonly RoleEdit[],
  keys: readonly SigningKey[],
  drive: Driver = finish,
): Promise<Publication> {
  const files = new Map<RoleName, Uint8Array>();
  for (const edit of edits) {
    const { name, keyIds } = edit.role;
    const differs = () =>
      new SigningError('METADATA_INVALID', `${name}.json would be read differently`);
    const part = await drive(emit(edit));
    if (!part) throw differs();
    const { text, signed } = part;
    const signatures: Signature[] = [];
    for (const key of keys) {
      const id = keyIds.get(key.canonicalId);
      if (id !== undefined) signatures.push(await signText(signed, key, id));
    }
    const bytes = emitFile(text, signatures);
    const read = await drive(parseTargets(name, bytes, NO_TAGS));
    if (!read.signed || Buffer.compare(read.signed, signed) !== 0) throw differs();
    files.set(name, bytes);
  }
  return files;
}

const NO_TAGS: ReadonlySet<string> = new Set();

/**
 * The `signed` part of an edit, as it is written and as it is signed; undefined when others would
 * read differently what was there.
 */
function* emit({
  targets,
  before,
}: RoleEdit): Work<
  { readonly text: Uint8Array | string; readonly signed: Uint8Array } | undefined
> {
  if (!before) {
    const { text, signedText } = emitTargets(targets);
    return { text, signed: Buffer.from(signedText) };
  }
  const signed = yield* emitEdited(before, targets);
  return signed && { text: signed, signed };
}

/** Whether a role names exactly this manifest under this tag. */
export function namesTarget(
  targets: Targets | undefined,
  { tag, sha256, length }: Target,
): boolean {
  const meta = targets?.targets.get(tag);
  const hash = Buffer.from(sha256, 'hex').toString('base64');
  return meta?.length === length && meta.hashes.get('sha256') === hash;
}

async function signText(message: Uint8Array, key: SigningKey, keyId: string): Promise<Signature> {
  const signature = await key.sign(message);
  if (!verifySignature(key.publicKey, key.method, message, signature)) {
    throw new SigningError('INTERNAL', `the new signature by key ${keyId} does not verify`);
  }
  return { keyId, method: key.method, sig: Buffer.from(signature).toString('base64') };
}
