import { SigningError } from '../../shared/signing-error.ts';
import { parseChallenges } from './challenge.ts';
import type { HttpResponse } from '../http/http-message.ts';

/** A token server, as the answer of a server names it. */
export class TokenRealm {
  /** https, without user name and password. */
  readonly url: URL;
  /** For whom it makes the tokens. */
  readonly service: string | undefined;
  /** The URL whose answer named it. */
  readonly namedAt: URL;

  private constructor(url: URL, service: string | undefined, namedAt: URL) {
    this.url = url;
    this.service = service;
    this.namedAt = namedAt;
  }

  /**
   * The realm of an answer's Bearer challenge; undefined where it has no such challenge.
   *
   * @throws SigningError SERVER_FAILED, CREDENTIALS_OVER_HTTP: the realm cannot be used
   */
  static namedIn({ headers, url: namedAt }: HttpResponse): TokenRealm | undefined {
    const challenges = parseChallenges(headers['www-authenticate'] ?? '');
    const parameters = challenges.find(({ scheme }) => scheme === 'bearer')?.parameters;
    if (!parameters) return undefined;
    const realm = parameters.get('realm') ?? '';
    if (!URL.canParse(realm)) {
      throw new SigningError(
        'SERVER_FAILED',
        `${namedAt.host} asks for a token, and names no realm`,
      );
    }
    const url = new URL(realm);
    if (url.protocol !== 'https:') {
      const what = `${namedAt.host} has the token realm ${url.origin}`;
      throw new SigningError('CREDENTIALS_OVER_HTTP', what);
    }
    if (url.username !== '' || url.password !== '') {
      const what = `${namedAt.host} has a token realm with a user name in its URL, at ${url.host}`;
      throw new SigningError('SERVER_FAILED', what);
    }
    return new TokenRealm(url, parameters.get('service'), namedAt);
  }

  /** Whether the other is the same URL, its query included. */
  isAt(other: TokenRealm): boolean {
    return this.url.href === other.url.href;
  }

  /**
   * Where a token is asked for. The query that the realm has of its own stays, except for scopes: no
   * server adds one.
   */
  tokenUrl(query: Readonly<Record<string, string>> = {}): URL {
    const url = new URL(this.url);
    // Untouched where nothing is taken away: a token server may care how its query is written.
    if (url.searchParams.has('scope')) url.searchParams.delete('scope');
    for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value);
    return url;
  }
}

/** What a token may be used for: one repository, and what is done there. Made here, never by a server. */
export interface TokenScope {
  readonly repository: string;
  /** In the order in which docker asks registries, and its Notary client Notary servers. */
  readonly actions: 'pull' | 'pull,push' | 'push,pull';
}

/** A scope as in the distribution token specification; the name may hold colons. */
export function formatScope({ repository, actions }: TokenScope): string {
  return `repository:${repository}:${actions}`;
}

export interface TokenRequest {
  readonly realm: TokenRealm;
  readonly service: string | undefined;
  readonly scope: TokenScope;
  /** The server that will see the token. */
  readonly server: URL;
}

/** The parameters of a request for a token. */
export function tokenParameters({ service, scope }: TokenRequest): Record<string, string> {
  return { ...(service !== undefined && { service }), scope: formatScope(scope) };
}
