import { randomUUID } from 'node:crypto';
import type { Gun } from '../../shared/image-reference.ts';
import type { NotaryUrl } from '../../shared/notary-url.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { hashInSteps } from '../tuf/check.ts';
import { ROOT, SNAPSHOT, TIMESTAMP, type RoleName, type Root } from '../tuf/metadata.ts';
import type { Publication } from '../tuf/publication.ts';
import { LARGEST_PARSED } from '../tuf/targets-text.ts';
import type { Driver } from '../tuf/work.ts';
import { createAuthorizedClient } from '../auth/authorized-client.ts';
import type { CredentialLookup } from '../auth/credentials.ts';
import { pointedTo, type HttpClient } from '../http/http-client.ts';
import type { Memory } from '../io/memory.ts';
import { publishFailure } from './notary-failure.ts';
import { transienceOf } from '../http/retry-after.ts';
import { serverAnswer } from '../http/server-error.ts';
import type { HttpResponse } from '../http/http-message.ts';

/** One repository at a Notary server. */
export interface NotaryClient {
  readonly url: NotaryUrl;
  /** The server's time when it last answered; undefined before that, and where it does not say. */
  serverTime(): Date | undefined;
  /**
   * A role's file: the current one, or the one with this SHA-256 (hex). Undefined where the server
   * has none. The last small file of a role that was served by its hash, or as the root, is not asked
   * for twice: another one has another hash.
   *
   * Any 404 means that the file is absent, whatever its body: proxies put pages of their own in its
   * place. Only where the server has never served anything, a root that is absent in other words than
   * those of a Notary server is an error: this may be no Notary server.
   *
   * @param length in bytes, where it is known
   */
  fetchRole(role: RoleName, sha256?: string, length?: number): Promise<Uint8Array | undefined>;
  /** Whether the server has served the file with this SHA-256 (hex) by it, to this client. */
  wasServed(sha256: string): boolean;
  /**
   * Posts all files at once: the server takes all or none.
   *
   * @param root the root that they were made from
   */
  publish(publication: Publication, root: Root): Promise<void>;
}

export interface NotaryClientOptions {
  readonly http: HttpClient;
  readonly url: NotaryUrl;
  readonly gun: Gun;
  readonly credentials: CredentialLookup;
  readonly memory: Memory;
  readonly drive: Driver;
}

/** Longest files in bytes: no client of Notary reads more. */
const LARGEST_FILE = 100 * 1024 * 1024;
/** Those that cannot be read in parts, and hold nothing of tags. */
const LARGEST_PARSED_FILES: ReadonlyMap<RoleName, number> = new Map([
  [ROOT, 1024 * 1024],
  [TIMESTAMP, 1024 * 1024],
  [SNAPSHOT, LARGEST_PARSED],
]);
/** Longest files that are kept in case they are asked for again, in bytes. */
const SMALL_FILE = 1024 * 1024;

/**
 * Methods throw SigningError: SERVER_*, CREDENTIALS_*, PUSH_DENIED, PUBLISH_*, NOT_A_NOTARY_SERVER,
 * METADATA_TOO_LARGE.
 */
