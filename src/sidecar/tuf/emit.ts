import { canonicalJson, canonicalObject, wireForm, type Json } from './canonical-json.ts';
import { keyToJson } from './key.ts';
import { Member, readFileMeta } from './member.ts';
import type { FileMeta, Signature, Targets } from './metadata.ts';
import { scanSigned, type EntryText } from './targets-text.ts';
import type { Work } from './work.ts';

/** Characters of which the wire form differs, as UTF-8. */
const ESCAPED_ON_WIRE = ['<', '>', '&', '\u2028', '\u2029'].map((each) => Buffer.from(each));

/**
 * A file as Notary's server itself would write it. The server hashes its own serialisation and
 * stores the bytes that were posted: where the two differ, no client can read the repository any more.
 *
 * @param text the `signed` part
 */
export function emitFile(text: string | Uint8Array, signatures: readonly Signature[]): Uint8Array {
  const list = signatures.map(({ keyId, method, sig }) => ({ keyid: keyId, method, sig }));
  const bytes = typeof text === 'string' ? Buffer.from(text) : bufferOf(text);
  const isPlain = ESCAPED_ON_WIRE.every((each) => !bytes.includes(each));
  return Buffer.concat([
    Buffer.from('{"signed":'),
    isPlain ? bytes : Buffer.from(wireForm(bytes.toString())),
    Buffer.from(wireForm(`,"signatures":${JSON.stringify(list)}}`)),
  ]);
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * The `signed` part of a targets or delegation file, as it is written, and its canonical JSON, which the
 * signatures are over. Entries of others that have a text of their own are written with it, as Go's
 * server does.
 */
export function emitTargets(targets: Targets): { text: string; signedText: string } {
  const { keys, roles } = targets.delegations;
  const delegations = {
    keys: Object.fromEntries([...keys].map(([id, key]) => [id, keyToJson(key)])),
    roles: roles.map(({ keyIds, name, paths, threshold }) => ({
      keyids: keyIds,
      name,
      ...(paths.length > 0 && { paths }),
      threshold,
    })),
  };
  const entries = [...targets.targets];
  const text = canonicalObject([
    ['_type', canonicalJson('Targets')],
    ['delegations', canonicalJson(delegations)],
    ['expires', canonicalJson(targets.expires)],
    [
      'targets',
      canonicalObject(
        entries.map(([tag, meta]) => [tag, meta.text ?? canonicalJson(metaToJson(meta))]),
      ),
    ],
    ['version', canonicalJson(targets.version)],
  ]);
  const isCanonical = entries.every(([, meta]) => meta.text === undefined);
  return { text, signedText: isCanonical ? text : canonicalJson(JSON.parse(text) as Json) };
}

function metaToJson({ custom, hashes, length }: FileMeta): Json {
  return { ...(custom !== undefined && { custom }), hashes: Object.fromEntries(hashes), length };
}

/**
 * The canonical bytes of a file of targets with some of its targets put in, or replaced; and others
 * as they are.
 *
 * @param before the canonical bytes of `signed` as it was
 * @param targets all of the rest, and the targets to put in
 * @returns undefined when others would read `before` differently: JSON does not hold all that its
 * canonical form holds
 */
export function* emitEdited(before: Uint8Array, targets: Targets): Work<Uint8Array | undefined> {
  const head = Buffer.from(emitTargets({ ...targets, targets: new Map() }).text);
  const headEnd = head.lastIndexOf('},"version":');
  const additions = [...targets.targets]
    .map(([tag, meta]) => ({
      key: Buffer.from(tag).toString('latin1'),
      text: Buffer.from(entryText(tag, metaToJson(meta))),
    }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const room = additions.reduce((sum, { text }) => sum + text.length + COMMA.length, 0);
  const emitted = Buffer.allocUnsafeSlow(before.length + head.length + room);
  /** How much is written, how far `before` is done with, and the first addition that is not in yet. */
  const at = { length: head.copy(emitted, 0, 0, headEnd), copied: 0, next: 0, entries: 0 };
  const put = (text: Uint8Array) => {
    emitted.set(text, at.length);
    at.length += text.length;
  };
  const keepTo = (end: number) => {
    put(before.subarray(at.copied, end));
    at.copied = end;
  };
  const visit = (entry: EntryText) => {
    if (at.entries++ === 0) at.copied = entry.start;
    let next = additions[at.next];
    for (; next && next.key < entry.key; next = additions[(at.next += 1)]) {
      keepTo(entry.start);
      put(next.text);
      put(COMMA);
    }
    const isReplaced = next?.key === entry.key;
    if (isReplaced) at.next += 1;
    const replacement = isReplaced ? next?.text : rewritten(entry);
    if (!replacement) return;
    keepTo(entry.start);
    put(replacement);
    at.copied = entry.end;
  };
  const text = yield* scanSigned(before, visit);
  if (!text) return undefined;
  if (at.entries > 0) keepTo(text.entriesEnd);
  for (const { text } of additions.slice(at.next)) {
    if (at.entries++ > 0) put(COMMA);
    put(text);
  }
  put(head.subarray(headEnd));
  return emitted.subarray(0, at.length);
}

const COMMA = Buffer.from(',');

function entryText(tag: string, meta: Json): string {
  return canonicalJson({ [tag]: meta }).slice(1, -1);
}

/** An entry as it is written again, where that differs. */
function rewritten(entry: EntryText): Uint8Array | undefined {
  if (entry.isPlain) return undefined;
  const tag = Buffer.from(entry.key, 'latin1').toString();
  const before = entryText(tag, entry.meta());
  const reading = { file: 'targets', unknownMembers: [] };
  const meta = readFileMeta(new Member(reading, tag, entry.meta()));
  const after = entryText(tag, metaToJson(meta));
  return after === before ? undefined : Buffer.from(after);
}

/**
 * A moment in whole seconds. Go's encoder trims trailing zeros of a fraction, so the `.000Z` of
 * toISOString would make stored and hashed bytes differ.
 */
export function formatExpires(time: Date): string {
  return `${time.toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}Z`;
}
