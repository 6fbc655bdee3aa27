/**
 * A token server over HTTPS, in this process. Its tokens are real: notary-server verifies them. It
 * grants what is asked and allowed, never more, so that a client has to ask for what it needs.
 */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
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
  /** IPv4, of this machine; `127.0.0.1` by default. */
  readonly address?: string;
  readonly accounts: Accounts;
  /** What those without credentials may do; refused with 401 by default. */
  readonly anonymous?: readonly Action[];
  /** Tokens that can be exchanged for others (POST), and whose they are. */
  readonly identityTokens?: Readonly<Record<string, string>>;
  /** A query that the realm has of its own. */
  readonly realmQuery?: string;
  /** How many seconds a token is good for, by the index of its request; 300 where nothing is said. */
  readonly lifetime?: (index: number) => number | undefined;
  /** What is answered in place of a token that was granted, by the index of its request. */
  readonly deviate?: (token: string, index: number) => TokenAnswer | undefined;
  /** The service that tokens are for; any other is refused with 400. */
  readonly service?: string;
  readonly issuer?: string;
}

/** An answer of the token endpoint. */
export type TokenAnswer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** JSON, where it is no string. */
      readonly body?: unknown;
    }
  | 'never';

/** A request for a token, refused ones included. */
export interface TokenRequest {
  /** Whose credentials were shown; absent when there were none. */
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
  /** What the same requests said in their queries or forms, identity tokens left out. */
  readonly queries: readonly string[];
  /** All tokens that were made, whatever was answered. */
  readonly issued: readonly string[];
  /** Resolves when it no longer listens; open connections are cut. */
  stop(): Promise<void>;
}

/** What the servers of this process made, all of them. */
const ISSUED: string[] = [];

/** Every token that any token server of this process has made so far. */
export function issuedTokens(): readonly string[] {
  return ISSUED;
}

/** How long tokens are good for, in seconds. */
const LIFETIME = 300;
/** What the notary-server still takes after its end, in seconds. */
export const LEEWAY = 60;

/**
 * Starts a token server on a port of its own.
 *
 * @throws Error when a certificate cannot be made
 */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { authority, service = 'bed-notary', issuer = 'bed-tokens' } = options;
  const { address = '127.0.0.1' } = options;
  const realmQuery = options.realmQuery === undefined ? '' : `?${options.realmQuery}`;
  const [tls, signing] = await Promise.all([
    authority.issue({ name: 'token-server', hosts: [address] }),
    authority.issue({ name: 'token-signing', usage: 'signing' }),
  ]);
  const requests: TokenRequest[] = [];
  const queries: string[] = [];
  const issued: string[] = [];
  const answer = async (request: IncomingMessage): Promise<TokenAnswer> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
    if (pathname !== '/token') return refusal(404, 'NOT_FOUND');
    const isExchange = request.method === 'POST';
    const asked = isExchange ? new URLSearchParams(await text(request)) : searchParams;
    const who = isExchange ? exchanged(options, asked) : authenticated(options, request);
    const scopes = asked.getAll('scope').flatMap((scope) => scope.split(' '));
    const index = requests.length;
    requests.push({ ...(who?.user === undefined ? {} : { account: who.user }), scopes });
    asked.delete('refresh_token');
    queries.push(asked.toString());
    if (who?.actions === undefined) return refusal(401, 'UNAUTHORIZED');
    if (asked.get('service') !== service) return refusal(400, 'UNKNOWN_SERVICE');
    const lifetime = options.lifetime?.(index) ?? LIFETIME;
    const by = { service, issuer, signing, lifetime };
    const token = makeToken(by, who.user ?? '', scopes, who.actions);
    issued.push(token);
    ISSUED.push(token);
    const usual = { status: 200, body: { token, access_token: token, expires_in: lifetime } };
    return options.deviate?.(token, index) ?? usual;
  };
  const server = createServer(
    { cert: tls.certificatePem, key: tls.keyPem },
    (request, response) => {
      void answer(request).then((given) => {
        if (given === 'never') return;
        const { status, headers, body } = given;
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    },
  );
  server.listen(0, address);
  await once(server, 'listening');
  return {
    realm: `https://${address}:${(server.address() as AddressInfo).port}/token${realmQuery}`,
    service,
    issuer,
    rootCertBundle: authority.certificateFile,
    requests,
    queries,
    issued,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Who asks; no user: a stranger. Without actions they are refused. */
interface Requester {
  readonly user?: string;
  readonly actions?: readonly Action[] | undefined;
}

function authenticated(options: TokenServerOptions, request: IncomingMessage): Requester {
  const encoded = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (encoded === undefined) return { actions: options.anonymous };
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString().split(':');
  const account = options.accounts[user];
  return account?.password === rest.join(':') ? { user, actions: account.actions } : { user };
}

/** OAuth 2: an identity token is exchanged for another. */
function exchanged(options: TokenServerOptions, form: URLSearchParams): Requester | undefined {
  if (form.get('grant_type') !== 'refresh_token' || !form.get('client_id')) return undefined;
  const user = options.identityTokens?.[form.get('refresh_token') ?? ''];
  return user === undefined ? undefined : { user, actions: options.accounts[user]?.actions };
}

/** A JWT (ES256) whose header carries the certificate that verifies it. */
function makeToken(
  by: {
    readonly service: string;
    readonly issuer: string;
    readonly signing: Certificate;
    readonly lifetime: number;
  },
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
    exp: now + by.lifetime,
    nbf: now + Math.min(by.lifetime, 0),
    iat: now + Math.min(by.lifetime, 0),
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

function refusal(status: number, code: string): TokenAnswer {
  const message = code.toLowerCase().replaceAll('_', ' ');
  return { status, body: { errors: [{ code, message }] } };
}
