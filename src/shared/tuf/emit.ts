import { canonicalJson, wireForm } from './canonical-json.ts';
import { keyToJson } from './key.ts';
import type { Signature, Targets } from './metadata.ts';

/**
 * A file as Notary's server itself would write it. The server hashes its own serialisation and
 * stores our bytes: where the two differ, no client can read the repository any more.
 *
 * @param signedText canonical JSON of `signed`, which the signatures are over
 */
export function emitFile(signedText: string, signatures: readonly Signature[]): Uint8Array {
  const list = signatures.map(({ keyId, method, sig }) => ({ keyid: keyId, method, sig }));
  return Buffer.from(wireForm(`{"signed":${signedText},"signatures":${JSON.stringify(list)}}`));
}

/** The canonical JSON of the `signed` part of a targets or delegation file. */
export function emitTargets(targets: Targets): string {
  const { keys, roles } = targets.delegations;
  return canonicalJson({
    _type: 'Targets',
    delegations: {
      keys: Object.fromEntries([...keys].map(([id, key]) => [id, keyToJson(key)])),
      roles: roles.map(({ keyIds, name, paths, threshold }) => ({
        keyids: keyIds,
        name,
        ...(paths.length > 0 && { paths }),
        threshold,
      })),
    },
    expires: targets.expires,
    targets: Object.fromEntries(
      [...targets.targets].map(([tag, { custom, hashes, length }]) => [
        tag,
        { ...(custom !== undefined && { custom }), hashes: Object.fromEntries(hashes), length },
      ]),
    ),
    version: targets.version,
  });
}

/**
 * A moment in whole seconds. Go's encoder trims trailing zeros of a fraction, so the `.000Z` of
 * toISOString would make stored and hashed bytes differ.
 */
export function formatExpires(time: Date): string {
  return `${time.toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}Z`;
}
