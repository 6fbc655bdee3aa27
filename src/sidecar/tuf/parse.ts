import { SigningError } from '../../shared/signing-error.ts';
import { canonicalJson, NotCanonicalError, wireForm, type Json } from './canonical-json.ts';
import { entryTexts } from './entry-text.ts';
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
import { readDelegation, readFileMeta, readKeys, readRoleKeys } from './member.ts';
import * as shape from './shape.ts';
import type { Shape } from './shape.ts';
import { LARGEST_PARSED, scanFile } from './targets-text.ts';
import type { Work } from './work.ts';

type ReadContent<Content> = (file: Shape, signed: Json | undefined) => Content;
/** Adds to a content what its text alone tells. */
type KeepText<Content> = (content: Content, text: string, signedText: string) => Content;
const parser =
  <Content>(read: ReadContent<Content>, keep: KeepText<Content> = (content) => content) =>
  (role: RoleName, bytes: Uint8Array): MetadataFile<Content> =>
    parseFile(role, bytes, read, keep);

/**
 * Parsers of the four kinds of metadata. They throw SigningError METADATA_INVALID, and
 * METADATA_TOO_LARGE where a file cannot be read in parts.
 */
export const parseRoot = parser(readRoot);
export const parseSnapshot = parser(readSnapshot);
export const parseTimestamp = parser(readTimestamp);

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
  const file: Shape = { file: `${role}.json`, unknownMembers: [] };
  const keys = tags && new Set([...tags].map((tag) => Buffer.from(tag).toString('latin1')));
  const targets = new Map<string, FileMeta>();
  const text = yield* scanFile(bytes, ({ key, isPlain, meta }) => {
    const isKept = !keys || keys.has(key);
    if (isPlain && !isKept) return;
    const tag = Buffer.from(key, 'latin1').toString();
    const read = readFileMeta(file, meta(), targetPath(tag));
    if (isKept) targets.set(tag, read);
  });
  if (!text) return parseFile(role, bytes, readTargets, keepEntryTexts);
  const { delegations, expires, version, signed } = text;
  const rest = readTargets(file, { _type: 'Targets', delegations, expires, targets: {}, version });
  return {
    content: { ...rest, targets },
    signatures: readSignatures(file, text.signatures),
    signed,
    isCanonical: true,
    unknownMembers: file.unknownMembers,
  };
}

function parseFile<Content>(
  role: RoleName,
  bytes: Uint8Array,
  read: ReadContent<Content>,
  keep: KeepText<Content>,
): MetadataFile<Content> {
  const file: Shape = { file: `${role}.json`, unknownMembers: [] };
  if (bytes.length > LARGEST_PARSED) {
    throw new SigningError(
      'METADATA_TOO_LARGE',
      `${file.file} has ${bytes.length} bytes and is not written as Notary writes it; such a file ` +
        `is read up to ${LARGEST_PARSED} bytes`,
      { fix: `Have an owner of ${role} publish it again with the notary or docker CLI.` },
    );
  }
  const { text, value } = parseJson(file, bytes);
  const envelope = shape.readObject(file, value, '$', ['signed', 'signatures']);
  const signed = envelope.get('signed');
  const content = read(file, signed);
  const signedText = canonicalOf(file, signed ?? null);
  return {
    content: keep(content, text, signedText),
    signatures: readSignatures(file, envelope.get('signatures')),
    signed: Buffer.from(signedText),
    isCanonical: false,
    unknownMembers: file.unknownMembers,
  };
}

function readSignatures(file: Shape, value: Json | undefined): Signature[] {
  return shape.readArray(file, value, 'signatures').map((item, i) => {
    const path = `signatures[${i}]`;
    const members = shape.readObject(file, item, path, ['keyid', 'method', 'sig']);
    const read = (name: string) => shape.readString(file, members.get(name), `${path}.${name}`);
    return { keyId: read('keyid'), method: read('method'), sig: read('sig') };
  });
}

