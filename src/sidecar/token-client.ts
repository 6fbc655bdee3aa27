import { SigningError } from '../shared/signing-error.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { pointedTo, type HttpClient, type HttpRequest, type HttpResponse } from './http-client.ts';

/** What one token is asked for. */
export interface TokenRequest {
  /** https. */
  readonly realm: URL;
  /** For whom the token is. */
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  /** The server that asked, for messages. */
  readonly server: string;
  readonly credentials: Credentials | undefined;
}

/** A bearer token. */
export interface Token {
  readonly value: string;
  /** Milliseconds for which it is good from the moment it was asked for. */
  readonly lifetime: number;
}

/** Our name at token servers. */
const CLIENT_ID = 'kpack-notary';
/** What the specification says of tokens that say nothing, or less. */
const SHORTEST_LIFETIME_SECONDS = 60;
/** What can stand in a header; the rest is nothing that a server would take. */
const TOKEN_TEXT = /^[\x21-\x7e]+$/;

/**
 * The token realm of a challenge.
 *
 * @throws SigningError SERVER_FAILED, CREDENTIALS_OVER_HTTP
 */
export function realmOf(challenge: Challenge, server: string): URL {
  const realm = challenge.parameters.get('realm') ?? '';
  if (!URL.canParse(realm)) {
    throw new SigningError('SERVER_FAILED', `${server} asks for a token, and names no realm`);
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:') {
    throw new SigningError('CREDENTIALS_OVER_HTTP', `${server} has the token realm ${url.origin}`);
  }
  return url;
}

/**
 * Gets a bearer token as the distribution token specification says.
 *
 * @throws SigningError CREDENTIALS_MISSING, CREDENTIALS_REFUSED, SERVER_*, DEADLINE_EXCEEDED
 */
export async function fetchToken(http: HttpClient, asked: TokenRequest): Promise<Token> {
  const { credentials } = asked;
  const isExchange = credentials?.kind === 'identity-token';
  const answer = await http.send(isExchange ? exchange(asked, credentials.token) : get(asked));
  const { status, url } = answer;
  // An identity token that is spent or revoked is a bad request (RFC 6749 5.2).
  if (status === 401 || status === 403 || (isExchange && status === 400)) {
    throw refused(asked, answer);
  }
  const token = status === 200 ? readToken(answer) : undefined;
  if (token) return token;
  const what = `${url.origin} gave no token for ${asked.server} (HTTP ${status}${pointedTo(answer)})`;
  throw new SigningError('SERVER_FAILED', what, { isTransient: status >= 500 || status === 429 });
}

/** The realm may have a query of its own, which stays. */
function get({ realm, service, scopes, credentials }: TokenRequest): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.append('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials?.kind !== 'basic') return { method: 'GET', url, redirects: 'follow' };
  url.searchParams.append('account', credentials.username);
  const headers = { authorization: basicAuthorization(credentials) };
  return { method: 'GET', url, headers, redirects: 'follow' };
}

function exchange({ realm, service, scopes }: TokenRequest, refreshToken: string): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: CLIENT_ID,
    scope: scopes.join(' '),
    ...(service !== undefined && { service }),
  });
  return {
    method: 'POST',
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  };
}

/** Value of an Authorization header. */
export function basicAuthorization(credentials: Credentials & { readonly kind: 'basic' }): string {
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Who somebody with credentials is, for messages. */
export function accountOf(credentials: Credentials): string {
  const { kind, host } = credentials;
  return kind === 'basic'
    ? `${credentials.username} (credentials for ${host})`
    : `the account of the identity token for ${host}`;
}

function refused(asked: TokenRequest, { url, status }: HttpResponse): SigningError {
  const { server, realm, credentials } = asked;
  if (credentials) {
    const what = `${url.origin} gives no token to ${accountOf(credentials)} (HTTP ${status})`;
    return new SigningError('CREDENTIALS_REFUSED', what);
  }
  const what = `${server} wants credentials, and none are for ${server} or its token realm ${realm.host}`;
  return new SigningError('CREDENTIALS_MISSING', what);
}

function readToken({ body, headers }: HttpResponse): Token | undefined {
  const answer = parseObject(body);
  // With both, the reference client takes access_token.
  const value = [answer['access_token'], answer['token']].find((value) => value);
  if (typeof value !== 'string' || !TOKEN_TEXT.test(value)) return undefined;
  const seconds = Math.max(Number(answer['expires_in']) || 0, SHORTEST_LIFETIME_SECONDS);
  return { value, lifetime: seconds * 1000 - ageOf(answer['issued_at'], headers.date) };
}

/** How long ago a token was issued when it was given, by the server's own clock; milliseconds. */
function ageOf(issuedAt: unknown, now: string | undefined): number {
  const age = Date.parse(now ?? '') - Date.parse(typeof issuedAt === 'string' ? issuedAt : '');
  return Math.max(age || 0, 0);
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}
