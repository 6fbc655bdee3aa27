/**
 * A token server over HTTPS, in this process. Its tokens are real: notary-server verifies them. It
 * grants what is asked and allowed, never more, so that a client has to ask for what it needs.
 */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Authority, Certificate } from './authority.ts';

/** What may be done with a repository; `*` is a right of its own, not all rights. */
export type Action = 'pull' | 'push' | '*';

/** Who may do what, by user name. */
export type Accounts = Readonly<
  Record<string, { readonly password: string; readonly actions: readonly Action[] }>
>;

/** A token server to start. */
export interface TokenServerOptions {
  /** Issues the server's certificate and that of its tokens. */
  readonly authority: Authority;
  readonly accounts: Accounts;
  /** What those without credentials may do; refused with 401 by default. */
  readonly anonymous?: readonly Action[];
  /** The service that tokens are for; any other is refused with 400. */
  readonly service?: string;
  readonly issuer?: string;
}

/** A request for a token, refused ones included. */
export interface TokenRequest {
  /** User name as given with Basic credentials; absent when there were none. */
  readonly account?: string;
  /** Scopes as asked for, such as `repository:demo/app:push,pull`. */
  readonly scopes: readonly string[];
}

/** A running token server. */
export interface TokenServer {
  /** URL of the token endpoint. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** File with the certificate that its tokens chain to. */
  readonly rootCertBundle: string;
  /** All requests so far, in order; grows while the server runs. */
  readonly requests: readonly TokenRequest[];
  /** Resolves when it no longer listens; open connections are cut. */
  stop(): Promise<void>;
}

/** How long tokens are good for, in seconds. */
const LIFETIME = 300;

/**
 * Starts a token server on a port of its own on 127.0.0.1.
 *
 * @throws Error when a certificate cannot be made
 */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { authority, service = 'bed-notary', issuer = 'bed-tokens' } = options;
  const [tls, signing] = await Promise.all([
    authority.issue({ name: 'token-server' }),
    authority.issue({ name: 'token-signing', usage: 'signing' }),
  ]);
  const requests: TokenRequest[] = [];
  const answer = (request: IncomingMessage): readonly [number, unknown] => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
    if (pathname !== '/token' || request.method !== 'GET') return [404, refusal('NOT_FOUND')];
    const basic = basicCredentials(request);
    const scopes = searchParams.getAll('scope').flatMap((scope) => scope.split(' '));
    requests.push({ ...(basic === undefined ? {} : { account: basic.user }), scopes });
    const actions = allowedActions(options, basic);
    if (actions === undefined) return [401, refusal('UNAUTHORIZED')];
    if (searchParams.get('service') !== service) return [400, refusal('UNKNOWN_SERVICE')];
    const token = makeToken({ service, issuer, signing }, basic?.user ?? '', scopes, actions);
    return [200, { token, access_token: token, expires_in: LIFETIME }];
  };
  const server = createServer(
    { cert: tls.certificatePem, key: tls.keyPem },
    (request, response) => {
      const [status, body] = answer(request);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    realm: `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    service,
    issuer,
    rootCertBundle: authority.certificateFile,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** What a requester may do; undefined: refused. */
function allowedActions(
  options: TokenServerOptions,
  basic: Credentials | undefined,
): readonly Action[] | undefined {
  if (basic === undefined) return options.anonymous;
  const account = options.accounts[basic.user];
  return account?.password === basic.password ? account.actions : undefined;
}

function basicCredentials(request: IncomingMessage): Credentials | undefined {
  const encoded = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [user = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':');
  return { user, password: password.join(':') };
}

/** A JWT (ES256) whose header carries the certificate that verifies it. */
function makeToken(
  by: { readonly service: string; readonly issuer: string; readonly signing: Certificate },
  subject: string,
  scopes: readonly string[],
  actions: readonly Action[],
): string {
  const now = Math.floor(Date.now() / 1000);
  const certificate = new X509Certificate(by.signing.certificatePem).raw.toString('base64');
  const claims = {
    iss: by.issuer,
    sub: subject,
    aud: by.service,
    exp: now + LIFETIME,
    nbf: now,
    iat: now,
    jti: randomUUID(),
    access: scopes.map((scope) => grant(scope, actions)),
  };
  const payload = [{ typ: 'JWT', alg: 'ES256', x5c: [certificate] }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  // JWTs carry the two numbers of the signature side by side, not in DER.
  const key = { key: by.signing.keyPem, dsaEncoding: 'ieee-p1363' } as const;
  return `${payload}.${sign('sha256', Buffer.from(payload), key).toString('base64url')}`;
}

/** What of `<type>:<name>:<action>,...` is allowed; the name may hold colons itself. */
function grant(scope: string, allowed: readonly string[]): object {
  const [type = '', ...rest] = scope.split(':');
  const asked = (rest.pop() ?? '').split(',');
  const actions = asked.filter((action) => allowed.includes(action));
  return { type, name: rest.join(':'), actions };
}

function refusal(code: string): object {
  return { errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] };
}