function parseJson(
  file: Shape,
  bytes: Uint8Array,
): { readonly text: string; readonly value: Json } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, value: JSON.parse(text) as Json };
  } catch (cause) {
    throw new SigningError('METADATA_INVALID', `${file.file} is not JSON`, { cause });
  }
}

function canonicalOf(file: Shape, signed: Json): string {
  try {
    return canonicalJson(signed);
  } catch (cause) {
    if (!(cause instanceof NotCanonicalError)) throw cause;
    throw new SigningError('METADATA_INVALID', `${file.file}: ${cause.message}`, { cause });
  }
}

const COMMON = ['_type', 'expires', 'version'] as const;

function readCommon(
  file: Shape,
  signed: Json | undefined,
  type: string,
  others: readonly string[],
): { members: ReadonlyMap<string, Json>; expires: string; version: number } {
  const members = shape.readObject(file, signed, 'signed', [...COMMON, ...others]);
  if (members.get('_type') !== type) throw shape.malformed(file, 'signed._type', `"${type}"`);
  return {
    members,
    expires: shape.readTime(file, members.get('expires'), 'signed.expires'),
    version: shape.readInteger(file, members.get('version'), 'signed.version', 1),
  };
}

function readRoot(file: Shape, signed: Json | undefined): Root {
  const { members, expires, version } = readCommon(file, signed, 'Root', [
    'consistent_snapshot',
    'keys',
    'roles',
  ]);
  const roles = shape.readObject(file, members.get('roles'), 'signed.roles');
  return {
    expires,
    version,
    keys: readKeys(file, members.get('keys'), 'signed.keys'),
    roles: new Map(
      [...roles].map(([name, value]) => {
        const path = `signed.roles.${name}`;
        const role = shape.readObject(file, value, path, ['keyids', 'threshold']);
        return [name as RoleName, readRoleKeys(file, role, path)];
      }),
    ),
  };
}

function readTargets(file: Shape, signed: Json | undefined): Targets {
  const { members, expires, version } = readCommon(file, signed, 'Targets', [
    'delegations',
    'targets',
  ]);
  const path = 'signed.delegations';
  const delegations = shape.readObject(file, members.get('delegations'), path, ['keys', 'roles']);
  const targets = shape.readObject(
    file,
    shape.filled(members.get('targets'), {}),
    'signed.targets',
  );
  const roles = shape
    .readArray(file, shape.filled(delegations.get('roles'), []), `${path}.roles`)
    .map((item, i) => readDelegation(file, item, `${path}.roles[${i}]`));
  if (new Set(roles.map(({ name }) => name)).size < roles.length) {
    throw shape.malformed(file, `${path}.roles`, 'a list of distinct names');
  }
  return {
    expires,
    version,
    delegations: {
      keys: readKeys(file, shape.filled(delegations.get('keys'), {}), `${path}.keys`),
      roles,
    },
    targets: new Map(
      [...targets].map(([tag, meta]) => [tag, readFileMeta(file, meta, targetPath(tag))]),
    ),
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

function targetPath(tag: string): string {
  return `signed.targets[${JSON.stringify(tag)}]`;
}

function readSnapshot(file: Shape, signed: Json | undefined): Snapshot {
  const { members, expires, version } = readCommon(file, signed, 'Snapshot', ['meta']);
  const meta = shape.readObject(file, members.get('meta'), 'signed.meta');
  return {
    expires,
    version,
    meta: new Map(
      [...meta].map(([role, value]) => [
        role as RoleName,
        readFileMeta(file, value, `signed.meta[${JSON.stringify(role)}]`, 0),
      ]),
    ),
  };
}

function readTimestamp(file: Shape, signed: Json | undefined): Timestamp {
  const { members, expires, version } = readCommon(file, signed, 'Timestamp', ['meta']);
  const meta = shape.readObject(file, members.get('meta'), 'signed.meta', ['snapshot']);
  return {
    expires,
    version,
    snapshot: readFileMeta(file, meta.get('snapshot'), 'signed.meta.snapshot', 0),
  };
}