export function createNotaryClient(options: NotaryClientOptions): NotaryClient {
  const { url, gun, memory, drive } = options;
  const base = `${url}/v2/${gun}/_trust/tuf/`;
  // A strict token server grants exactly what is asked: one token, for all that follows.
  const scope = { repository: gun, actions: 'push,pull' } as const;
  const held = new Map<RoleName, { readonly sha256: string; readonly bytes: Uint8Array }>();
  const served = new Set<string>();
  let hasServed = false;
  const client = createAuthorizedClient({ ...options, server: url, scope });
  let serverTime: Date | undefined;

  return {
    url,
    serverTime: () => serverTime,

    wasServed: (sha256) => served.has(sha256),

    async fetchRole(role, sha256, length) {
      const known = held.get(role);
      if (known && known.sha256 === sha256) return known.bytes;
      const file = sha256 === undefined ? `${role}.json` : `${role}.${sha256}.json`;
      const what = `${role}.json of ${gun}`;
      const limit = LARGEST_PARSED_FILES.get(role) ?? LARGEST_FILE;
      if (length !== undefined && length > limit)
        throw tooLarge(role, `${what} has ${length} bytes`);
      if (length !== undefined && length > SMALL_FILE) {
        memory.demand(length, `${what} has ${length} bytes`);
      }
      const answer = await client.send({
        method: 'GET',
        url: new URL(base + file),
        headers: { 'cache-control': 'no-cache' },
        limit,
        admit: (bytes, all) => memory.demand(bytes, `${what} has at least ${all} bytes`),
        tooLong: () => tooLarge(role, `${what} has more than ${limit} bytes`),
      });
      serverTime = timeOf(answer) ?? serverTime;
      if (answer.status === 200) {
        const bytes = answer.body;
        hasServed ||= role === ROOT;
        if (sha256 === undefined && role !== ROOT) return bytes;
        const actual = (await drive(hashInSteps('sha256', bytes))).toString('hex');
        served.add(actual);
        if (bytes.length <= SMALL_FILE) held.set(role, { sha256: actual, bytes });
        return bytes;
      }
      if (answer.status === 404) {
        if (role !== ROOT || hasServed) return undefined;
        if (serverAnswer(answer)?.code === 'METADATA_NOT_FOUND') return undefined;
        // What stands before a Notary server may write a 404 of its own.
        const message =
          `${url} answered HTTP 404 to GET root.json of ${gun}, not in the words of a Notary server. ` +
          `Either ${gun} is not initialised there, and a proxy writes its own 404 pages, or the URL ` +
          'is not that of a Notary server';
        throw new SigningError('NOT_A_NOTARY_SERVER', message, {
          fix: 'Check the Notary URL. If it is right, initialise the repository, as docs/reference/errors.md says under REPOSITORY_NOT_INITIALISED.',
        });
      }
      throw fetchFailure(url, file, answer);
    },

    async publish(publication, root) {
      const boundary = `kpack-notary-${randomUUID()}`;
      const answer = await client.send({
        method: 'POST',
        url: new URL(base),
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
        body: multipart(publication, boundary),
      });
      if (answer.status === 200) return;
      const size = [...publication.values()].reduce((sum, { length }) => sum + length, 0);
      throw publishFailure({ url, gun, root, size }, answer);
    },
  };
}

/** When an answer was sent: what a cache has kept since then is as much older as it says. */
function timeOf({ headers: { date = '', age = '0' } }: HttpResponse): Date | undefined {
  const time = new Date(Date.parse(date) + Number(age) * 1000);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** One part a role; the server takes the role from the file name. */
function multipart(publication: Publication, boundary: string): readonly Uint8Array[] {
  const parts = [...publication].flatMap(([role, bytes]) => [
    Buffer.from(
      `--${boundary}\r\n` +
        `Content-Disposition: form-data; name="files"; filename="${role}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    ),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return [...parts, Buffer.from(`--${boundary}--\r\n`)];
}

function tooLarge(role: RoleName, what: string): SigningError {
  return new SigningError('METADATA_TOO_LARGE', `${what}, which is more than the signer reads`, {
    fix: LARGEST_PARSED_FILES.has(role)
      ? 'No tool of Notary writes such a file: check the Notary URL, and what answers there.'
      : 'Have an owner of the role take tags out of it, or sign in another repository; then build again.',
  });
}

function fetchFailure(url: NotaryUrl, file: string, answer: HttpResponse): SigningError {
  const { status } = answer;
  const said = serverAnswer(answer);
  const what = `${url} answered HTTP ${status} to GET ${file}${said ? ` (${said.text})` : ''}`;
  const transience = transienceOf(answer);
  if (transience.isTransient || status === 403) {
    return new SigningError('SERVER_FAILED', what, transience);
  }
  return new SigningError(
    'NOT_A_NOTARY_SERVER',
    `${what}${pointedTo(answer)}`,
    status === 400 && url.startsWith('http:') ? { fix: 'Use https in the Notary URL.' } : {},
  );
}
