/**
 * A real PostgreSQL with the tables of a notary-server: the storage that production has.
 */
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, type Child } from './child.ts';
import { atExit } from './cleanup.ts';
import { succeed } from './command.ts';
import { freePort, onFreePort } from './port.ts';

/** A database server to start. */
export interface PostgresOptions {
  /** Where ports come from; {@link freePort} by default. */
  readonly pickPort?: () => Promise<number>;
}

/** A running database server. */
export interface Postgres {
  /** `postgres://...` of the database with a notary-server's tables, empty at first. */
  readonly url: string;
  readonly child: Child;
  /** Resolves when it is gone, and its data with it. May be repeated. */
  stop(): Promise<void>;
}

const USER = 'notary';

/**
 * What the SQL storage of notary-server reads and writes. Versions of a role are unique: that is
 * what decides between publishers who come at once.
 */
const TABLES = `
  CREATE TABLE tuf_files (
    id serial PRIMARY KEY,
    created_at timestamp,
    updated_at timestamp,
    deleted_at timestamp,
    gun varchar(255) NOT NULL,
    role varchar(255) NOT NULL,
    version integer NOT NULL,
    sha256 char(64),
    data bytea NOT NULL,
    UNIQUE (gun, role, version)
  );
  CREATE INDEX ON tuf_files (sha256);
  CREATE TABLE changefeed (
    id serial PRIMARY KEY,
    created_at timestamp DEFAULT now(),
    gun varchar(255) NOT NULL,
    version integer NOT NULL,
    sha256 char(64),
    category varchar(20) NOT NULL
  );
  CREATE INDEX ON changefeed (gun);`;

/** Nothing has to survive, nobody but us is to find it, and a hundred publishers may come at once. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '250',
} as const;

/**
 * Starts PostgreSQL with a database of its own. The data lie in a directory of their own under the
 * system's temporary one: the program refuses to be root, and its user may not see into ours.
 *
 * @throws Error with the program's output when it does not start
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const directory = mkdtempSync(join(tmpdir(), 'kpack-notary-postgres-'));
  const forget = atExit(() => {
    // Its processes may still be about to end, and write meanwhile.
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  });
  const user = otherUser();
  if (user) chownSync(directory, user.uid, user.gid);
  const as = { directory, ...(user && { user }) };
  const data = join(directory, 'data');
  const remove = async (): Promise<void> => {
    await rm(directory, { recursive: true, force: true });
    forget();
  };
  const start = async (port: number): Promise<Postgres> => {
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const child = await startChild({
      ...as,
      program: 'postgres',
      args: ['-D', data, '-p', String(port), ...settings],
      ready: (output) => output.includes('ready to accept connections'),
    });
    const stop = async (): Promise<void> => {
      // Upon SIGTERM alone it would wait for its clients to leave.
      child.kill('SIGINT');
      await child.stop();
      await remove();
    };
    const base = `postgres://${USER}@127.0.0.1:${port}/postgres?sslmode=disable`;
    const create = ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', `--command=${TABLES}`, base];
    try {
      await succeed({ program: 'psql', args: create, directory });
    } catch (error) {
      await stop();
      throw error;
    }
    return { url: base, child, stop };
  };
  try {
    const shape = ['--auth=trust', `--username=${USER}`, '--no-locale', '--encoding=UTF8'];
    await succeed({ ...as, program: 'initdb', args: ['-D', data, '--no-sync', ...shape] });
    return await onFreePort(start, options.pickPort ?? freePort);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** For root, whom the program refuses to serve: somebody else of this machine. */
function otherUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const account =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (account === undefined) throw new Error('/etc/passwd has neither postgres nor nobody');
  return { uid: Number(account[2]), gid: Number(account[3]) };
}
