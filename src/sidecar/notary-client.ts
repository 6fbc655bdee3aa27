import { randomUUID } from 'node:crypto';
import type { Gun } from '../shared/image-reference.ts';
import { isPlainHttp, serverHost, type NotaryUrl } from '../shared/notary-url.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { RoleName, Root } from '../shared/tuf/metadata.ts';
import type { Publication } from '../shared/tuf/publication.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './http-client.ts';
import { publishFailure, serverAnswer } from './notary-failure.ts';
import type { Credentials } from './secret-directory.ts';
import { fetchToken } from './token-client.ts';

/** One repository at a Notary server. */
export interface NotaryClient {
  readonly url: NotaryUrl;
  /**
   * A role's file: the current one, or the one with this SHA-256 (hex). Undefined where the server
   * has none.
   *
   * @param limit bytes; what is longer is an error
   */
  fetchRole(role: RoleName, sha256?: string, limit?: number): Promise<Uint8Array | undefined>;
  /**
   * Posts all files at once: the server takes all or none.
   *
   * @param root the root that they were made from
   */
  publish(publication: Publication, root: Root): Promise<void>;
}

export interface NotaryClientOptions {
  readonly http: HttpClient;
  readonly url: NotaryUrl;
  readonly gun: Gun;
  readonly credentials: Credentials | undefined;
}

/** Of files that are fetched by name: root and timestamp are small. */
const CURRENT_LIMIT_BYTES = 1024 * 1024;

/** Methods throw SigningError: SERVER_*, CREDENTIALS_*, PUSH_DENIED, PUBLISH_*, NOT_A_NOTARY_SERVER. */
export function createNotaryClient(options: NotaryClientOptions): NotaryClient {
  const { http, url, gun, credentials } = options;
  const server = serverHost(url);
  const base = `${url}/v2/${gun}/_trust/tuf/`;
  let token: string | undefined;

  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const answer = await http.send(authorized(request, token));
    if (answer.status !== 401) return answer;
    const challenge = bearerChallenge(answer);
    if (!challenge || token !== undefined) return answer;
    if (isPlainHttp(url)) {
      throw new SigningError('CREDENTIALS_OVER_HTTP', `${url} asks for a token`);
    }
    token = await fetchToken(http, { challenge, gun, server, credentials });
    return http.send(authorized(request, token));
  };

  return {
    url,

    async fetchRole(role, sha256, limit = CURRENT_LIMIT_BYTES) {
      const file = sha256 === undefined ? `${role}.json` : `${role}.${sha256}.json`;
      const answer = await send({
        method: 'GET',
        url: new URL(base + file),
        headers: { 'cache-control': 'no-cache' },
        limit,
      });
      if (answer.status === 200) return answer.body;
      if (answer.status === 404 && serverAnswer(answer)?.code === 'METADATA_NOT_FOUND') {
        return undefined;
      }
      throw fetchFailure(options, file, answer);
    },

    async publish(publication, root) {
      const boundary = `kpack-notary-${randomUUID()}`;
      const answer = await send({
        method: 'POST',
        url: new URL(base),
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
        body: multipart(publication, boundary),
      });
      if (answer.status === 200) return;
      if (answer.status === 401 && !credentials) throw missingCredentials(url, `publish ${gun}`);
      throw publishFailure(url, gun, root, answer);
    },
  };
}

function authorized(request: HttpRequest, token: string | undefined): HttpRequest {
  if (token === undefined) return request;
  return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } };
}

function bearerChallenge({ headers }: HttpResponse): Challenge | undefined {
  const challenges = parseChallenges(headers['www-authenticate'] ?? '');
  return challenges.find(({ scheme }) => scheme === 'bearer');
}

/** One part a role; the server takes the role from the file name. */
function multipart(publication: Publication, boundary: string): Uint8Array {
  const parts = [...publication].flatMap(([role, bytes]) => [
    Buffer.from(
      `--${boundary}\r\n` +
        `Content-Disposition: form-data; name="files"; filename="${role}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    ),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
}

function missingCredentials(url: NotaryUrl, purpose: string): SigningError {
  const host = serverHost(url);
  return new SigningError(
    'CREDENTIALS_MISSING',
    `${url} wants credentials to ${purpose}, and none are for ${host}`,
  );
}

function fetchFailure(
  { url, gun, credentials }: NotaryClientOptions,
  file: string,
  answer: HttpResponse,
): SigningError {
  const { status } = answer;
  if (status === 401 && !credentials) return missingCredentials(url, `read ${gun}`);
  const said = serverAnswer(answer);
  const what = `${url} answered HTTP ${status} to GET ${file}${said ? ` (${said.text})` : ''}`;
  if (status === 401) return new SigningError('CREDENTIALS_REFUSED', what);
  if (status >= 500 || status === 403 || status === 429) {
    return new SigningError('SERVER_FAILED', what);
  }
  const location = answer.headers.location;
  return new SigningError(
    'NOT_A_NOTARY_SERVER',
    `${what}${location === undefined ? '' : `, and points to ${location}`}`,
    status === 400 && url.startsWith('http:') ? { fix: 'Use https in the Notary URL.' } : {},
  );
}
