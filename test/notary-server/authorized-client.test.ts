import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  createAuthorizedClient,
  type AuthorizedClientOptions,
} from '../../src/sidecar/auth/authorized-client.ts';
import {
  Credentials,
  loginOf,
  type CredentialLookup,
  type Login,
} from '../../src/sidecar/auth/credentials.ts';
import { createHttpClient } from '../../src/sidecar/http/http-client.ts';
import { readProxySettings } from '../../src/sidecar/http/proxy-settings.ts';
import { formatScope, type TokenScope } from '../../src/sidecar/auth/token-realm.ts';
import { createAuthority } from '../bed/authority.ts';
import { startHandlerServer, type HandlerServer } from '../bed/handler-server.ts';
import { ensureInstalled } from '../bed/installed.ts';
import { startNotaryServer } from '../bed/notary-server.ts';
import { startTokenServer, type TokenServerOptions } from '../bed/token-server.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

const directory = temporaryDirectory();
await ensureInstalled();
const authority = await createAuthority(directory);

const GUN = 'registry.example.test/demo/app';
const SCOPE: TokenScope = { repository: GUN, actions: 'push,pull' };
const PUSH_PULL = formatScope(SCOPE);
const ROBOT = loginOf('robot', 'canary-robot');
const READER = loginOf('reader', 'canary-reader');
const WRONG = loginOf('robot', 'canary-wrong');
const IDENTITY = loginOf('<token>', 'canary-identity');
const accounts: TokenServerOptions['accounts'] = {
  robot: { password: 'canary-robot', actions: ['pull', 'push'] },
  reader: { password: 'canary-reader', actions: ['pull'] },
};

/** What a repository that nobody initialised answers to those who may read, and may write. */
const READABLE = { status: 404, body: /METADATA_NOT_FOUND/ };
const WRITABLE = { status: 400, body: /MALFORMED_UPLOAD/ };

/** Credentials for a server alone; messages call it notary.test. */
function lookupFor(server: string, login: Login | undefined): CredentialLookup {
  const audience = { host: 'notary.test', server: new URL(server) };
  const found = login && { credentials: Credentials.for(audience, login) };
  return { find: () => Promise.resolve(found), absence: 'there are none' };
}

/** A client that has its own connections. */
function clientFor(
  t: Test,
  server: string,
  login: Login | undefined,
  options: Partial<AuthorizedClientOptions> = {},
) {
  const http = createHttpClient({
    ca: [authority.certificatePem],
    proxy: readProxySettings({}),
    signal: new AbortController().signal,
    silenceLimit: 2000,
  });
  t.teardown(() => http.close());
  const client = createAuthorizedClient({
    http,
    server,
    scope: SCOPE,
    credentials: lookupFor(server, login),
    ...options,
  });
  const send = async (method: 'GET' | 'POST', path: string) => {
    const body = [Buffer.from('x')];
    const url = new URL(`${server}/v2/${GUN}/_trust/tuf/${path}`);
    const answer = await client.send({ method, url, ...(method === 'POST' && { body }) });
    return { status: answer.status, body: Buffer.from(answer.body).toString() };
  };
  return { read: () => send('GET', 'root.json'), write: () => send('POST', '') };
}

/** A real notary-server that trusts a token server. */
async function startServers(t: Test, options: Partial<TokenServerOptions> = {}) {
  const tokens = await startTokenServer({ authority, accounts, ...options });
  t.teardown(() => tokens.stop());
  const notary = await startNotaryServer({
    directory: join(directory, 'notary'),
    authority,
    auth: tokens,
  });
  t.teardown(() => notary.stop());
  return { tokens, notary };
}

/** A server that asks for what a header says, and takes any authorization. */
async function asking(t: Test, challenge: string | undefined): Promise<HandlerServer> {
  const server = await startHandlerServer({
    authority,
    handle: ({ headers }, response) => {
      if (headers.authorization !== undefined) response.end(headers.authorization);
      else {
        response.writeHead(401, challenge === undefined ? {} : { 'www-authenticate': challenge });
        response.end('<html>');
      }
    },
  });
  t.teardown(() => server.stop());
  return server;
}

