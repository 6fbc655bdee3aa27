/**
 * The real notary CLI against one server, without any questions asked.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Authority } from './authority.ts';
import { runCommand, succeed, type CommandResult } from './command.ts';

/** Who talks to a server. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A notary CLI to use. */
export interface NotaryCliOptions {
  readonly server: { readonly url: string };
  /** Whose certificates the CLI trusts. */
  readonly authority: Pick<Authority, 'certificateFile'>;
  /** The CLI's trust directory (keys, cache, staged changes); made where it is missing. */
  readonly home: string;
  /**
   * For changes alone: the tool reads as nobody, whatever it is given, so that a server whose
   * repositories are to be read with it has to let everybody pull.
   */
  readonly auth?: Credentials;
  /** Of all keys; `canary-notary-passphrase` by default. */
  readonly passphrase?: string;
}

/** A target as `notary list` shows it. */
export interface ListedTarget {
  readonly tag: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly length: number;
  readonly role: string;
}

/**
 * The notary CLI. What is changed is staged in its home until {@link NotaryCli.publish}; reads come
 * from the server, never from a cache. Everything throws an Error with the tool's output when the
 * tool fails.
 */
export interface NotaryCli {
  /** Where the private keys are, as `<key id>.key`. */
  readonly privateKeyDirectory: string;
  readonly passphrase: string;
  /** Makes root, targets and snapshot keys of a new repository. */
  init(gun: string): Promise<void>;
  publish(gun: string): Promise<void>;
  /** Hands the snapshot key to the server; publishes at once. */
  rotateSnapshotToServer(gun: string): Promise<void>;
  /** Makes a new key of a role, on the server for snapshot and timestamp; publishes at once. */
  rotateKey(gun: string, role: 'root' | 'targets' | 'snapshot' | 'timestamp'): Promise<void>;
  /**
   * Adds a delegation, or a key to one.
   *
   * @param certificateFile PEM, a certificate or a public key (EC or RSA)
   * @param paths prefixes of the tags that it may sign; all by default
   */
  delegationAdd(
    gun: string,
    role: string,
    certificateFile: string,
    paths?: readonly string[],
  ): Promise<void>;
  /** Takes a key from a delegation, or the whole delegation away. */
  delegationRemove(gun: string, role: string, keyId?: string): Promise<void>;
  /** Stages that roles are signed again as they are. */
  witness(gun: string, roles: readonly string[]): Promise<void>;
  /**
   * Copies a private key into the home, encrypted.
   *
   * @param file unencrypted PEM. The tool takes no encrypted key of docker's or its own: such a file
   *   is put into {@link NotaryCli.privateKeyDirectory} as it is.
   */
  keyImport(file: string, role: string): Promise<void>;
  /**
   * Stages a target.
   *
   * @param length bytes
   * @param roles which sign it; `targets` by default
   * @param more further flags
   */
  addHash(
    gun: string,
    tag: string,
    length: number,
    sha256Hex: string,
    roles?: readonly string[],
    more?: readonly string[],
  ): Promise<void>;
  /** Stages that a target is signed no more. */
  remove(gun: string, tag: string, roles: readonly string[]): Promise<void>;
  /** Whether a tag is signed for this very content, in a file. */
  verifies(gun: string, tag: string, file: string): Promise<boolean>;
  /**
   * What is signed for a tag; undefined when a repository that is valid has nothing for it.
   *
   * @param pins ids of the root certificates to trust; by default that of the first one met
   */
  lookup(
    gun: string,
    tag: string,
    pins?: readonly string[],
  ): Promise<{ readonly sha256: string; readonly length: number } | undefined>;
  /** All signed targets, each by the role that wins for it; or those of a role and of roles below. */
  list(gun: string, role?: string): Promise<readonly ListedTarget[]>;
  /** Runs the tool in its home; throws only when it is killed or runs longer than 30 seconds. */
  run(args: readonly string[]): Promise<CommandResult>;
}

