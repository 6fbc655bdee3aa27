import { canonicalJson, canonicalObject, wireForm, type Json } from './canonical-json.ts';
import { keyToJson } from './key.ts';
import type { FileMeta, Signature, Targets } from './metadata.ts';

/** The `signed` part of a file. */
export interface SignedPart {
  /** As it is written. */
  readonly text: string;
  /** What the signatures are over: canonical JSON of it. */
  readonly signedText: string;
}

/**
 * A file as Notary's server itself would write it. The server hashes its own serialisation and
 * stores our bytes: where the two differ, no client can read the repository any more.
 *
 * @param text the `signed` part
 */
export function emitFile(text: string, signatures: readonly Signature[]): Uint8Array {
  const list = signatures.map(({ keyId, method, sig }) => ({ keyid: keyId, method, sig }));
  return Buffer.from(wireForm(`{"signed":${text},"signatures":${JSON.stringify(list)}}`));
}

/**
 * The `signed` part of a targets or delegation file. Entries of others that have a text of their own
 * are written with it, as Go's server does.
 */
export function emitTargets(targets: Targets): SignedPart {
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
    ['targets', canonicalObject(entries.map(([tag, meta]) => [tag, textOf(meta)]))],
    ['version', canonicalJson(targets.version)],
  ]);
  const isCanonical = entries.every(([, meta]) => meta.text === undefined);
  return { text, signedText: isCanonical ? text : canonicalJson(JSON.parse(text) as Json) };
}

function textOf({ text, custom, hashes, length }: FileMeta): string {
  if (text !== undefined) return text;
  return canonicalJson({
    ...(custom !== undefined && { custom }),
    hashes: Object.fromEntries(hashes),
    length,
  });
}

/**
 * A moment in whole seconds. Go's encoder trims trailing zeros of a fraction, so the `.000Z` of
 * toISOString would make stored and hashed bytes differ.
 */
export function formatExpires(time: Date): string {
  return `${time.toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}Z`;
}
