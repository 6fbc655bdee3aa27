import { SigningError } from '../../shared/signing-error.ts';
import { canonicalJson, NotCanonicalError, wireForm, type Json } from './canonical-json.ts';
import { entryTexts } from './entry-text.ts';
import {
  Member,
  quoted,
  readDelegation,
  readFileMeta,
  readKeys,
  readRoleKeys,
  type FileReading,
} from './member.ts';
import type {
  FileMeta,
  MetadataFile,
  RoleName,
  Root,
  Signature,
  Snapshot,
  Targets,
  Timestamp,
} from './metadata.ts';
import { LARGEST_PARSED, scanFile } from './targets-text.ts';
import type { Work } from './work.ts';

/**
 * Parsers of the four kinds of metadata. They throw SigningError METADATA_INVALID, and
 * METADATA_TOO_LARGE where a file cannot be read in parts.
 */
export function parseRoot(role: RoleName, bytes: Uint8Array): MetadataFile<Root> {
  return parseFile(role, bytes, readRoot);
}

export function parseSnapshot(role: RoleName, bytes: Uint8Array): MetadataFile<Snapshot> {
  return parseFile(role, bytes, readSnapshot);
}

export function parseTimestamp(role: RoleName, bytes: Uint8Array): MetadataFile<Timestamp> {
  return parseFile(role, bytes, readTimestamp);
}

/**
 * Of a file of targets or of a delegation.
 *
 * @param tags the tags whose targets are kept of a canonical file; all where it is absent
 */
export function* parseTargets(
  role: RoleName,
  bytes: Uint8Array,
  tags?: ReadonlySet<string>,
): Work<MetadataFile<Targets>> {
  const reading = readingOf(role);
  const keys = tags && new Set([...tags].map((tag) => Buffer.from(tag).toString('latin1')));
  const targets = new Map<string, FileMeta>();
  const text = yield* scanFile(bytes, ({ key, isPlain, meta }) => {
    const isKept = !keys || keys.has(key);
    if (isPlain && !isKept) return;
    const tag = Buffer.from(key, 'latin1').toString();
    const read = readFileMeta(new Member(reading, `signed.targets${quoted(tag)}`, meta()));
    if (isKept) targets.set(tag, read);
  });
  if (!text) return parseFile(role, bytes, readTargets, keepEntryTexts);
  const { delegations, expires, version, signatures, signed } = text;
  const rest = { _type: 'Targets', delegations, expires, targets: {}, version };
  return {
    content: { ...readTargets(new Member(reading, 'signed', rest)), targets },
    signatures: readSignatures(new Member(reading, 'signatures', signatures)),
    signed,
    isCanonical: true,
    unknownMembers: reading.unknownMembers,
  };
}

/** @param keep adds to a content what its text alone tells */
function parseFile<Content>(
  role: RoleName,
  bytes: Uint8Array,
  read: (signed: Member) => Content,
  keep: (content: Content, text: string, signedText: string) => Content = (content) => content,
): MetadataFile<Content> {
  const reading = readingOf(role);
  const { file } = reading;
  if (bytes.length > LARGEST_PARSED) {
    throw new SigningError(
      'METADATA_TOO_LARGE',
      `${file} has ${bytes.length} bytes and is not written as Notary writes it; such a file ` +
        `is read up to ${LARGEST_PARSED} bytes`,
      { fix: `Have an owner of ${role} publish it again with the notary or docker CLI.` },
    );
  }
  const { text, value } = parseJson(file, bytes);
  const envelope = new Member(reading, '$', value).object('signed', 'signatures');
  const signed = envelope('signed').value;
  const content = read(new Member(reading, 'signed', signed));
  const signedText = canonicalOf(file, signed ?? null);
  return {
    content: keep(content, text, signedText),
    signatures: readSignatures(new Member(reading, 'signatures', envelope('signatures').value)),
    signed: Buffer.from(signedText),
    isCanonical: false,
    unknownMembers: reading.unknownMembers,
  };
}

function readingOf(role: RoleName): FileReading {
  return { file: `${role}.json`, unknownMembers: [] };
}

function readSignatures(signatures: Member): Signature[] {
  return signatures.list().map((signature) => {
    const member = signature.object('keyid', 'method', 'sig');
    const read = (name: string) => member(name).string();
    return { keyId: read('keyid'), method: read('method'), sig: read('sig') };
  });
}

function parseJson(
  file: string,
  bytes: Uint8Array,
): { readonly text: string; readonly value: Json } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, value: JSON.parse(text) as Json };
  } catch (cause) {
    throw new SigningError('METADATA_INVALID', `${file} is not JSON`, { cause });
  }
}

function canonicalOf(file: string, signed: Json): string {
  try {
    return canonicalJson(signed);
  } catch (cause) {
    if (!(cause instanceof NotCanonicalError)) throw cause;
    throw new SigningError('METADATA_INVALID', `${file}: ${cause.message}`, { cause });
  }
}

/** Reads what all files have, and gives access to the other members. */
function readCommon(signed: Member, type: string, ...others: readonly string[]) {
  const member = signed.object('_type', 'expires', 'version', ...others);
  if (member('_type').value !== type) throw member('_type').malformed(`"${type}"`);
  const common = { expires: member('expires').time(), version: member('version').integer(1) };
  return { common, member };
}

function readRoot(signed: Member): Root {
  const others = ['consistent_snapshot', 'keys', 'roles'];
  const { common, member } = readCommon(signed, 'Root', ...others);
  const roles = member('roles').entries();
  return {
    ...common,
    keys: readKeys(member('keys')),
    roles: new Map(
      roles.map(([name, role]) => [
        name as RoleName,
        readRoleKeys(role.object('keyids', 'threshold')),
      ]),
    ),
  };
}

function readTargets(signed: Member): Targets {
  const { common, member } = readCommon(signed, 'Targets', 'delegations', 'targets');
  const delegation = member('delegations').object('keys', 'roles');
  const targets = member('targets').nullAs({}).entries(quoted);
  const roles = delegation('roles').nullAs([]).list().map(readDelegation);
  if (new Set(roles.map(({ name }) => name)).size < roles.length) {
    throw delegation('roles').malformed('a list of distinct names');
  }
  return {
    ...common,
    delegations: { keys: readKeys(delegation('keys').nullAs({})), roles },
    targets: new Map(targets.map(([tag, meta]) => [tag, readFileMeta(meta)])),
  };
}

/** Entries have a text of their own where the file is not what its canonical form would make of it. */
function keepEntryTexts(content: Targets, text: string, signedText: string): Targets {
  if (text.startsWith(wireForm(signedText), '{"signed":'.length)) return content;
  const texts = entryTexts(text);
  const targets = [...content.targets].map(([tag, meta]): [string, FileMeta] => {
    const own = texts.get(tag);
    return [tag, own === undefined ? meta : { ...meta, text: own }];
  });
  return { ...content, targets: new Map(targets) };
}

function readSnapshot(signed: Member): Snapshot {
  const { common, member } = readCommon(signed, 'Snapshot', 'meta');
  const entries = member('meta').entries(quoted);
  const meta = entries.map(([role, meta]) => [role as RoleName, readFileMeta(meta, 0)] as const);
  return { ...common, meta: new Map(meta) };
}

function readTimestamp(signed: Member): Timestamp {
  const { common, member } = readCommon(signed, 'Timestamp', 'meta');
  const snapshot = member('meta').object('snapshot')('snapshot');
  return { ...common, snapshot: readFileMeta(snapshot, 0) };
}
