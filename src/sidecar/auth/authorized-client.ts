import { SigningError } from '../../shared/signing-error.ts';
import type { Authorization } from '../http/authorization.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { CredentialLookup, FoundCredentials } from './credentials.ts';
import type { HttpClient } from '../http/http-client.ts';
import { transienceOf } from '../http/retry-after.ts';
import { fetchToken } from './token-client.ts';
import { TokenRealm, type TokenRequest, type TokenScope } from './token-realm.ts';
import { isRead, type HttpRequest, type HttpResponse } from '../http/http-message.ts';

/** Sends requests to one server for one repository, with the authorization that the server wants. */
export interface AuthorizedClient {
  /**
   * Never answers 401: what the server wants is got and sent, or it is an error.
   *
   * @throws SigningError CREDENTIALS_*, PUSH_DENIED (to a write), SERVER_*, DEADLINE_EXCEEDED
   */
  send(request: HttpRequest): Promise<HttpResponse>;
}

export interface AuthorizedClientOptions {
  readonly http: HttpClient;
  /** URL of the server. All requests are for its origin. */
  readonly server: URL | string;
  /** What tokens are asked for, whatever a challenge names. */
  readonly scope: TokenScope;
  readonly credentials: CredentialLookup;
  /** Milliseconds, on a clock that only goes forward. */
  readonly now?: () => number;
}

interface Carried {
  readonly authorization: Authorization;
  /** Undefined: a token for those who have none. */
  readonly found: FoundCredentials | undefined;
  /** With a token alone. */
  readonly token?: {
    readonly request: TokenRequest;
    /** On the clock of the options. */
    readonly expires: number;
  };
}

/**
 * The authorization is made when the server first asks for it, kept for all that follows, and made
 * once where several requests need it at the same time.
 */