t.test('a server that wants tokens', async (t) => {
  const { tokens, notary } = await startServers(t, {
    identityTokens: { 'canary-identity': 'robot', 'canary-reads': 'reader' },
  });
  const client = (login: Login | undefined, scope = SCOPE) =>
    clientFor(t, notary.url, login, { scope });
  const requestsOf = async (work: () => Promise<unknown>) => {
    const before = tokens.requests.length;
    await work();
    return tokens.requests.slice(before);
  };

  t.test('gets one, asked for all that we need, for all requests', async (t) => {
    const { read, write } = client(ROBOT);
    const asked = await requestsOf(async () => {
      t.match(await read(), READABLE);
      t.match(await write(), WRITABLE);
      t.match(await read(), READABLE);
    });
    t.same(asked, [{ account: 'robot', scopes: [PUSH_PULL] }]);
  });
  t.test('gets one, when many requests want it at once', async (t) => {
    const { read } = client(ROBOT);
    const asked = await requestsOf(async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, read));
      for (const answer of answers) t.match(answer, READABLE);
    });
    t.equal(asked.length, 1);
  });
  t.test('gets no other scope, whatever it wants', async (t) => {
    const pull: TokenScope = { repository: GUN, actions: 'pull' };
    const { read, write } = client(ROBOT, pull);
    const asked = await requestsOf(async () => {
      t.match(await read(), READABLE);
      await t.rejects(write(), { code: 'PUSH_DENIED' });
    });
    const scopes = [formatScope(pull)];
    t.same(asked, [
      { account: 'robot', scopes },
      { account: 'robot', scopes },
    ]);
  });
  t.test('and does not let everybody publish', async (t) => {
    const { read, write } = client(READER);
    const asked = await requestsOf(async () => {
      t.match(await read(), READABLE);
      await t.rejects(write(), {
        code: 'PUSH_DENIED',
        message: `${notary.host} does not let reader (credentials for notary.test) publish to ${GUN}`,
        isTransient: false,
      });
    });
    t.equal(asked.length, 2, 'the account may have been given the right meanwhile');
  });
  t.test('and a password that is wrong', async (t) => {
    await t.rejects(client(WRONG).read(), {
      code: 'CREDENTIALS_REFUSED',
      message: /^https:\/\/127\S+ gives no token to robot \(credentials for notary\.test\)/,
    });
  });
  t.test('and nobody who has none', async (t) => {
    await t.rejects(client(undefined).read(), { code: 'CREDENTIALS_MISSING' });
  });
  t.test('takes an identity token in exchange', async (t) => {
    const { read, write } = client(IDENTITY);
    const asked = await requestsOf(async () => {
      t.match(await read(), READABLE);
      t.match(await write(), WRITABLE);
    });
    t.same(asked, [{ account: 'robot', scopes: [PUSH_PULL] }]);
    t.same(Object.fromEntries(new URLSearchParams(tokens.queries.at(-1))), {
      grant_type: 'refresh_token',
      client_id: 'kpack-notary',
      service: tokens.service,
      scope: PUSH_PULL,
    });
    await t.rejects(client({ kind: 'identity-token', token: 'canary-x' }).read(), {
      code: 'CREDENTIALS_REFUSED',
      message: /the account of the identity token for notary\.test/,
    });
    const reader = client({ kind: 'identity-token', token: 'canary-reads' });
    await t.rejects(reader.write(), {
      code: 'PUSH_DENIED',
      message: /does not let the account of the identity token for notary\.test publish/,
    });
  });
});

t.test('strangers may read with a token of theirs, and not publish', async (t) => {
  const { notary } = await startServers(t, { anonymous: ['pull'] });
  const { read, write } = clientFor(t, notary.url, undefined);
  t.match(await read(), READABLE);
  await t.rejects(write(), {
    code: 'CREDENTIALS_MISSING',
    message: `${notary.host} wants credentials to publish to ${GUN}, and there are none`,
  });
});

