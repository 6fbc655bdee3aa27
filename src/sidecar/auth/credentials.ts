import { isIP } from 'node:net';
import { join } from 'node:path';
import { hostOf, serverHost, type NotaryUrl } from '../../shared/notary-url.ts';
import type { MountedCredentials } from '../../shared/signer-flags.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { Authorization } from '../http/authorization.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { Log } from '../io/log.ts';
import { readText } from '../io/text-file.ts';
import { tokenParameters, type TokenRequest } from './token-realm.ts';
import type { HttpRequest } from '../http/http-message.ts';

/** User name and password, or an identity token, as a file holds them: not yet for anybody. */
export type Login =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A refresh token, good for nothing but to be exchanged at a token server. */
  | { readonly kind: 'identity-token'; readonly token: string };

export interface Audience {
  /** As people name the server; for messages. */
  readonly host: string;
  /** https. */
  readonly server: URL;
  /** The URL at which the server names its token realm; undefined: any answer of it may do so. */
  readonly realmNamedAt?: URL;
}

/** Docker's user name for a password that is an identity token. */
const IDENTITY_TOKEN_USER = '<token>';
/** The name of the signer at token servers. */
const CLIENT_ID = 'kpack-notary';

/**
 * Credentials, and for whom they are. What is secret leaves this object in two ways: in a header for
 * their own server, and in a request to a token realm that their own server names.
 */
export class Credentials {
  readonly #login: Login;
  readonly #audience: Audience;
  /** The Notary server that gets tokens made with a registry's credentials. */
  readonly #borrower: URL | undefined;

  private constructor(login: Login, audience: Audience, borrower?: URL) {
    this.#login = login;
    this.#audience = audience;
    this.#borrower = borrower;
  }

  static for(audience: Audience, login: Login): Credentials {
    return new Credentials(login, audience);
  }

  /** Whose they are, for messages. */
  get account(): string {
    const { host } = this.#audience;
    return this.#login.kind === 'basic'
      ? `${this.#login.username} (credentials for ${host})`
      : `the account of the identity token for ${host}`;
  }

  get realmNamedAt(): URL | undefined {
    return this.#audience.realmNamedAt;
  }

  /** Whether they are another server's, for tokens alone. */
  get isLent(): boolean {
    return this.#borrower !== undefined;
  }

  get isIdentityToken(): boolean {
    return this.#login.kind === 'identity-token';
  }

  /** User name and password for their own server; undefined where they are none, or not for it. */
  basicFor(server: URL): Authorization | undefined {
    const isTheirs = server.origin === this.#audience.server.origin;
    if (this.#login.kind !== 'basic' || this.#borrower || !isTheirs) return undefined;
    return new Authorization(basic(this.#login), server);
  }

  /** The request that gets a token for them; undefined where realm or server are not theirs. */
  tokenRequest(asked: TokenRequest): HttpRequest | undefined {
    const { realm, server } = asked;
    const { server: own, realmNamedAt } = this.#audience;
    const isVouchedFor = realmNamedAt
      ? realm.namedAt.href === realmNamedAt.href
      : realm.namedAt.origin === own.origin;
    if (!isVouchedFor || server.origin !== (this.#borrower ?? own).origin) return undefined;
    const parameters = tokenParameters(asked);
    if (this.#login.kind === 'identity-token') {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: CLIENT_ID,
        ...parameters,
        refresh_token: this.#login.token,
      });
      // A POST: the HTTP client follows no redirect of it.
      return {
        method: 'POST',
        url: realm.tokenUrl(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: [Buffer.from(form.toString())],
      };
    }
    const url = realm.tokenUrl({ ...parameters, account: this.#login.username });
    const authorization = new Authorization(basic(this.#login), url);
    return { method: 'GET', url, authorization, redirects: 'follow' };
  }

  /**
   * The credentials of a registry, for tokens that a Notary server sees; that server never sees them
   * themselves. Undefined where it has nothing to do with the registry.
   */
  lentTo(notary: NotaryUrl): Credentials | undefined {
    if (!belongsTo(serverHost(notary), this.#audience.host)) return undefined;
    return new Credentials(this.#login, this.#audience, new URL(notary));
  }
}

/**
 * Whether a Notary server is the registry's own host, or lies below it in DNS: whoever runs a domain
 * decides what lies below it. A name of one label, such as `com` or `localhost`, is nobody's domain.
 */
function belongsTo(notaryHost: string, registryHost: string): boolean {
  if (notaryHost === registryHost) return true;
  const [notary, registry] = [nameOf(notaryHost), nameOf(registryHost)];
  return registry.includes('.') && isIP(registry) === 0 && notary.endsWith(`.${registry}`);
}

function nameOf(host: string): string {
  return host.replace(/:\d+$/, '');
}

function basic({ username, password }: Login & { readonly kind: 'basic' }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Which credentials one server gets. */
export interface CredentialLookup {
  /** @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE when what is there is broken */
  find(): Promise<FoundCredentials | undefined>;
  /** What to say where there are none. */
  readonly absence: string;
  /** What to do then, where that can be said better than in the table of codes. */
  readonly fix?: string;
}

export interface FoundCredentials {
  readonly credentials: Credentials;
  /** Reaches those that see them, where that is not the client for the server itself. */
  readonly http?: HttpClient;
}

/** The basic-auth Secrets for Notary servers. */
export interface NotaryCredentials {
  /** @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE when what is there is broken */
  find(url: NotaryUrl): Promise<Credentials | undefined>;
}

/**
 * Mounted basic-auth Secrets, each for one host. The first for a host counts; more than one is a
 * warning.
 */
export function notaryCredentials(
  directories: readonly MountedCredentials[],
  log: Pick<Log, 'warn'>,
): NotaryCredentials {
  const found = new Map<string, Promise<Credentials | undefined>>();
  const read = async (url: NotaryUrl): Promise<Credentials | undefined> => {
    const host = serverHost(url);
    const matching = directories.filter((mounted) => hostOf(mounted.host ?? '') === host);
    if (matching.length > 1) {
      log.warn(`${matching.length} Secrets are for ${host}: the first is used`);
    }
    const [first] = matching;
    const audience = { host, server: new URL(url) };
    return first && Credentials.for(audience, await readBasicAuth(host, first.directory));
  };
  return {
    find: (url) => {
      const reading = found.get(url) ?? read(url);
      found.set(url, reading);
      return reading;
    },
  };
}

/**
 * Reads a mounted basic-auth Secret; with the user name `<token>` its password is an identity token.
 *
 * @param host for messages
 * @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE
 */
export async function readBasicAuth(host: string, directory: string): Promise<Login> {
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
  return loginOf(withoutNewline(username), withoutNewline(password));
}

/** User name and password, or the identity token that they stand for. */
export function loginOf(username: string, password: string): Login {
  if (username === IDENTITY_TOKEN_USER) return { kind: 'identity-token', token: password };
  return { kind: 'basic', username, password };
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
