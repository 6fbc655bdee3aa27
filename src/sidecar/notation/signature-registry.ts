import type { Gun } from '../../shared/image-reference.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { serverAnswer } from '../http/server-error.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { MANIFEST_TYPES } from '../image/manifest.ts';
import { MANIFEST_LIMIT_BYTES } from '../image/registry-client.ts';
import {
  connectRegistry,
  type RegistryAccess,
  type RepositoryRequest,
} from '../image/registry-connection.ts';
import { lookUpOf, pushOf, registryRefusal } from '../image/registry-failure.ts';
import { hasBlob, uploadBlob } from './blob-upload.ts';
import { readDescriptor, SIGNATURE_TYPE, type Descriptor } from './descriptor.ts';
import { isWithoutReferrers, readReferrersPage } from './referrers-page.ts';
import { createReferrersTag } from './referrers-tag.ts';
import { readSubject } from './subject.ts';

/** Signatures of a subject as verifiers list them. */
export interface SignatureList {
  /** Whether the referrers API lists them, or the fallback index at the tag. */
  readonly listed: 'api' | 'tag';
  /** In the order of the registry. */
  readonly signatures: readonly Descriptor[];
}

/**
 * The signatures in one repository at a registry. It deletes nothing, and names blobs and manifests by
 * digest, and of all tags that of a subject's signatures alone.
 *
 * All methods retry what may pass, and throw SigningError CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED beside
 * what they name.
 */
export interface SignatureRegistry {
  /**
   * The image of a digest.
   *
   * @param size bytes that its manifest should have; undefined: unknown
   * @throws SigningError MANIFEST_NOT_FOUND, MANIFEST_MISMATCH
   */
  describe(sha256: string, size: number | undefined): Promise<Descriptor>;
  /** @throws SigningError REFERRERS_TAG_FOREIGN: nothing could be listed there */
  list(subject: Pick<Descriptor, 'digest'>): Promise<SignatureList>;
  /** @throws SigningError MANIFEST_NOT_FOUND, MANIFEST_MISMATCH: other bytes than described, or too many */
  manifest(descriptor: Descriptor): Promise<Uint8Array>;
  /** @throws SigningError MANIFEST_NOT_FOUND, MANIFEST_MISMATCH: other bytes than described, or too many */
  blob(descriptor: Descriptor): Promise<Uint8Array>;
  /**
   * Pushes a blob, unless the registry has it. After {@link pushManifest} has found blobs missing, what the
   * registry says of that does not count.
   *
   * @param isNew whether the registry cannot have it
   * @throws SigningError PUSH_DENIED
   */
  pushBlob(bytes: Uint8Array, isNew?: boolean): Promise<void>;
  /**
   * Pushes a manifest by its digest.
   *
   * @returns `blobs-missing` where the registry has dropped a blob since it was pushed
   * @throws SigningError PUSH_DENIED
   */
  pushManifest(bytes: Uint8Array, mediaType: string): Promise<'stored' | 'blobs-missing'>;
  /**
   * Adds an entry to the fallback index, before all others, and looks at it again later.
   *
   * @throws SigningError REFERRERS_TAG_FOREIGN, SIGNATURE_NOT_LISTED, PUSH_DENIED
   */
  addToIndex(subject: Descriptor, entry: Descriptor): Promise<void>;
}

/** Of an envelope; the usual one has 3 to 7 kB. */
const BLOB_LIMIT_BYTES = 1024 * 1024;
/** What one subject may have; pages are of the size that the registry likes. */
const MOST_PAGES = 100;
const MOST_SIGNATURES = 1000;
const MANIFESTS = { accept: MANIFEST_TYPES.join(', ') };