t.test('a token that the server does not take any more', async (t) => {
  t.test('is renewed once', async (t) => {
    const { tokens, notary } = await startServers(t, {
      lifetime: (index) => (index === 1 ? undefined : -3600),
    });
    const { read, write } = clientFor(t, notary.url, ROBOT);
    t.match(await read(), READABLE);
    t.match(await write(), WRITABLE);
    t.equal(tokens.requests.length, 2);
  });
  t.test('and the next neither: something is wrong with the servers', async (t) => {
    const { tokens, notary } = await startServers(t, { lifetime: () => -3600 });
    await t.rejects(clientFor(t, notary.url, ROBOT).read(), {
      code: 'SERVER_FAILED',
      message: `${notary.host} does not take the tokens of ${new URL(tokens.realm).origin}`,
      fix: /issuer, service and certificate/,
    });
    t.equal(tokens.requests.length, 2);
  });
});

t.test('a token is used as long as its answer says', async (t) => {
  const now = { value: 5_000_000 };
  const requestsWithToken = async (
    t: Test,
    members: object,
    date: string | undefined,
    age: number,
  ) => {
    const { tokens, notary } = await startServers(t, {
      deviate: (token) => ({
        status: 200,
        headers: date === undefined ? {} : { date },
        body: { token, ...members },
      }),
    });
    const { read } = clientFor(t, notary.url, ROBOT, { now: () => now.value });
    for (const pass of [0, age - 1, 1]) {
      now.value += pass * 1000;
      t.match(await read(), READABLE);
    }
    return tokens.requests.length;
  };
  const cases: readonly (readonly [
    what: string,
    members: object,
    date: string | undefined,
    age: number,
  ])[] = [
    ['expires_in', { expires_in: 300 }, undefined, 300],
    ['nothing: a minute', {}, undefined, 60],
    ['too little: a minute', { expires_in: 5 }, undefined, 60],
    ['what is no number: a minute', { expires_in: 'soon', issued_at: 7 }, undefined, 60],
    [
      'an age',
      { expires_in: 300, issued_at: '2020-01-01T00:00:00Z' },
      'Wed, 01 Jan 2020 00:01:40 GMT',
      200,
    ],
    [
      'an age below zero: none',
      { expires_in: 300, issued_at: '2020-01-01T00:00:00Z' },
      'Tue, 31 Dec 2019 00:00:00 GMT',
      300,
    ],
  ];
  await t.test('none at all: it is used once, and no more', async (t) => {
    const { tokens, notary } = await startServers(t, {
      deviate: (token) => ({ status: 200, body: { token, issued_at: '2020-01-01T00:00:00Z' } }),
    });
    const { read } = clientFor(t, notary.url, ROBOT);
    for (let i = 1; i <= 3; i++) {
      t.match(await read(), READABLE);
      t.equal(tokens.requests.length, i);
    }
  });
  for (const [what, members, date, age] of cases) {
    await t.test(what, async (t) => {
      t.equal(
        await requestsWithToken(t, members, date, age),
        2,
        'it is renewed once, when it has run out',
      );
    });
  }
});

