import { exceededBound } from '../../shared/json-bounds.ts';
import { isObject, parseObject, type Members } from '../../shared/json.ts';

/** An OCI image index, as a registry lists referrers (distribution-spec, "Listing Referrers"). */
export interface ImageIndex {
  /** All members, known or not. */
  readonly members: Members;
  readonly entries: readonly IndexEntry[];
}

/** A descriptor as somebody wrote it, with all its members. */
export type IndexEntry = Members & { readonly digest: string };

export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/** What a list of 4 MiB may be made of; parsing one that is deeper or finer takes much more memory. */
const BOUNDS = { depth: 16, parts: 400_000 };
/** `algorithm:encoded` (image-spec, descriptor.md): a part of a URL that stays in its place. */
const ANY_DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]{1,256}$/;

/**
 * Reads the bytes of an index. Go writes an empty list as null.
 *
 * @returns undefined where they are none
 */
export function readImageIndex(bytes: Uint8Array): ImageIndex | undefined {
  if (exceededBound(Buffer.from(bytes), BOUNDS) !== undefined) return undefined;
  const members = parseObject(bytes);
  const entries = members?.['manifests'] === null ? [] : members?.['manifests'];
  if (!members || !Array.isArray(entries) || !entries.every(isEntry)) return undefined;
  return { members, entries };
}

function isEntry(value: unknown): value is IndexEntry {
  const digest = isObject(value) ? value['digest'] : undefined;
  return typeof digest === 'string' && ANY_DIGEST.test(digest);
}
