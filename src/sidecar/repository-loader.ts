import type { SignerErrorCode } from '../shared/error-code.ts';
import type { Gun } from '../shared/image-reference.ts';
import { sha256Hex } from '../shared/sha256.ts';
import { command } from '../shared/shell-command.ts';
import { SigningError } from '../shared/signing-error.ts';
import {
  RELEASES,
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type FileMeta,
  type RoleName,
} from '../shared/tuf/metadata.ts';
import { missingFile, namedSha256 } from '../shared/tuf/check.ts';
import { parseSnapshot, parseTimestamp } from '../shared/tuf/parse.ts';
import {
  verifyRepository,
  type TrustExpectations,
  type TrustRepository,
} from '../shared/tuf/verify.ts';
import type { NotaryUrl } from '../shared/notary-url.ts';
import type { NotaryClient } from './notary-client.ts';

/** Names that Notary itself lets a delegation have; others would be paths of something else. */
const DELEGATION = /^targets(?:\/[-a-z0-9_]+)+$/;
/** What may be wrong with files that were fetched while somebody rotated the root. */
const TORN: readonly SignerErrorCode[] = ['METADATA_INCONSISTENT', 'METADATA_INVALID'];

/** What may be there beside what was there when we last looked. */
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
  expected: Expected = {},
): Promise<TrustRepository> {
  try {
    return await fetchAndVerify(client, trust, expected);
  } catch (error) {
    if (!(error instanceof SigningError && TORN.includes(error.code))) throw error;
    return fetchAndVerify(client, trust, expected);
  }
}

/**
 * One round of requests fetches what we expect a repository to have: by hash, as readers do, where
 * we can know it; by name else. Where somebody published in between, and for delegations that we
 * did not know of, a second round fetches the very files that timestamp and snapshot name. Nothing
 * is believed before the whole is verified.
 */
async function fetchAndVerify(
  client: NotaryClient,
  trust: TrustExpectations,
  expected: Expected,
): Promise<TrustRepository> {
  const served = await fetchAll(client, expectedFiles(trust, expected));
  const current = served.get(ROOT);
  if (!current) throw notInitialised(trust.gun, client.url);
  if (!isMetadata(current)) {
    throw new SigningError('NOT_A_NOTARY_SERVER', `${client.url} answers with something else`);
  }
  const timestamp = served.get(TIMESTAMP);
  if (!timestamp) {
    // The root may be one that was fetched before the repository was deleted.
    const isThere = (await client.fetchRole(ROOT)) !== undefined;
    throw isThere ? missingFile(TIMESTAMP) : notInitialised(trust.gun, client.url);
  }
  const { snapshot: meta } = parseTimestamp(TIMESTAMP, timestamp).content;
  const snapshot = await fetchNamed(client, served, SNAPSHOT, meta);
  if (!snapshot) throw missingFile(SNAPSHOT, meta);
  const { content } = parseSnapshot(SNAPSHOT, snapshot);
  const files = new Map([...served, [SNAPSHOT, snapshot]]);
  // A page that says in its own words that a file which was only guessed is not there.
  for (const [role, bytes] of served) {
    if (DELEGATION.test(role) && !content.meta.has(role) && !isMetadata(bytes)) files.delete(role);
  }
  await Promise.all(
    [...content.meta].map(async ([role, meta]) => {
      if (role !== ROOT && !isTargets(role)) return;
      const bytes = await fetchNamed(client, served, role, meta);
      if (bytes) files.set(role, bytes);
      else if (DELEGATION.test(role)) files.delete(role);
      else throw missingFile(role, meta);
    }),
  );
  return verifyRepository(files, {
    ...trust,
    server: { url: client.url, time: client.serverTime() },
  });
}

/** The files that one round can ask for, with their SHA-256 (hex) where we can know it. */
function expectedFiles(
  { earlier }: TrustExpectations,
  { posted = new Map(), unlisted = [] }: Expected,
): ReadonlyMap<RoleName, string | undefined> {
  const byName = [ROOT, TIMESTAMP, SNAPSHOT, TARGETS, RELEASES, ...unlisted];
  const before = [...(earlier?.snapshot.content.meta ?? [])].filter(
    ([role]) => role === ROOT || isTargets(role),
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
): Promise<ReadonlyMap<RoleName, Uint8Array>> {
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

/**
 * The file that timestamp or snapshot names: what was served already, if it is that. Undefined where
 * the server has none.
 */
async function fetchNamed(
  client: NotaryClient,
  served: ReadonlyMap<RoleName, Uint8Array>,
  role: RoleName,
  meta: FileMeta,
): Promise<Uint8Array | undefined> {
  const bytes = served.get(role);
  const hash = namedSha256(meta);
  if (bytes && sha256Hex(bytes) === hash) return bytes;
  return client.fetchRole(role, hash);
}

function isTargets(role: RoleName): boolean {
  return role === TARGETS || DELEGATION.test(role);
}

/** Whether it is a signed file at all, and not the page of some other server. */
function isMetadata(bytes: Uint8Array): boolean {
  try {
    const file: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof file === 'object' && file !== null && 'signed' in file && 'signatures' in file;
  } catch {
    return false;
  }
}

function notInitialised(gun: Gun, url: NotaryUrl): SigningError {
  return new SigningError('REPOSITORY_NOT_INITIALISED', `${url} has no trust data for ${gun}`, {
    fix:
      'Run once, with a root key that you keep (and --tlscacert for a CA of your own): ' +
      `${command`notary -s ${url} init ${gun} && notary -s ${url} key rotate ${gun} snapshot -r`}, ` +
      'then build again. A build never does that.',
  });
}
