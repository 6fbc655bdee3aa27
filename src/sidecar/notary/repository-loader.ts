import type { SignerErrorCode } from '../../shared/error-code.ts';
import type { Gun } from '../../shared/image-reference.ts';
import { parseObject } from '../../shared/json.ts';
import { command } from '../../shared/shell-command.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, type RoleName } from '../tuf/metadata.ts';
import { hashInSteps, missingFile, namedSha256 } from '../tuf/check.ts';
import { verifyRepository, type FileRequest, type TrustExpectations } from '../tuf/verify.ts';
import type { NotaryUrl } from '../../shared/notary-url.ts';
import type { NotaryClient } from './notary-client.ts';
import type { Steps } from '../io/steps.ts';
import type { TrustRepository } from '../tuf/trust-repository.ts';

/** Names that Notary itself lets a delegation have; others would be paths of something else. */
const DELEGATION = /^targets(?:\/[-a-z0-9_]+)+$/;
/** What may be wrong with files that were fetched while somebody rotated the root. */
const TORN: readonly SignerErrorCode[] = ['METADATA_INCONSISTENT', 'METADATA_INVALID'];

/** What may be there beside what was there at the last load. */
export interface Expected {
  /** SHA-256 (hex) of what was posted, by role. */
  readonly posted?: ReadonlyMap<RoleName, string>;
  /** Delegations that the snapshot may not list. */
  readonly unlisted?: readonly RoleName[];
}

/**
 * Fetches a repository and verifies it; once more, as reference clients do, where the files do not
 * belong together.
 *
 * @throws SigningError REPOSITORY_NOT_INITIALISED, NOT_A_NOTARY_SERVER, METADATA_*, ROOT_*, SERVER_*,
 * CREDENTIALS_*
 */
export async function loadRepository(
  client: NotaryClient,
  trust: TrustExpectations,
  steps: Steps,
  expected: Expected = {},
): Promise<TrustRepository> {
  const load = () => fetchAndVerify(client, trust, steps, expected);
  return load().catch((error: unknown) => {
    if (error instanceof SigningError && TORN.includes(error.code)) return load();
    throw error;
  });
}

/**
 * One round of requests fetches what a repository is expected to have: by hash, as readers do, where
 * it is known; by name else. Where somebody published in between, and for unknown delegations, further
 * rounds fetch the very files that timestamp and snapshot name. Nothing is believed before the whole is
 * verified.
 */
async function fetchAndVerify(
  client: NotaryClient,
  trust: TrustExpectations,
  steps: Steps,
  expected: Expected,
): Promise<TrustRepository> {
  const served = await fetchAll(client, expectedFiles(client, trust, expected));
  const current = served.get(ROOT);
  if (!current) throw notInitialised(trust.gun, client.url);
  if (!isMetadata(current)) {
    throw new SigningError('NOT_A_NOTARY_SERVER', `${client.url} answers with something else`);
  }
  if (!served.has(TIMESTAMP)) {
    // The root may be one that was fetched before the repository was deleted.
    const isThere = (await client.fetchRole(ROOT)) !== undefined;
    throw isThere ? missingFile(TIMESTAMP) : notInitialised(trust.gun, client.url);
  }
  const files = fileSource(client, served, steps);
  const verification = verifyRepository({
    ...trust,
    wasServed: (sha256) => client.wasServed(sha256),
    server: { url: client.url, time: client.serverTime() },
  });
  for (let answer: Uint8Array | undefined; ;) {
    const step = verification.next(answer);
    answer = undefined;
    if (step.done === true) return step.value;
    await steps.pause();
    if (step.value && 'soon' in step.value) files.expect(step.value.soon);
    if (step.value && 'file' in step.value) answer = await files.take(step.value.file);
  }
}

/** Files above are fetched one at a time, when they are wanted; in bytes. */
const LARGE_BYTES = 1024 * 1024;
/** How many small files may be fetched before they are wanted. */
const MOST_AHEAD = 16;

/**
 * What a verification asks for, each file once: it was served already, or is fetched. Small files
 * are fetched ahead, a few at once.
 */