t.test('the realm', async (t) => {
  t.test('keeps its own query', async (t) => {
    const { tokens, notary } = await startServers(t, { realmQuery: 'tenant=a%2Fb&service=x' });
    await t.rejects(clientFor(t, notary.url, ROBOT).read(), { code: 'SERVER_FAILED' });
    t.equal(
      tokens.queries[0],
      'tenant=a%2Fb&service=x&service=bed-notary&' +
        `scope=${encodeURIComponent(PUSH_PULL).replaceAll('%20', '+')}&account=robot`,
    );
  });
  t.test('may give a token under either name, or both', async (t) => {
    const answers = [
      (token: string) => ({ token }),
      (token: string) => ({ access_token: token }),
      (token: string) => ({ access_token: token, token: 'another' }),
      (token: string) => ({ access_token: '', token }),
    ];
    for (const answer of answers) {
      const { notary } = await startServers(t, {
        deviate: (token) => ({ status: 200, body: answer(token) }),
      });
      t.match(await clientFor(t, notary.url, ROBOT).read(), READABLE);
    }
  });
  t.test('is no token server', async (t) => {
    const cases: readonly (readonly [
      Exclude<ReturnType<NonNullable<TokenServerOptions['deviate']>>, undefined>,
      boolean,
    ])[] = [
      [{ status: 200, body: '<html>' }, false],
      [{ status: 200, body: 'null' }, false],
      [{ status: 200, body: { token: 'a\r\nb' } }, false],
      [{ status: 200, body: { token: 7 } }, false],
      [{ status: 404, body: '' }, false],
      [{ status: 204 }, false],
      [{ status: 200, body: 'x'.repeat(70_000) }, false],
      [{ status: 503, body: '' }, true],
      [{ status: 429, body: '' }, true],
    ];
    for (const [answer, isTransient] of cases) {
      const { notary } = await startServers(t, { deviate: () => answer });
      await t.rejects(clientFor(t, notary.url, ROBOT).read(), {
        code: 'SERVER_FAILED',
        isTransient,
      });
    }
    const { notary } = await startServers(t, { deviate: () => 'never' });
    await t.rejects(clientFor(t, notary.url, ROBOT).read(), {
      code: 'SERVER_UNREACHABLE',
      isTransient: true,
    });
  });
  t.test('calls an identity token that is spent a bad request', async (t) => {
    const { notary } = await startServers(t, {
      identityTokens: { 'canary-identity': 'robot' },
      deviate: () => ({ status: 400, body: { error: 'invalid_grant' } }),
    });
    const { read } = clientFor(t, notary.url, IDENTITY);
    await t.rejects(read(), { code: 'CREDENTIALS_REFUSED' });
    await t.rejects(clientFor(t, notary.url, ROBOT).read(), { code: 'SERVER_FAILED' });
  });
  t.test('that failed is asked again by the next request', async (t) => {
    const { tokens, notary } = await startServers(t, {
      deviate: (_, index) => (index === 0 ? { status: 503 } : undefined),
    });
    const { read } = clientFor(t, notary.url, ROBOT);
    await t.rejects(read(), { code: 'SERVER_FAILED', isTransient: true });
    t.match(await read(), READABLE);
    t.equal(tokens.requests.length, 2);
  });
  t.test('may redirect, and no other host sees what is for it', async (t) => {
    const seen: (string | undefined)[] = [];
    const other = await startHandlerServer({
      authority,
      handle: ({ headers, url }, response) => {
        seen.push(headers.authorization, url);
        response.writeHead(401).end();
      },
    });
    t.teardown(() => other.stop());
    const query = new URLSearchParams({ service: 'bed-notary', scope: PUSH_PULL });
    const { tokens, notary } = await startServers(t, {
      deviate: (_, index) =>
        index === 0
          ? { status: 307, headers: { location: `/token?${query.toString()}` } }
          : undefined,
    });
    t.match(await clientFor(t, notary.url, ROBOT).read(), READABLE);
    const askers = tokens.requests.map(({ account }) => account);
    t.same(askers, ['robot', 'robot'], 'the same host gets them again');
    const away = await startServers(t, {
      deviate: () => ({ status: 302, headers: { location: `${other.url}/login` } }),
      identityTokens: { 'canary-identity': 'robot' },
    });
    await t.rejects(clientFor(t, away.notary.url, ROBOT).read(), {
      code: 'CREDENTIALS_REFUSED',
      message: new RegExp(`^${other.url} gives no token`),
    });
    t.same(seen, [undefined, '/login']);
    await t.rejects(clientFor(t, away.notary.url, IDENTITY).read(), {
      code: 'SERVER_FAILED',
      message: new RegExp(`HTTP 302, and points to ${other.url}/login`),
    });
    t.equal(seen.length, 2, 'a form with an identity token is never sent on');
  });
  t.test('has to be there, over https', async (t) => {
    for (const [realm, code] of [
      ['http://127.0.0.1:1/token', 'CREDENTIALS_OVER_HTTP'],
      ['ftp://127.0.0.1/token', 'CREDENTIALS_OVER_HTTP'],
      ['nowhere', 'SERVER_FAILED'],
      ['', 'SERVER_FAILED'],
    ] as const) {
      const server = await asking(t, `Bearer realm="${realm}",service="s"`);
      await t.rejects(clientFor(t, server.url, ROBOT).read(), { code }, realm);
      await t.rejects(clientFor(t, server.url, undefined).read(), { code }, realm);
    }
  });
});

