/**
 * The whole bed: a notary-server and a registry on loopback under a throw-away authority, in a
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
import { ensureInstalled } from './installed.ts';
import { notaryCli, type Credentials, type NotaryCli } from './notary-cli.ts';
import { startNotaryServer, type NotaryServer } from './notary-server.ts';
import { startTokenServer, type TokenServer, type TokenServerOptions } from './token-server.ts';

/** A bed to start. */
export interface BedOptions {
  /** Puts a token server before the notary-server; without it everybody may do everything. */
  readonly auth?: Omit<TokenServerOptions, 'authority'>;
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

/**
 * Starts a bed; installs missing programs where that is ours to do.
 *
 * @throws Error when a part does not start; then nothing is left running, and no directory
 */
export async function startBed(options: BedOptions = {}): Promise<Bed> {
  await ensureInstalled();
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
  const underAuthority = async () => {
    const authority = await createAuthority(join(directory, 'authority'));
    const tokens = options.auth && keep(await startTokenServer({ authority, ...options.auth }));
    const notary = await startNotaryServer({
      directory: join(directory, 'notary-server'),
      authority,
      ...(tokens && { auth: tokens }),
    });
    return { authority, notary: keep(notary), ...(tokens && { tokens }) };
  };
  const [trusted, registry] = await Promise.allSettled([
    underAuthority(),
    startRegistry({ directory: join(directory, 'registry') }).then(keep),
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