function fileSource(client: NotaryClient, served: Map<RoleName, Uint8Array>, { drive }: Steps) {
  const ahead = new Map<RoleName, Promise<Uint8Array | undefined>>();
  const expected: FileRequest[] = [];

  /** The file that timestamp or snapshot names: what was served already, if it is that. */
  const fetch = async ({ role, meta }: FileRequest) => {
    const bytes = served.get(role);
    served.delete(role);
    if (!meta) {
      // Or a page that says in its own words that a file which was only guessed is not there.
      const isGuess = bytes && bytes.length <= LARGE_BYTES && DELEGATION.test(role);
      return isGuess && !isMetadata(bytes) ? undefined : bytes;
    }
    const sha256 = namedSha256(meta);
    if (bytes?.length === meta.length) {
      const actual = await drive(hashInSteps('sha256', bytes));
      if (actual.toString('hex') === sha256) return bytes;
    }
    return client.fetchRole(role, sha256, meta.length);
  };
  const fetchAhead = () => {
    while (ahead.size < MOST_AHEAD) {
      const request = expected.shift();
      if (!request) return;
      const fetched = fetch(request);
      // It may fail long before it is wanted.
      fetched.catch(() => undefined);
      ahead.set(request.role, fetched);
    }
  };

  return {
    /** Hears what will be asked for next. */
    expect(requests: readonly FileRequest[]): void {
      expected.push(...requests.filter(({ meta }) => meta && meta.length <= LARGE_BYTES));
      fetchAhead();
    },
    async take(request: FileRequest): Promise<Uint8Array | undefined> {
      const fetched = ahead.get(request.role) ?? fetch(request);
      ahead.delete(request.role);
      const bytes = await fetched;
      fetchAhead();
      return bytes;
    },
  };
}

/** The files that one round can ask for, with their SHA-256 (hex) where it is known. */
function expectedFiles(
  client: NotaryClient,
  { earlier }: TrustExpectations,
  { posted = new Map(), unlisted = [] }: Expected,
): ReadonlyMap<RoleName, string | undefined> {
  const byName = [ROOT, TIMESTAMP, SNAPSHOT, TARGETS, RELEASES, ...unlisted];
  // What was served by its hash has been verified, and is asked for again where it has to be.
  const before = [...(earlier?.snapshot.content.meta ?? [])].filter(
    ([role, meta]) =>
      role === ROOT ||
      role === TARGETS ||
      (DELEGATION.test(role) && !client.wasServed(namedSha256(meta))),
  );
  return new Map([
    ...byName.map((role) => [role, undefined] as const),
    ...before.map(([role, meta]) => [role, namedSha256(meta)] as const),
    ...posted,
  ]);
}

async function fetchAll(
  client: NotaryClient,
  expected: ReadonlyMap<RoleName, string | undefined>,
): Promise<Map<RoleName, Uint8Array>> {
  const files = await Promise.all(
    [...expected].map(async ([role, hash]) => {
      const fetched = client.fetchRole(role, hash);
      return [role, await (DELEGATION.test(role) ? fetched.catch(passOver) : fetched)] as const;
    }),
  );
  return new Map(files.flatMap(([role, bytes]) => (bytes ? [[role, bytes]] : [])));
}

/** How servers, and what stands before them, may answer a request for a file that is not there. */
const ABSENT: readonly SignerErrorCode[] = ['SERVER_FAILED', 'NOT_A_NOTARY_SERVER'];

/**
 * A delegation that may not be there: a server with a database answers 500 for one that never was, a
 * proxy whatever it likes. Where the snapshot lists it, it is asked for again.
 */
function passOver(error: unknown): undefined {
  if (error instanceof SigningError && ABSENT.includes(error.code)) return undefined;
  throw error;
}

/** Whether it is a signed file at all, and not the page of some other server. */
function isMetadata(bytes: Uint8Array): boolean {
  const file = parseObject(bytes) ?? {};
  return 'signed' in file && 'signatures' in file;
}

function notInitialised(gun: Gun, url: NotaryUrl): SigningError {
  return new SigningError('REPOSITORY_NOT_INITIALISED', `${url} has no trust data for ${gun}`, {
    fix:
      'Run once, with a root key that you keep (and --tlscacert for a CA of your own): ' +
      `${command`notary -s ${url} init ${gun} && notary -s ${url} key rotate ${gun} snapshot -r`}, ` +
      'then build again. A build never does that.',
  });
}
