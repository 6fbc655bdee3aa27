import type { Gun } from '../shared/image-reference.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { Challenge } from './challenge.ts';
import type { HttpClient } from './http-client.ts';
import type { Credentials } from './secret-directory.ts';

/** What one token is asked for. */
export interface TokenRequest {
  readonly challenge: Challenge;
  readonly gun: Gun;
  /** The server that asked, for messages. */
  readonly server: string;
  readonly credentials: Credentials | undefined;
}

/**
 * Gets a bearer token as the distribution token specification says, always for `push,pull`: the
 * challenge of a GET names `pull` alone, and a strict server grants exactly what is asked.
 *
 * @throws SigningError CREDENTIALS_OVER_HTTP, CREDENTIALS_MISSING, CREDENTIALS_REFUSED, SERVER_*,
 * DEADLINE_EXCEEDED
 */
export async function fetchToken(
  http: HttpClient,
  { challenge, gun, server, credentials }: TokenRequest,
): Promise<string> {
  const realm = challenge.parameters.get('realm') ?? '';
  if (!URL.canParse(realm)) {
    throw new SigningError('SERVER_FAILED', `${server} asks for a token, and names no realm`);
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:') {
    throw new SigningError('CREDENTIALS_OVER_HTTP', `${server} has the token realm ${url.origin}`);
  }
  const service = challenge.parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${gun}:push,pull`);
  if (credentials) url.searchParams.set('account', credentials.username);

  const { status, headers, body } = await http.send({
    method: 'GET',
    url,
    ...(credentials && { headers: { authorization: basic(credentials) } }),
  });
  if (status === 401 || status === 403) throw refused(url, server, credentials);
  const token = status === 200 ? readToken(body) : undefined;
  if (token === undefined) {
    const to = headers.location === undefined ? '' : `, and points to ${headers.location}`;
    throw new SigningError('SERVER_FAILED', `${url.origin} gave no token (HTTP ${status}${to})`);
  }
  return token;
}

function refused(url: URL, server: string, credentials: Credentials | undefined): SigningError {
  return credentials
    ? new SigningError(
        'CREDENTIALS_REFUSED',
        `${url.origin} refused ${credentials.username}, whose credentials are for ${credentials.host}`,
      )
    : new SigningError(
        'CREDENTIALS_MISSING',
        `${server} asks for credentials, and none are for that host`,
      );
}

function readToken(body: Uint8Array): string | undefined {
  try {
    const answer = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown> | null;
    // With both, the reference client takes access_token.
    const token = answer?.['access_token'] ?? answer?.['token'];
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    return undefined;
  }
}

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
