import { cut } from '../../shared/shown-value.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { readDescriptor, type Descriptor } from './descriptor.ts';
import { INDEX_TYPE, readImageIndex, type ImageIndex, type IndexEntry } from './image-index.ts';

/** The index of a subject that nobody has signed. */
export const EMPTY_INDEX: ImageIndex = {
  members: { schemaVersion: 2, mediaType: INDEX_TYPE },
  entries: [],
};

/** The tag that lists referrers where there is no API (distribution-spec, "Referrers Tag Schema"). */
export function fallbackTag({ digest }: Pick<Descriptor, 'digest'>): string {
  return digest.replace(':', '-');
}

/**
 * Reads what a registry answers for the tag. GitLab answers with the subject itself, which may be an
 * index as well.
 *
 * @returns what is there instead, for people, where it is no list of referrers
 */
export function readFallbackIndex(
  subject: Pick<Descriptor, 'digest'>,
  { headers, body }: Pick<HttpResponse, 'headers' | 'body'>,
): ImageIndex | string {
  const isSubject = (digest: unknown) => digest === subject.digest;
  if (isSubject(`sha256:${sha256Hex(body)}`) || isSubject(headers['docker-content-digest'])) {
    return 'the image itself';
  }
  const type = headers['content-type']?.replace(/;.*/, '').trim();
  if (type === undefined) return 'something without a media type';
  if (type !== INDEX_TYPE) return `something of the media type ${cut(type)}`;
  const index = readImageIndex(body);
  return index?.members['schemaVersion'] === 2 ? index : 'no index of schema version 2';
}

/** Where an entry is in an index, as verifiers find it; -1: nowhere. */
export function placeOf(entry: Descriptor, { entries }: ImageIndex): number {
  return entries.findIndex((other) => {
    const found = readDescriptor(other);
    return (
      found?.digest === entry.digest &&
      found.mediaType === entry.mediaType &&
      found.size === entry.size &&
      found.artifactType === entry.artifactType
    );
  });
}

/**
 * The bytes of an index with one entry before all others: verifiers read a few in this order and stop at
 * the first good one. All other members stay.
 */
export function formatIndex(
  { members }: ImageIndex,
  { mediaType, digest, size, artifactType, annotations }: Descriptor,
  others: readonly IndexEntry[],
): Buffer {
  const first = { mediaType, digest, size, artifactType, annotations };
  return Buffer.from(JSON.stringify({ ...members, manifests: [first, ...others] }));
}