export function createAuthorizedClient(options: AuthorizedClientOptions): AuthorizedClient {
  const { http, scope, credentials: lookup, now = () => performance.now() } = options;
  const url = new URL(options.server);
  const server = url.host;
  let kept: Promise<Carried> | undefined;
  /** What the server has let in once. */
  let accepted: Carried | undefined;

  const replace = (old: typeof kept, make: () => Promise<Carried>) => {
    if (kept !== old) return;
    const made = make();
    kept = made;
    made.catch(() => {
      if (kept === made) kept = undefined;
    });
  };

  const missing = (doing = ''): SigningError => {
    const what = `${server} wants credentials${doing}, and ${lookup.absence}`;
    return new SigningError('CREDENTIALS_MISSING', what, { fix: lookup.fix });
  };

  const withToken = async (
    request: TokenRequest,
    found: FoundCredentials | undefined,
  ): Promise<Carried> => {
    const since = now();
    const token = await fetchToken(found?.http ?? http, request, found?.credentials);
    if (!token) throw missing();
    const { authorization, lifetime } = token;
    return { authorization, found, token: { request, expires: since + lifetime } };
  };

  /** Credentials are exchanged where the server that they are for says, whoever asks for a token. */
  const requestOf = async (
    named: TokenRealm,
    found: FoundCredentials | undefined,
  ): Promise<TokenRequest> => {
    const from = (realm: TokenRealm, { service }: TokenRealm): TokenRequest => {
      return { realm, service, scope, server: url };
    };
    const at = found?.credentials.realmNamedAt;
    if (!at) return from(named, named);
    const realm = await askForRealm(found.http ?? http, at);
    if (!found.credentials.isLent) {
      if (realm) return from(realm, realm);
      const what = `${server} wants a token, and ${at.href} names no realm`;
      throw new SigningError('SERVER_FAILED', what, {
        fix: 'Let the registry answer GET /v2/ with HTTP 401, and name its token realm there.',
      });
    }
    if (realm?.isAt(named)) return from(realm, named);
    const what =
      `${server} wants a token of ${placeOf(named)}, and docker credentials are for the realm ` +
      `that ${at.href} names, ${realm ? placeOf(realm) : 'which is none'}`;
    throw new SigningError('CREDENTIALS_MISSING', what, { fix: lookup.fix });
  };

  const authorize = async (answer: HttpResponse): Promise<Carried> => {
    const challenges = challengesOf(answer);
    const isBearer = challenges.some(({ scheme }) => scheme === 'bearer');
    const isKnown = isBearer || challenges.some(({ scheme }) => scheme === 'basic');
    if (!isKnown) throw unknownChallenge(url, challenges);
    if (url.protocol !== 'https:') {
      const what = isBearer ? 'a token' : 'user name and password';
      throw new SigningError('CREDENTIALS_OVER_HTTP', `${url.origin} asks for ${what}`);
    }
    const realm = TokenRealm.namedIn(answer);
    const found = await lookup.find();
    if (realm) return withToken(await requestOf(realm, found), found);
    const authorization = found?.credentials.basicFor(url);
    if (authorization) return { authorization, found };
    if (!found?.credentials.isIdentityToken) throw missing(' to let the signer in');
    const what = `${server} wants user name and password, and there is an identity token for it`;
    throw new SigningError('CREDENTIALS_INVALID', what);
  };

  /** A token that has run out is replaced before it is used; a new one is used, however old. */
  const renew = async () => {
    const carried = kept;
    const { token, found } = (await carried) ?? {};
    if (!token || token.expires > now()) return;
    replace(carried, () => withToken(token.request, found));
  };

  return {
    send: async (request) => {
      await renew();
      for (let isAgain = false; ;) {
        const carried = kept;
        const used = await carried;
        const answer = await http.send({
          ...request,
          ...(used && { authorization: used.authorization }),
        });
        if (answer.status !== 401) {
          accepted = used;
          return answer;
        }
        if (answer.url.origin !== url.origin) throw strangerAsks(url, answer.url);
        // Another token may be taken where this one was not; the same password is not.
        if (used && (isAgain || !used.token)) throw denied(request, used, challengesOf(answer));
        isAgain = used !== undefined;
        replace(carried, () => authorize(answer));
      }
    },
  };

  function denied(
    request: HttpRequest,
    carried: Carried,
    challenges: readonly Challenge[],
  ): SigningError {
    const { found, token } = carried;
    const used = found?.credentials;
    const doing = `${isRead(request) ? 'read' : 'publish to'} ${scope.repository}`;
    if (!used) return missing(` to ${doing}`);
    if (!token && (isRead(request) || carried !== accepted)) {
      return new SigningError('CREDENTIALS_REFUSED', `${server} refused ${used.account}`);
    }
    if (token && challenges.some(({ parameters }) => parameters.get('error') === 'invalid_token')) {
      const realm = token.request.realm.url.origin;
      return new SigningError('SERVER_FAILED', `${server} does not take the tokens of ${realm}`, {
        fix: 'Compare issuer, service and certificate in the configuration of both servers, and their clocks.',
      });
    }
    const what = `${server} does not let ${used.account} ${doing}`;
    if (!isRead(request)) return new SigningError('PUSH_DENIED', what);
    return new SigningError('CREDENTIALS_REFUSED', what, {
      fix: 'Give the account the pull permission for the repository at the token server.',
    });
  }
}

function challengesOf({ headers }: HttpResponse): readonly Challenge[] {
  return parseChallenges(headers['www-authenticate'] ?? '');
}

/** The realm that a server names at this URL of its own; undefined where it names none. */
async function askForRealm(http: HttpClient, url: URL): Promise<TokenRealm | undefined> {
  const answer = await http.send({ method: 'GET', url });
  const { status } = answer;
  if (status === 401) return TokenRealm.namedIn(answer);
  const transience = transienceOf(answer);
  if (!transience.isTransient) return undefined;
  throw new SigningError('SERVER_FAILED', `${url.href} answers HTTP ${status}`, transience);
}

/** Without its query, which may hold a secret. */
function placeOf({ url }: TokenRealm): string {
  return url.origin + url.pathname;
}

/** A server that a redirect led to has no say in where credentials go. */
function strangerAsks({ origin }: URL, stranger: URL): SigningError {
  const what = `${origin} redirects to ${stranger.origin}, which wants credentials of its own (HTTP 401)`;
  return new SigningError('SERVER_FAILED', what, {
    fix: `Name ${stranger.host} in place of ${new URL(origin).host}, or let it serve what it is redirected to without credentials.`,
  });
}

function unknownChallenge({ origin }: URL, challenges: readonly Challenge[]): SigningError {
  const schemes = challenges.map(({ scheme }) => scheme).join(', ');
  const which = schemes === '' ? 'does not say which' : `knows ${schemes} alone`;
  const what = `${origin} wants authorization (HTTP 401), and ${which}`;
  return new SigningError('SERVER_FAILED', what, {
    fix: 'Let it, and what stands before it, ask with WWW-Authenticate for Bearer or Basic; and check the URL.',
  });
}