/** A notary CLI; nothing runs yet. */
export function notaryCli(options: NotaryCliOptions): NotaryCli {
  const { server, authority, auth, passphrase = 'canary-notary-passphrase' } = options;
  const home = resolve(options.home);
  const env = {
    NOTARY_ROOT_PASSPHRASE: passphrase,
    NOTARY_TARGETS_PASSPHRASE: passphrase,
    NOTARY_SNAPSHOT_PASSPHRASE: passphrase,
    NOTARY_DELEGATION_PASSPHRASE: passphrase,
    ...(auth === undefined
      ? {}
      : { NOTARY_AUTH: Buffer.from(`${auth.username}:${auth.password}`).toString('base64') }),
  };
  const common = ['-s', server.url, '--tlscacert', authority.certificateFile];
  const runIn = async (trust: string, args: readonly string[]): Promise<CommandResult> => {
    await mkdir(trust, { recursive: true, mode: 0o700 });
    const words = [...common, '-d', trust, ...args];
    return runCommand({ program: 'notary', args: words, directory: trust, env });
  };
  const change = async (...args: readonly string[]): Promise<void> => {
    demandSuccess(args, await runIn(home, args));
  };
  const by = (roles: readonly string[]) => roles.flatMap((role) => ['-r', role]);
  const read = async (args: readonly string[], settings = {}): Promise<CommandResult> => {
    await mkdir(home, { recursive: true, mode: 0o700 });
    // With a directory that knows the repository, the tool would answer from it if the server fails.
    const fresh = await mkdtemp(join(home, 'read-'));
    const file = join(fresh, 'config.json');
    await writeFile(file, JSON.stringify(settings));
    return runIn(fresh, ['-c', file, ...args]).finally(() =>
      rm(fresh, { recursive: true, force: true }),
    );
  };
  return {
    privateKeyDirectory: join(home, 'private'),
    passphrase,
    init: (gun) => change('init', gun),
    publish: (gun) => change('publish', gun),
    rotateSnapshotToServer: (gun) => change('key', 'rotate', gun, 'snapshot', '-r'),
    delegationAdd: (gun, role, file, paths) => {
      const scope = paths === undefined ? ['--all-paths'] : ['--paths', paths.join(',')];
      return change('delegation', 'add', gun, role, file, ...scope);
    },
    rotateKey: async (gun, role) => {
      const where = role === 'snapshot' || role === 'timestamp' ? ['-r'] : [];
      const words = [...common, '-d', home, 'key', 'rotate', gun, role, ...where];
      // A root is rotated for those alone who say that they are sure.
      const args = ['-c', 'echo y | notary "$@"', 'notary', ...words];
      await succeed({ program: 'sh', args, directory: home, env });
    },
    delegationRemove: (gun, role, keyId) =>
      change('delegation', 'remove', gun, role, ...(keyId === undefined ? [] : [keyId]), '--yes'),
    witness: (gun, roles) => change('witness', gun, ...roles),
    keyImport: (file, role) => change('key', 'import', file, '--role', role),
    addHash: (gun, tag, length, sha256Hex, roles = ['targets'], more = []) => {
      const what = [gun, tag, String(length), '--sha256', sha256Hex];
      return change('addhash', ...what, ...by(roles), ...more);
    },
    remove: (gun, tag, roles) => change('remove', gun, tag, ...by(roles)),
    verifies: async (gun, tag, file) =>
      (await read(['verify', gun, tag, '-q', '-i', file])).code === 0,
    lookup: async (gun, tag, pins) => {
      const result = await read(['lookup', gun, tag], pins && pinning(gun, pins));
      if (result.stdout.includes('No valid trust data for')) return undefined;
      demandSuccess(['lookup', gun, tag], result);
      return parseLookup(result.stdout);
    },
    list: async (gun, role) => {
      const args = ['list', gun, ...(role === undefined ? [] : ['-r', role])];
      const result = await read(args);
      demandSuccess(args, result);
      return parseList(result.stdout);
    },
    run: (args) => runIn(home, args),
  };
}

/** Settings under which no other root than the pinned ones is trusted. */
function pinning(gun: string, pins: readonly string[]): object {
  return { trust_pinning: { disable_tofu: true, certs: { [gun]: pins } } };
}

function demandSuccess(args: readonly string[], result: CommandResult): void {
  if (result.code === 0) return;
  const output = `${result.stdout}${result.stderr}`.trim();
  throw new Error(`notary ${args.join(' ')} ended with exit code ${result.code}\n${output}`);
}

function parseLookup(text: string): { readonly sha256: string; readonly length: number } {
  const [, sha256, length] = / sha256:([0-9a-f]{64}) (\d+)$/m.exec(text.trimEnd()) ?? [];
  if (sha256 === undefined) throw new Error(`notary lookup said what we cannot read:\n${text}`);
  return { sha256, length: Number(length) };
}

/** Reads the table from its right end: the columns there are of known form, names are not. */
function parseList(text: string): readonly ListedTarget[] {
  const known = /^(NAME\s+DIGEST\s+SIZE.*ROLE|[-\s]+|No targets present in this repository\.)?$/;
  return text.split('\n').flatMap((line) => {
    const [, tag, sha256, length, role] =
      /^\s*(\S.*?)\s+([0-9a-f]{64})\s+(\d+)\s+(\S+)\s*$/.exec(line) ?? [];
    if (tag !== undefined && sha256 !== undefined && role !== undefined) {
      return [{ tag, sha256, length: Number(length), role }];
    }
    if (known.test(line.trim())) return [];
    throw new Error(`notary list said what we cannot read: ${line}`);
  });
}
