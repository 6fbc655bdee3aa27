/**
 * The whole bed: a notary-server and a registry on loopback under a throw-away CA, in a
 * directory of their own.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createAuthority, type Authority } from './authority.ts';
import { atExit } from './cleanup.ts';
import { dockerCli, type DockerCli } from './docker-cli.ts';
import { startRegistry, type Registry } from './docker-registry.ts';
import { ensureInstalled, type Part } from './installed.ts';
import { notaryCli, type Credentials, type NotaryCli } from './notary-cli.ts';
import { startNotaryServer, type NotaryServer } from './notary-server.ts';
import { startNotarySigner, type NotarySigner } from './notary-signer.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { startTokenServer, type TokenServer, type TokenServerOptions } from './token-server.ts';

/** A bed to start. */
export interface BedOptions {
  /** Puts a token server before the notary-server; without it everybody may do everything. */
  readonly auth?: Omit<TokenServerOptions, 'authority'> & {
    /** Where the notary-server sends its clients for tokens instead: something before the realm. */
    readonly realm?: (realm: string, authority: Authority) => Promise<string>;
  };
  /** Puts the notary-server's keys into a notary-signer; without it the server holds them itself. */
  readonly signer?: boolean;
  /** Where the notary-server's metadata are; in its memory by default. */
  readonly storage?: 'memory' | 'postgres';
}

/** A running bed. */
export interface Bed {
  /** Everything is in here, for this user alone; gone after {@link Bed.stop}. */
  readonly directory: string;
  readonly authority: Authority;
  readonly notary: NotaryServer;
  readonly registry: Registry;
  /** There with `auth` alone. */
  readonly tokens?: TokenServer;
  /** There with `signer` alone. */
  readonly signer?: NotarySigner;
  /** There with `storage: 'postgres'` alone. */
  readonly postgres?: Postgres;
  /**
   * A notary CLI for the bed's server.
   *
   * @param home its trust directory, relative to the bed's; `notary-home` by default
   */
  cli(home?: string, auth?: Credentials): NotaryCli;
  /**
   * A docker CLI for the bed's server.
   *
   * @param home its configuration directory, relative to the bed's; `docker-home` by default
   */
  docker(home?: string, auth?: Credentials): DockerCli;
  /** Stops everything and removes the directory. May be repeated. */
  stop(): Promise<void>;
}

/** What every bed is made of. */
const PARTS: readonly Part[] = [
  ...(['notary', 'notary-server', 'notary-signer'] as const),
  ...(['docker-registry', 'docker', 'openssl'] as const),
];

/**
 * Starts a bed; installs missing programs where that is ours to do.
 *
 * @throws Error when a part does not start; then nothing is left running, and no directory
 */
export async function startBed(options: BedOptions = {}): Promise<Bed> {
  const databases: readonly Part[] = options.storage === 'postgres' ? ['postgres'] : [];
  await ensureInstalled([...PARTS, ...databases]);
  const directory = await mkdtemp(join(tmpdir(), 'kpack-notary-bed-'));
  const forget = atExit(() => rmSync(directory, { recursive: true, force: true }));
  const parts: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    parts.push(part);
    return part;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(parts.map((part) => part.stop()));
    await rm(directory, { recursive: true, force: true });
    forget();
  };
  const underAuthority = async (storage: Promise<Postgres> | undefined) => {
    const authority = await createAuthority(join(directory, 'authority'));
    const tokens = options.auth && keep(await startTokenServer({ authority, ...options.auth }));
    const realm = tokens && (await options.auth.realm?.(tokens.realm, authority));
    const start = { authority, directory: join(directory, 'notary-signer') };
    const signer = options.signer ? keep(await startNotarySigner(start)) : undefined;
    const postgres = await storage;
    const notary = await startNotaryServer({
      directory: join(directory, 'notary-server'),
      authority,
      ...(tokens && { auth: { ...tokens, ...(realm !== undefined && { realm }) } }),
      ...(signer && { trustService: signer }),
      ...(postgres && { storage: postgres }),
    });
    const parts = { ...(tokens && { tokens }), ...(signer && { signer }) };
    return { authority, notary: keep(notary), ...parts, ...(postgres && { postgres }) };
  };
  const storage = options.storage === 'postgres' ? startPostgres().then(keep) : undefined;
  const [trusted, registry] = await Promise.allSettled([
    underAuthority(storage),
    startRegistry({ directory: join(directory, 'registry') }).then(keep),
    storage,
  ]);
  if (trusted.status === 'rejected' || registry.status === 'rejected') {
    await stop();
    throw trusted.status === 'rejected'
      ? trusted.reason
      : (registry as PromiseRejectedResult).reason;
  }
  const server = trusted.value.notary;
  const { authority } = trusted.value;
  return {
    directory,
    ...trusted.value,
    registry: registry.value,
    cli: (home = 'notary-home', auth) =>
      notaryCli({ server, authority, home: resolve(directory, home), ...(auth && { auth }) }),
    docker: (home = 'docker-home', auth) =>
      dockerCli({ server, authority, home: resolve(directory, home), ...(auth && { auth }) }),
    stop,
  };
}