t.test('a server that wants user name and password', async (t) => {
  const server = await startHandlerServer({
    authority,
    handle: ({ headers }, response) => {
      const right = `Basic ${Buffer.from('robot:canary-robot').toString('base64')}`;
      const isRight = headers.authorization === right;
      response.writeHead(isRight ? 200 : 401, { 'www-authenticate': 'Basic realm="all"' });
      response.end(isRight ? 'welcome' : 'who?');
    },
  });
  t.teardown(() => server.stop());
  t.match(await clientFor(t, server.url, ROBOT).write(), { status: 200, body: 'welcome' });
  await t.rejects(clientFor(t, server.url, WRONG).write(), {
    code: 'CREDENTIALS_REFUSED',
    message: `${server.host} refused robot (credentials for notary.test)`,
  });
  await t.rejects(clientFor(t, server.url, undefined).read(), { code: 'CREDENTIALS_MISSING' });
  await t.rejects(clientFor(t, server.url, IDENTITY).read(), { code: 'CREDENTIALS_INVALID' });
});

t.test('a password that may read, and not write', async (t) => {
  const server = await startHandlerServer({
    authority,
    handle: ({ headers, method }, response) => {
      const isLetIn = headers.authorization !== undefined && method === 'GET';
      response.writeHead(isLetIn ? 200 : 401, { 'www-authenticate': 'Basic realm="all"' }).end();
    },
  });
  t.teardown(() => server.stop());
  const { read, write } = clientFor(t, server.url, ROBOT);
  await t.rejects(write(), { code: 'CREDENTIALS_REFUSED' }, 'it may be wrong');
  t.match(await read(), { status: 200 });
  await t.rejects(write(), {
    code: 'PUSH_DENIED',
    message: `${server.host} does not let robot (credentials for notary.test) publish to ${GUN}`,
  });
});

t.test('of several ways in, Bearer is taken before Basic, and others never', async (t) => {
  const tokens = await startTokenServer({ authority, accounts });
  t.teardown(() => tokens.stop());
  const bearer = `bearer Realm=${tokens.realm} , SERVICE="${tokens.service}"`;
  for (const challenge of [
    bearer,
    `Basic realm="a", ${bearer}`,
    `Negotiate, Negotiate YII=, ${bearer}, Basic realm="a"`,
  ]) {
    const server = await asking(t, challenge);
    t.match(await clientFor(t, server.url, ROBOT).read(), { body: /^Bearer ey/ }, challenge);
  }
  const server = await asking(t, 'Negotiate, Basic realm="a"');
  t.match(await clientFor(t, server.url, ROBOT).read(), { body: /^Basic / });
  for (const [challenge, says] of [
    [undefined, /wants authorization \(HTTP 401\), and does not say which/],
    ['', /does not say which/],
    ['Negotiate, NTLM', /knows negotiate, ntlm alone/],
  ] as const) {
    const server = await asking(t, challenge);
    await t.rejects(clientFor(t, server.url, ROBOT).read(), {
      code: 'SERVER_FAILED',
      message: says,
      fix: /WWW-Authenticate/,
    });
  }
});

t.test('nothing secret is sent over http, and no token', async (t) => {
  const seen: (string | undefined)[] = [];
  const tokens = await startTokenServer({ authority, accounts, anonymous: ['pull'] });
  t.teardown(() => tokens.stop());
  for (const challenge of [
    `Bearer realm="${tokens.realm}",service="${tokens.service}"`,
    'Basic realm="a"',
  ]) {
    const server = await startHandlerServer({
      handle: ({ headers }, response) => {
        seen.push(headers.authorization);
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      },
    });
    t.teardown(() => server.stop());
    for (const login of [ROBOT, undefined]) {
      await t.rejects(clientFor(t, server.url, login).read(), {
        code: 'CREDENTIALS_OVER_HTTP',
      });
    }
  }
  t.same(seen, [undefined, undefined, undefined, undefined]);
  t.same(tokens.requests, []);
});

t.test(
  'credentials are asked for when they are needed alone, and broken ones are told of',
  async (t) => {
    const free = await startHandlerServer({
      authority,
      handle: (_, response) => response.end('free'),
    });
    t.teardown(() => free.stop());
    const credentials = { find: () => Promise.reject(new Error('broken')), absence: '' };
    const options = { credentials };
    t.match(await clientFor(t, free.url, undefined, options).read(), { body: 'free' });
    const asks = await asking(t, 'Basic realm="a"');
    await t.rejects(clientFor(t, asks.url, undefined, options).read(), { message: 'broken' });
  },
);

