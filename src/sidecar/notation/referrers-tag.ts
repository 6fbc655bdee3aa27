import { SigningError } from '../../shared/signing-error.ts';
import { serverAnswer } from '../http/server-error.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { createRetries, type Pause } from '../http/retry.ts';
import { MANIFEST_TYPES } from '../image/manifest.ts';
import { MANIFEST_LIMIT_BYTES } from '../image/registry-client.ts';
import type { RegistryConnection } from '../image/registry-connection.ts';
import { lookUpOf, pushOf, registryRefusal } from '../image/registry-failure.ts';
import type { Descriptor } from './descriptor.ts';
import {
  EMPTY_INDEX,
  fallbackTag,
  formatIndex,
  placeOf,
  readFallbackIndex,
} from './fallback-index.ts';
import { INDEX_TYPE, type ImageIndex, type IndexEntry } from './image-index.ts';

/** The tag that lists what refers to an image, where the registry has no referrers API. */
export interface ReferrersTag {
  /** @throws SigningError REFERRERS_TAG_FOREIGN, CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED */
  read(subject: Pick<Descriptor, 'digest'>): Promise<ImageIndex>;
  /**
   * Adds an entry, before all others. Registries know no compare-and-swap, so this run writes again until
   * the list holds all entries that it has seen: its own, and those that other writers lost.
   *
   * @throws SigningError REFERRERS_TAG_FOREIGN, SIGNATURE_NOT_LISTED, PUSH_DENIED, CREDENTIALS_*, SERVER_*,
   * DEADLINE_EXCEEDED
   */
  add(subject: Descriptor, entry: Descriptor): Promise<void>;
}

/** When this run looks again at what it wrote: 200 to 600 ms later, since others write meanwhile. */
const LOOKS = { firstWaitMs: 600, longestWaitMs: 600, waits: 30, jitter: 2 / 3 };
/** docker-registry answers HTTP 500 while somebody writes the tag, and many may: about 15 seconds. */
const BUSY = { firstWaitMs: 400, longestWaitMs: 2000, waits: 12, jitter: 0.5 };
/** A registry hides a manifest of a type that is not accepted, as if nothing were there. */
const ANY_MANIFEST = [...MANIFEST_TYPES, '*/*'].join(', ');
/** What registries say to an index that names a manifest which is gone. */
const GONE: ReadonlySet<unknown> = new Set([
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_UNKNOWN',
  'BLOB_UNKNOWN',
]);

export function createReferrersTag(registry: RegistryConnection, pause: Pause): ReferrersTag {
  const { repository } = registry;
  const nameOf = (subject: Pick<Descriptor, 'digest'>) =>
    `${repository.registry}/${repository.name}:${fallbackTag(subject)}`;

  const read = async (subject: Pick<Descriptor, 'digest'>): Promise<ImageIndex> => {
    const task = lookUpOf(nameOf(subject));
    const answer = await registry.send({
      method: 'GET',
      path: `manifests/${fallbackTag(subject)}`,
      headers: { accept: ANY_MANIFEST },
      limit: MANIFEST_LIMIT_BYTES,
      redirects: 'follow',
      task,
    });
    if (answer.status === 404) return EMPTY_INDEX;
    if (answer.status !== 200) throw registryRefusal(repository, task, answer);
    const index = readFallbackIndex(subject, answer);
    if (typeof index !== 'string') return index;
    throw new SigningError(
      'REFERRERS_TAG_FOREIGN',
      `${repository.host} has no referrers API, and ${nameOf(subject)}, where signatures would be ` +
        `listed, is ${index}`,
    );
  };

  const isThere = async ({ digest }: IndexEntry): Promise<boolean> => {
    const task = lookUpOf(`${repository.registry}/${repository.name}@${digest}`);
    const answer = await registry.send({
      method: 'HEAD',
      path: `manifests/${digest}`,
      headers: { accept: ANY_MANIFEST },
      redirects: 'follow',
      task,
    });
    if (answer.status !== 200 && answer.status !== 404) {
      throw registryRefusal(repository, task, answer);
    }
    return answer.status === 200;
  };
  const thoseThere = async (entries: readonly IndexEntry[]): Promise<readonly IndexEntry[]> => {
    const found = await Promise.all(entries.map(isThere));
    return entries.filter((_, i) => found[i]);
  };

  const put = (subject: Descriptor, bytes: Buffer): Promise<HttpResponse> => {
    const name = nameOf(subject);
    if (bytes.length > MANIFEST_LIMIT_BYTES) {
      const what = `the list of signatures at ${name} would have ${bytes.length} bytes, and registries take ${MANIFEST_LIMIT_BYTES}`;
      throw new SigningError('SIGNATURE_NOT_LISTED', what, {
        fix: `Remove signatures of ${subject.digest} that nobody needs.`,
      });
    }
    return registry.send({
      method: 'PUT',
      path: `manifests/${fallbackTag(subject)}`,
      headers: { 'content-type': INDEX_TYPE },
      body: [bytes],
      task: pushOf(name),
    });
  };
  const write = async (
    subject: Descriptor,
    index: ImageIndex,
    entry: Descriptor,
    others: readonly IndexEntry[],
  ): Promise<void> => {
    const answer = await put(subject, formatIndex(index, entry, others));
    if (answer.status === 201) return;
    const present = GONE.has(serverAnswer(answer)?.code) ? await thoseThere(others) : others;
    if (present.length === others.length) {
      throw registryRefusal(repository, pushOf(nameOf(subject)), answer);
    }
    await write(subject, index, entry, present);
  };

  return {
    read: (subject) => registry.persist(() => read(subject), BUSY),
    add: async (subject, entry) => {
      const seen = new Map<string, IndexEntry>();
      let writes = 0;
      /** Whether all entries are there; writes them where one is not. */
      const isComplete = async (): Promise<boolean> => {
        const index = await read(subject);
        const there = index.entries.filter(({ digest }) => digest !== entry.digest);
        const digests = new Set(there.map(({ digest }) => digest));
        const lost = [...seen.values()].filter(({ digest }) => !digests.has(digest));
        // What somebody deleted does not come back.
        const back = await thoseThere(lost);
        for (const { digest } of lost) seen.delete(digest);
        for (const other of [...there, ...back]) seen.set(other.digest, other);
        const place = placeOf(entry, index);
        const isListed = writes > 0 ? place >= 0 : place === 0;
        if (isListed && back.length === 0) return true;
        writes++;
        await write(subject, index, entry, [...there, ...back]);
        return false;
      };
      const looks = createRetries(pause, LOOKS);
      while (!(await registry.persist(isComplete, BUSY))) {
        if (await looks.wait()) continue;
        throw new SigningError(
          'SIGNATURE_NOT_LISTED',
          `the list of signatures at ${nameOf(subject)} was written ${writes} times, and did not hold ` +
            'all entries in the time that there was: other programs write over it, or old lists are served',
        );
      }
    },
  };
}
