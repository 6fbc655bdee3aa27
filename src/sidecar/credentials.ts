import { join } from 'node:path';
import { hostOf } from '../shared/notary-url.ts';
import type { HostDirectory } from '../shared/signer-flags.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { Log } from './log.ts';
import { readText } from './text-file.ts';

/** What we show a server, or its token server; `host` says whose they are, for messages. */
export type Credentials =
  | {
      readonly kind: 'basic';
      readonly host: string;
      readonly username: string;
      readonly password: string;
    }
  | {
      /** A refresh token, good for nothing but to be exchanged at a token server. */
      readonly kind: 'identity-token';
      readonly host: string;
      readonly token: string;
    };

/** Where credentials come from. Nothing is read before it is asked for. */
export interface CredentialSource {
  /**
   * @param host as `URL.host` has it: `host` or `host:port`, the default port of https dropped
   * @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE when what is there for that host is
   * broken
   */
  find(host: string): Promise<Credentials | undefined>;
}

/** Which credentials one server gets, and which the token realm that it names. */
export interface CredentialLookup {
  /** For the server itself (Basic). */
  forServer(): Promise<Credentials | undefined>;
  /** @param realmHost as `URL.host` has it */
  forRealm(realmHost: string): Promise<Credentials | undefined>;
}

/** Docker's user name for a password that is an identity token. */
const IDENTITY_TOKEN_USER = '<token>';

/**
 * Mounted basic-auth Secrets, each for one host. The first for a host counts; more than one is a
 * warning.
 */
export function directorySource(
  directories: readonly HostDirectory[],
  log: Pick<Log, 'warn'>,
): CredentialSource {
  const found = new Map<string, Promise<Credentials | undefined>>();
  const read = async (host: string): Promise<Credentials | undefined> => {
    const matching = directories.filter((candidate) => hostOf(candidate.host) === host);
    if (matching.length > 1) {
      log.warn(`${matching.length} Secrets are for ${host}: the first is used`);
    }
    const [first] = matching;
    return first && readBasicAuth(host, first.directory);
  };
  return {
    find: (host) => {
      const reading = found.get(host) ?? read(host);
      found.set(host, reading);
      return reading;
    },
  };
}

/** Whose credentials a Notary server and its token realm get, in which order. */
export interface NotaryLookupOptions {
  /** Host of the Notary server. */
  readonly server: string;
  /** Host of the registry that the signed repository is named after, as its name has it. */
  readonly registryHost: string;
  readonly notary: CredentialSource;
  readonly registry: CredentialSource;
}

/**
 * The server gets its own. Its token realm gets the server's, else those of the realm's host, else
 * those of the registry: token servers are often shared by registry and Notary server.
 */
export function notaryLookup(options: NotaryLookupOptions): CredentialLookup {
  const { server, notary, registry } = options;
  const registryHost = asInUrl(options.registryHost);
  return {
    forServer: () => notary.find(server),
    forRealm: async (realmHost) =>
      (await notary.find(server)) ??
      (await notary.find(realmHost)) ??
      (await registry.find(realmHost)) ??
      (await registry.find(registryHost)),
  };
}

/** A registry and its token realm get the registry's credentials; the realm else those of its host. */
export function registryLookup(options: {
  readonly registryHost: string;
  readonly registry: CredentialSource;
}): CredentialLookup {
  const { registry } = options;
  const registryHost = asInUrl(options.registryHost);
  return {
    forServer: () => registry.find(registryHost),
    forRealm: async (realmHost) =>
      (await registry.find(registryHost)) ?? (await registry.find(realmHost)),
  };
}

/**
 * Reads a mounted basic-auth Secret; with the user name `<token>` its password is an identity token.
 *
 * @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE
 */
async function readBasicAuth(host: string, directory: string): Promise<Credentials> {
  const [username, password] = await Promise.all(
    ['username', 'password'].map((name) => readText(join(directory, name))),
  );
  if (!username?.trim() || password === undefined) {
    throw new SigningError(
      'CREDENTIALS_INVALID',
      `the credentials for ${host} in ${directory} lack ${username ? 'password' : 'username'}`,
    );
  }
  // A Secret made from files ends its values with a newline, which is never meant.
  return basicCredentials(host, withoutNewline(username), withoutNewline(password));
}

/** User name and password, or the identity token that they stand for. */
export function basicCredentials(host: string, username: string, password: string): Credentials {
  if (username === IDENTITY_TOKEN_USER) return { kind: 'identity-token', host, token: password };
  return { kind: 'basic', host, username, password };
}

/** Names of images keep the case of a host, and the default port. */
function asInUrl(host: string): string {
  return hostOf(host) ?? host;
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
