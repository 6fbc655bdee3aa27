import type { SignerErrorCode } from '../shared/error-code.ts';
import type { Gun } from '../shared/image-reference.ts';
import { SigningError } from '../shared/signing-error.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type FileMeta,
  type RoleName,
} from '../shared/tuf/metadata.ts';
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
/** A server may not send more of a file than it has, nor make us hold more than the pod allows. */
const SMALLEST_LIMIT_BYTES = 64 * 1024;
const LARGEST_LIMIT_BYTES = 16 * 1024 * 1024;

/** What may be wrong with files that were fetched while somebody rotated the root. */
const TORN: readonly SignerErrorCode[] = ['METADATA_INCONSISTENT', 'METADATA_INVALID'];

/**
 * Fetches a repository and verifies it; once more from the root on, as reference clients do, where
 * the files do not belong together.
 *
 * @throws SigningError REPOSITORY_NOT_INITIALISED, NOT_A_NOTARY_SERVER, METADATA_*, ROOT_*, SERVER_*,
 * CREDENTIALS_*
 */
export async function loadRepository(
  client: NotaryClient,
  expected: TrustExpectations,
): Promise<TrustRepository> {
  try {
    return await fetchAndVerify(client, expected);
  } catch (error) {
    if (!(error instanceof SigningError && TORN.includes(error.code))) throw error;
    return fetchAndVerify(client, expected);
  }
}

/**
 * Timestamp and snapshot are peeked into to learn what to fetch next; nothing is believed before the
 * whole is verified.
 */
async function fetchAndVerify(
  client: NotaryClient,
  expected: TrustExpectations,
): Promise<TrustRepository> {
  const root = await client.fetchRole(ROOT);
  if (!root) throw notInitialised(expected.gun, client.url);
  if (!isMetadata(root)) {
    throw new SigningError('NOT_A_NOTARY_SERVER', `${client.url} answers with something else`);
  }
  const timestamp = await required(client, TIMESTAMP);
  const { snapshot: meta } = parseTimestamp(TIMESTAMP, timestamp).content;
  const snapshot = await required(client, SNAPSHOT, meta);
  const listed = [...parseSnapshot(SNAPSHOT, snapshot).content.meta].filter(
    ([role]) => role === TARGETS || DELEGATION.test(role),
  );
  const targets = await Promise.all(
    listed.map(async ([role, meta]): Promise<[RoleName, Uint8Array]> => [
      role,
      await required(client, role, meta),
    ]),
  );
  const files = new Map([[ROOT, root], [TIMESTAMP, timestamp], [SNAPSHOT, snapshot], ...targets]);
  return verifyRepository(files, expected);
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

async function required(
  client: NotaryClient,
  role: RoleName,
  meta?: FileMeta,
): Promise<Uint8Array> {
  const sha256 = meta?.hashes.get('sha256');
  const hex = sha256 === undefined ? undefined : Buffer.from(sha256, 'base64').toString('hex');
  const limit = meta && Math.min(Math.max(meta.length, SMALLEST_LIMIT_BYTES), LARGEST_LIMIT_BYTES);
  const bytes = await client.fetchRole(role, hex, limit);
  if (bytes) return bytes;
  throw new SigningError(
    'METADATA_INCONSISTENT',
    `the server lists ${role}.json${hex ? ` with SHA-256 ${hex}` : ''}, and does not have it`,
    {
      fix:
        `No client can read this repository: ${role} was published with bytes that the server writes ` +
        'differently. Its owner publishes the role again, correctly and with a higher version.',
    },
  );
}

function notInitialised(gun: Gun, url: NotaryUrl): SigningError {
  const notary = `notary -s ${url}`;
  return new SigningError('REPOSITORY_NOT_INITIALISED', `${url} has no trust data for ${gun}`, {
    fix:
      `Run once, with a root key that you keep: ${notary} init ${gun} && ` +
      `${notary} key rotate ${gun} snapshot -r && ${notary} publish ${gun} ` +
      '(with --tlscacert for a CA of your own). A build never does that.',
  });
}