/** @throws SigningError IMAGE_REFERENCE_INVALID: no such host can be */
export function createSignatureRegistry(gun: Gun, access: RegistryAccess): SignatureRegistry {
  const registry = connectRegistry(gun, access, 'pull,push');
  const { repository } = registry;
  const tag = createReferrersTag(registry, access.pause);
  /** Whether a blob is there that the registry says it has: its cache may be older than its storage. */
  let believesRegistry = true;
  const at = (digest: string) => `${repository.registry}/${repository.name}@${digest}`;

  /** @throws SigningError also where `isGood` does not hold: the refusal */
  const ask = (
    request: RepositoryRequest,
    isGood = ({ status }: HttpResponse) => status === 200,
    refusal = (answer: HttpResponse) => registryRefusal(repository, request.task, answer),
  ): Promise<HttpResponse> =>
    registry.persist(async () => {
      const answer = await registry.send(request);
      if (!isGood(answer)) throw refusal(answer);
      return answer;
    });

  const listByApi = async ({
    digest,
  }: Pick<Descriptor, 'digest'>): Promise<readonly Descriptor[] | undefined> => {
    const path = `referrers/${digest}`;
    const task = lookUpOf(`the signatures of ${at(digest)}`);
    const cannot = (why: string) =>
      new SigningError('SERVER_FAILED', `${repository.host} cannot list ${task.object}: ${why}`, {
        fix: 'Look at the log of the registry, then build again.',
      });
    const refusal = (answer: HttpResponse) => {
      const { status } = answer;
      const error = registryRefusal(repository, task, answer);
      if (status === 403 || (error.isTransient && status !== 501)) return error;
      const what = `${error.message}; verifiers look for a list at a tag after a plain HTTP 404 alone`;
      return new SigningError('SERVER_FAILED', what, {
        fix: 'Let the registry, or what stands before it, answer HTTP 404 where it has no referrers API.',
      });
    };
    const signatures: Descriptor[] = [];
    let query = `?artifactType=${encodeURIComponent(SIGNATURE_TYPE)}`;
    for (let page = 0; page < MOST_PAGES; page++) {
      const isFirst = page === 0;
      const answer = await ask(
        {
          method: 'GET',
          path: path + query,
          limit: MANIFEST_LIMIT_BYTES,
          redirects: 'follow',
          task,
        },
        (answer) => answer.status === 200 || (isFirst && isWithoutReferrers(answer)),
        refusal,
      );
      if (isFirst && isWithoutReferrers(answer)) return undefined;
      const read = readReferrersPage(answer, registry.url(path));
      if (typeof read === 'string') throw cannot(read);
      // Registries need not filter.
      signatures.push(...read.referrers.filter(isSignature));
      if (signatures.length > MOST_SIGNATURES) throw cannot(`it has more than ${MOST_SIGNATURES}`);
      if (read.next === undefined) return signatures;
      query = read.next;
    }
    throw cannot(`the list has more than ${MOST_PAGES} pages`);
  };

  const bytesOf = async (
    { digest, size }: Descriptor,
    kind: 'manifests' | 'blobs',
    limit: number,
  ): Promise<Uint8Array> => {
    const task = lookUpOf(kind === 'blobs' ? `the blob ${at(digest)}` : at(digest));
    const mismatch = (what: string) => new SigningError('MANIFEST_MISMATCH', what);
    if (size > limit) {
      throw mismatch(`${task.object} has ${size} bytes, and the signer reads ${limit} at most`);
    }
    const { body } = await ask({
      method: 'GET',
      path: `${kind}/${digest}`,
      headers: kind === 'blobs' ? {} : MANIFESTS,
      limit,
      redirects: 'follow',
      task,
    });
    const found = `sha256:${sha256Hex(body)}`;
    if (found === digest && body.length === size) return body;
    throw mismatch(
      `${repository.host} answers ${task.object} of ${size} bytes with ${body.length} bytes that have the digest ${found}`,
    );
  };

  return {
    describe: async (sha256, size) => {
      const digest = `sha256:${sha256}`;
      const { headers } = await ask({
        method: 'HEAD',
        path: `manifests/${digest}`,
        headers: MANIFESTS,
        redirects: 'follow',
        task: lookUpOf(at(digest)),
      });
      return readSubject(repository, sha256, size, headers);
    },
    list: async (subject) => {
      const byApi = await listByApi(subject);
      if (byApi) return { listed: 'api', signatures: byApi };
      const { entries } = await tag.read(subject);
      const referrers = entries.flatMap((entry) => readDescriptor(entry) ?? []);
      return { listed: 'tag', signatures: referrers.filter(isSignature) };
    },
    manifest: (descriptor) => bytesOf(descriptor, 'manifests', MANIFEST_LIMIT_BYTES),
    blob: (descriptor) => bytesOf(descriptor, 'blobs', BLOB_LIMIT_BYTES),
    pushBlob: (bytes, isNew = false) =>
      registry.persist(async () => {
        if (!isNew && believesRegistry && (await hasBlob(registry, bytes))) return;
        await uploadBlob(registry, access.http(), bytes);
      }),
    pushManifest: async (bytes, mediaType) => {
      const digest = `sha256:${sha256Hex(bytes)}`;
      const isMissing = (answer: HttpResponse) =>
        serverAnswer(answer)?.code === 'MANIFEST_BLOB_UNKNOWN';
      const answer = await ask(
        {
          method: 'PUT',
          path: `manifests/${digest}`,
          headers: { 'content-type': mediaType },
          body: [bytes],
          task: pushOf(at(digest)),
        },
        (answer) => answer.status === 201 || isMissing(answer),
      );
      believesRegistry &&= answer.status === 201;
      return answer.status === 201 ? 'stored' : 'blobs-missing';
    },
    addToIndex: (subject, entry) => tag.add(subject, entry),
  };
}

function isSignature({ artifactType }: Descriptor): boolean {
  return artifactType === SIGNATURE_TYPE;
}