t.test('a registry names its realm where docker asks, at /v2/', async (t) => {
  const tokens = await startTokenServer({ authority, accounts });
  t.teardown(() => tokens.stop());
  const named = `Bearer realm="${tokens.realm}",service="${tokens.service}"`;
  const evil = 'Bearer realm="https://127.0.0.1:1/token",service="evil"';
  const clientAt = async (t: Test, atV2: () => readonly [status: number, challenge: string]) => {
    const server = await startHandlerServer({
      authority,
      handle: ({ url, headers }, response) => {
        const isPing = url === '/v2/';
        if (headers.authorization !== undefined) response.end(isPing ? 'never' : 'welcome');
        else {
          const [status, challenge] = isPing ? atV2() : [401, evil];
          response.writeHead(status, { 'www-authenticate': challenge }).end();
        }
      },
    });
    t.teardown(() => server.stop());
    const host = new URL(server.url);
    const audience = { host: 'r.test', server: host, realmNamedAt: new URL('/v2/', host) };
    const credentials = Credentials.for(audience, ROBOT);
    const find = () => Promise.resolve({ credentials });
    const lookup = { find, absence: 'there are none' };
    return clientFor(t, server.url, undefined, { credentials: lookup });
  };
  t.test('and that one gets the credentials, whatever another answer names', async (t) => {
    const { read } = await clientAt(t, () => [401, named]);
    t.match(await read(), { status: 200, body: 'welcome' });
    t.same(tokens.requests, [{ account: 'robot', scopes: [PUSH_PULL] }]);
  });
  t.test('where it names none, nobody gets them', async (t) => {
    for (const [status, challenge] of [
      [200, named],
      [401, 'Basic realm="x"'],
      [307, named],
    ] as const) {
      const { read } = await clientAt(t, () => [status, challenge]);
      await t.rejects(read(), {
        code: 'SERVER_FAILED',
        message: /wants a token, and https:\S+\/v2\/ names no realm$/,
        fix: /GET \/v2\/ with HTTP 401/,
        isTransient: false,
      });
    }
  });
  t.test('where it is away for a moment, it may be asked again', async (t) => {
    let left = 1;
    const { read } = await clientAt(t, () => (left-- > 0 ? [503, ''] : [401, named]));
    await t.rejects(read(), { code: 'SERVER_FAILED', isTransient: true });
    t.match(await read(), { body: 'welcome' });
  });
});

t.test('a realm with a user name in its URL is refused', async (t) => {
  const server = await asking(t, 'Bearer realm="https://u:canary@127.0.0.1:1/token"');
  await t.rejects(clientFor(t, server.url, ROBOT).read(), {
    code: 'SERVER_FAILED',
    message: `${server.host} has a token realm with a user name in its URL, at 127.0.0.1:1`,
  });
});

t.test('who a redirect leads to does not get our password by a realm of its own', async (t) => {
  const seen: (string | undefined)[] = [];
  const realm = await startHandlerServer({
    authority,
    handle: ({ headers }, response) => {
      seen.push(headers.authorization);
      response.end('{"token":"x"}');
    },
  });
  t.teardown(() => realm.stop());
  for (const challenge of [`Bearer realm="${realm.url}/token",service="s"`, 'Basic realm="x"']) {
    const stranger = await asking(t, challenge);
    const server = await startHandlerServer({
      authority,
      handle: (_, response) => {
        response.writeHead(307, { location: `${stranger.url}/blob` }).end();
      },
    });
    t.teardown(() => server.stop());
    const http = createHttpClient({
      ca: [authority.certificatePem],
      proxy: readProxySettings({}),
      signal: new AbortController().signal,
    });
    t.teardown(() => http.close());
    const client = createAuthorizedClient({
      http,
      server: server.url,
      scope: SCOPE,
      credentials: lookupFor(server.url, ROBOT),
    });
    const url = new URL(`${server.url}/v2/`);
    await t.rejects(client.send({ method: 'GET', url, redirects: 'follow' }), {
      code: 'SERVER_FAILED',
      message: `${server.url} redirects to ${stranger.url}, which wants credentials of its own (HTTP 401)`,
    });
  }
  t.same(seen, []);
});
