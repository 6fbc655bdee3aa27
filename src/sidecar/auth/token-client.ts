import { parseObject } from '../../shared/json.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { Authorization } from '../http/authorization.ts';
import type { Credentials } from './credentials.ts';
import { pointedTo, type HttpClient } from '../http/http-client.ts';
import { transienceOf } from '../http/retry-after.ts';
import { tokenParameters, type TokenRequest } from './token-realm.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';

/** A bearer token, for the server that it was asked for. */
export interface Token {
  readonly authorization: Authorization;
  /** Milliseconds for which it is good from the moment it was asked for. */
  readonly lifetime: number;
}

/** What the specification says of tokens that say nothing, or less. */
const SHORTEST_LIFETIME_SECONDS = 60;
/** What can stand in a header; the rest is nothing that a server would take. */
const TOKEN_TEXT = /^[\x21-\x7e]+$/;

/**
 * Gets a bearer token as the distribution token specification says.
 *
 * @param credentials undefined: those who have none may get one, too
 * @returns undefined where credentials are wanted, and these are none, or not for that realm
 * @throws SigningError CREDENTIALS_REFUSED, SERVER_*, DEADLINE_EXCEEDED
 */
export async function fetchToken(
  http: HttpClient,
  asked: TokenRequest,
  credentials: Credentials | undefined,
): Promise<Token | undefined> {
  const request: HttpRequest | undefined = credentials
    ? credentials.tokenRequest(asked)
    : { method: 'GET', url: asked.realm.tokenUrl(tokenParameters(asked)), redirects: 'follow' };
  if (!request) return undefined;
  const answer = await http.send(request);
  const { status, url } = answer;
  // An identity token that is spent or revoked is a bad request (RFC 6749 5.2).
  const isSpent = status === 400 && credentials?.isIdentityToken === true;
  if (status === 401 || status === 403 || isSpent) {
    if (!credentials) return undefined;
    const what = `${url.origin} gives no token to ${credentials.account} (HTTP ${status})`;
    throw new SigningError('CREDENTIALS_REFUSED', what);
  }
  const token = status === 200 ? readToken(answer, asked.server) : undefined;
  if (token) return token;
  const what = `${url.origin} gave no token for ${asked.server.host} (HTTP ${status}${pointedTo(answer)})`;
  throw new SigningError('SERVER_FAILED', what, transienceOf(answer));
}

function readToken({ body, headers }: HttpResponse, server: URL): Token | undefined {
  const answer = parseObject(body) ?? {};
  // With both, the reference client takes access_token.
  const value = [answer['access_token'], answer['token']].find((value) => value);
  if (typeof value !== 'string' || !TOKEN_TEXT.test(value)) return undefined;
  const seconds = Math.max(Number(answer['expires_in']) || 0, SHORTEST_LIFETIME_SECONDS);
  return {
    authorization: new Authorization(`Bearer ${value}`, server),
    lifetime: seconds * 1000 - ageOf(answer['issued_at'], headers.date),
  };
}

/** How long ago a token was issued when it was given, by the server's own clock; milliseconds. */
function ageOf(issuedAt: unknown, now: string | undefined): number {
  const age = Date.parse(now ?? '') - Date.parse(typeof issuedAt === 'string' ? issuedAt : '');
  return Math.max(age || 0, 0);
}
