import { SigningError } from '../shared/signing-error.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { CredentialLookup, Credentials } from './credentials.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './http-client.ts';
import { accountOf, basicAuthorization, fetchToken, realmOf } from './token-client.ts';
import { joinScopes, resourceName } from './token-scope.ts';

/** Sends requests to one server for one repository, with the authorization that the server wants. */
export interface AuthorizedClient {
  /**
   * Never answers 401: what the server wants is got and sent, or it is an error.
   *
   * @throws SigningError CREDENTIALS_*, PUSH_DENIED (to a POST), SERVER_*, DEADLINE_EXCEEDED
   */
  send(request: HttpRequest): Promise<HttpResponse>;
}

export interface AuthorizedClientOptions {
  readonly http: HttpClient;
  /** URL of the server. All requests are for its origin. */
  readonly server: URL | string;
  /** What tokens are asked for, such as `repository:<name>:push,pull`. */
  readonly scope: string;
  readonly credentials: CredentialLookup;
  /** Milliseconds, on a clock that only goes forward. */
  readonly now?: () => number;
}

/** What requests carry. */
interface Authorization {
  readonly header: string;
  /** Undefined: a token for strangers. */
  readonly credentials: Credentials | undefined;
  /** With a token alone. */
  readonly token?: {
    readonly challenge: Challenge;
    readonly scopes: readonly string[];
    /** On the clock of the options. */
    readonly expires: number;
  };
}

/**
 * The authorization is made when the server first asks for it, kept for all that follows, and made
 * once where several requests need it at the same time.
 */
export function createAuthorizedClient(options: AuthorizedClientOptions): AuthorizedClient {
  const { http, scope, credentials, now = () => performance.now() } = options;
  const url = new URL(options.server);
  const server = url.host;
  let kept: Promise<Authorization> | undefined;

  const replace = (old: typeof kept, make: () => Promise<Authorization>) => {
    if (kept !== old) return;
    const made = make();
    kept = made;
    made.catch(() => {
      if (kept === made) kept = undefined;
    });
  };

  const withToken = async (challenge: Challenge, scopes: readonly string[]) => {
    const realm = realmOf(challenge, server);
    const service = challenge.parameters.get('service');
    const theirs = await credentials.forRealm(realm.host);
    const asked = now();
    const request = { realm, service, scopes, server, credentials: theirs };
    const { value, lifetime } = await fetchToken(http, request);
    const token = { challenge, scopes, expires: asked + lifetime };
    return { header: `Bearer ${value}`, credentials: theirs, token };
  };

  /** What an answer of 401 asks for. */
  const authorize = async (
    challenges: readonly Challenge[],
    used: Authorization | undefined,
  ): Promise<Authorization> => {
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const wanted = bearer ?? challenges.find(({ scheme }) => scheme === 'basic');
    if (!wanted) throw unknownChallenge(url, challenges);
    if (url.protocol !== 'https:') {
      const what = bearer ? 'a token' : 'user name and password';
      throw new SigningError('CREDENTIALS_OVER_HTTP', `${url.origin} asks for ${what}`);
    }
    // A challenge names what that one request needs; the server may know more than we do.
    if (bearer) return withToken(bearer, used ? joinScopes([scope], scopesOf(bearer)) : [scope]);
    const ours = await credentials.forServer();
    if (!ours) throw missing(server, 'let us in');
    if (ours.kind === 'basic') return { header: basicAuthorization(ours), credentials: ours };
    const what = `${server} wants user name and password, and there is an identity token for it`;
    throw new SigningError('CREDENTIALS_INVALID', what);
  };

  /** A token that has run out is replaced before it is used; a new one is used, however old. */
  const renew = async () => {
    const carried = kept;
    const token = (await carried)?.token;
    if (!token || token.expires > now()) return;
    replace(carried, () => withToken(token.challenge, token.scopes));
  };

  return {
    send: async (request) => {
      await renew();
      for (let isAgain = false; ;) {
        const carried = kept;
        const used = await carried;
        const headers = { ...request.headers, ...(used && { authorization: used.header }) };
        const answer = await http.send({ ...request, headers });
        if (answer.status !== 401) return answer;
        if (answer.url.origin !== url.origin) throw strangerAsks(url, answer.url);
        const challenges = parseChallenges(answer.headers['www-authenticate'] ?? '');
        // Another token may be taken where this one was not; the same password is not.
        if (used && (isAgain || !used.token)) throw denied(request, used, challenges);
        isAgain = used !== undefined;
        replace(carried, () => authorize(challenges, used));
      }
    },
  };

  function denied(
    { method }: HttpRequest,
    { credentials: used, token }: Authorization,
    challenges: readonly Challenge[],
  ): SigningError {
    const doing = `${method === 'POST' ? 'publish to' : 'read'} ${resourceName(scope)}`;
    if (!used) return missing(server, doing);
    const who = accountOf(used);
    if (!token) return new SigningError('CREDENTIALS_REFUSED', `${server} refused ${who}`);
    if (challenges.some((challenge) => errorOf(challenge) === 'invalid_token')) {
      const realm = realmOf(token.challenge, server).origin;
      return new SigningError('SERVER_FAILED', `${server} does not take the tokens of ${realm}`, {
        fix: 'Compare issuer, service and certificate in the configuration of both servers, and their clocks.',
      });
    }
    const what = `${server} does not let ${who} ${doing}`;
    if (method === 'POST') return new SigningError('PUSH_DENIED', what);
    return new SigningError('CREDENTIALS_REFUSED', what, {
      fix: 'Give the account the pull permission for the repository at the token server.',
    });
  }
}

function scopesOf({ parameters }: Challenge): readonly string[] {
  return (parameters.get('scope') ?? '').split(/\s+/).filter((scope) => scope.includes(':'));
}

function errorOf({ parameters }: Challenge): string | undefined {
  return parameters.get('error');
}

function missing(server: string, doing: string): SigningError {
  const what = `${server} wants credentials to ${doing}, and none are for ${server}`;
  return new SigningError('CREDENTIALS_MISSING', what);
}

/** Who a redirect led to has no say in where our credentials go. */
function strangerAsks({ origin }: URL, stranger: URL): SigningError {
  const what = `${origin} redirects to ${stranger.origin}, which wants credentials of its own (HTTP 401)`;
  return new SigningError('SERVER_FAILED', what, {
    fix: `Name ${stranger.host} in place of ${new URL(origin).host}, or let it serve what it is redirected to without credentials.`,
  });
}

function unknownChallenge({ origin }: URL, challenges: readonly Challenge[]): SigningError {
  const schemes = challenges.map(({ scheme }) => scheme).join(', ');
  const what = schemes === '' ? 'does not say which' : `knows ${schemes} alone`;
  return new SigningError(
    'SERVER_FAILED',
    `${origin} wants authorization (HTTP 401), and ${what}`,
    {
      fix: 'Let it, and what stands before it, ask with WWW-Authenticate for Bearer or Basic; and check the URL.',
    },
  );
}
