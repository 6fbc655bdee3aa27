import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import {
  createHttpClient,
  type HttpClientOptions,
} from '../../../../src/sidecar/http/http-client.ts';
import {
  readProxySettings,
  type Environment,
} from '../../../../src/sidecar/http/proxy-settings.ts';
import { createAuthority } from '../../../bed/authority.ts';
import {
  startForwardProxy,
  type ForwardProxy,
  type ForwardProxyOptions,
} from '../../../bed/forward-proxy.ts';
import { startHandlerServer } from '../../../bed/handler-server.ts';
import { freePort } from '../../../bed/port.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const directory = temporaryDirectory();
const authority = await createAuthority(directory);
// A name that the proxy alone can resolve: what reaches it went through the proxy.
const server = await startHandlerServer({
  authority,
  hosts: ['server.test'],
  handle: (request, response) =>
    response.end(`${request.headers.host} ${request.headers['proxy-authorization']}`),
});
t.teardown(() => server.stop());
const hosts = { 'server.test:443': server.port, 'server.test:4443': server.port };

function get(
  t: Test,
  url: string,
  environment: Environment,
  options: Partial<HttpClientOptions> = {},
) {
  const http = createHttpClient({
    ca: [authority.certificatePem],
    proxy: readProxySettings(environment),
    signal: new AbortController().signal,
    ...options,
  });
  t.teardown(() => http.close());
  return http.send({ method: 'GET', url: new URL(url) });
}

async function proxyFor(t: Test, options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const proxy = await startForwardProxy({ hosts, ...options });
  t.teardown(() => proxy.stop());
  return proxy;
}

const bodyOf = ({ body }: { readonly body: Uint8Array }) => Buffer.from(body).toString();

t.test('https goes through a proxy in a tunnel', async (t) => {
  t.test('of an http proxy, over one connection', async (t) => {
    const proxy = await proxyFor(t);
    const before = server.connections();
    const http = createHttpClient({
      ca: [authority.certificatePem],
      proxy: readProxySettings({ HTTPS_PROXY: proxy.url }),
      signal: new AbortController().signal,
    });
    t.teardown(() => http.close());
    for (let i = 0; i < 3; i++) {
      const url = new URL('https://server.test:4443/');
      t.equal(bodyOf(await http.send({ method: 'GET', url })), 'server.test:4443 undefined');
    }
    t.same(proxy.requests, ['CONNECT server.test:4443']);
    t.equal(server.connections() - before, 1);
  });
  t.test('of an https proxy, whose certificate is checked', async (t) => {
    const proxy = await proxyFor(t, { authority });
    const environment = { HTTPS_PROXY: proxy.url };
    t.equal(bodyOf(await get(t, 'https://server.test', environment)), 'server.test undefined');
    t.same(proxy.requests, ['CONNECT server.test:443']);
    await t.rejects(get(t, 'https://server.test', environment, { ca: [] }), {
      code: 'SERVER_UNTRUSTED',
      message: new RegExp(
        `the proxy on the way to server.test:443: the certificate of ${proxy.host}`,
      ),
    });
  });
  t.test('and the certificate of the server is checked behind it', async (t) => {
    const proxy = await proxyFor(t, { hosts: { 'other.test:443': server.port } });
    await t.rejects(get(t, 'https://other.test', { HTTPS_PROXY: proxy.url }), {
      code: 'SERVER_UNTRUSTED',
      message: /the certificate of other\.test: .*ERR_TLS_CERT_ALTNAME_INVALID/,
    });
  });
  t.test('with user name and password, which the server never sees', async (t) => {
    const proxy = await proxyFor(t, { account: { username: 'ann', password: 'a:b@' } });
    const url = proxy.url.replace('://', '://ann:a%3Ab%40@');
    t.equal(
      bodyOf(await get(t, 'https://server.test', { HTTPS_PROXY: url })),
      'server.test undefined',
    );
  });
  t.test('but not to what NO_PROXY names, nor to loopback', async (t) => {
    const proxy = await proxyFor(t);
    const environment = { HTTPS_PROXY: proxy.url, NO_PROXY: '.invalid' };
    t.equal(bodyOf(await get(t, server.url, environment)), `${server.host} undefined`);
    await t.rejects(get(t, 'https://nowhere.invalid', environment), { code: 'SERVER_UNREACHABLE' });
    t.same(proxy.requests, []);
  });
  t.test('to IPv6 addresses in brackets', async (t) => {
    const proxy = await proxyFor(t, { refusal: 502 });
    await t.rejects(get(t, 'https://[fd00::1]', { HTTPS_PROXY: proxy.url }));
    t.same(proxy.requests, ['CONNECT [fd00::1]:443']);
  });
});

t.test('plain http is asked of the proxy', async (t) => {
  const account = { username: 'ann', password: 'secret' };
  const seen = await startHandlerServer({
    handle: (request, response) =>
      response.end(`${request.url} ${request.headers.host} ${request.headers.authorization}`),
  });
  t.teardown(() => seen.stop());
  // The proxy is the target here: what it would pass on is what it was asked.
  const proxy = await proxyFor(t, { account, refusal: 503 });
  const url = proxy.url.replace('://', '://ann:secret@');
  t.equal((await get(t, 'http://server.test/a?b=c', { HTTP_PROXY: url })).status, 503);
  t.same(proxy.requests, ['GET http://server.test/a?b=c']);
  const secure = await proxyFor(t, { authority, refusal: 503 });
  t.equal((await get(t, 'http://server.test', { HTTP_PROXY: secure.url })).status, 503);
  t.same(secure.requests, ['GET http://server.test/']);
  const answer = await get(t, 'http://server.test/a', { HTTP_PROXY: seen.url });
  t.equal(bodyOf(answer), 'http://server.test/a server.test undefined');
  await t.rejects(get(t, 'http://server.test', { HTTP_PROXY: proxy.url }), {
    code: 'SERVER_UNREACHABLE',
    message: /does not let the signer through to server\.test \(HTTP 407\)/,
  });
});

t.test('a proxy that does not lead to the server', async (t) => {
  t.test('refuses', async (t) => {
    for (const [refusal, isTransient] of [
      [403, false],
      [407, false],
      [502, true],
      [503, true],
    ] as const) {
      const proxy = await proxyFor(t, { refusal });
      await t.rejects(get(t, 'https://server.test', { HTTPS_PROXY: proxy.url }), {
        code: 'SERVER_UNREACHABLE',
        message: `the proxy ${proxy.host} does not let the signer through to server.test:443 (HTTP ${refusal})`,
        fix: refusal === 407 ? /user name and password/ : /NO_PROXY/,
        isTransient,
      });
    }
  });
  t.test('is down, or closes', async (t) => {
    const port = await freePort();
    for (const url of ['https://server.test', 'http://server.test']) {
      const environment = { HTTPS_PROXY: `127.0.0.1:${port}`, HTTP_PROXY: `127.0.0.1:${port}` };
      await t.rejects(get(t, url, environment), {
        code: 'SERVER_UNREACHABLE',
        message: /^the proxy on the way to server\.test(?::443)?: http:\/\/127.* ECONNREFUSED/,
        fix: /HTTPS_PROXY/,
        isTransient: true,
      });
    }
    const closing = await startHandlerServer({ handle: () => undefined });
    t.teardown(() => closing.stop());
    await t.rejects(get(t, 'https://server.test', { HTTPS_PROXY: closing.url }), {
      code: 'SERVER_UNREACHABLE',
      isTransient: true,
    });
  });
  t.test('hangs', async (t) => {
    const proxy = await proxyFor(t, { hangs: true });
    await t.rejects(
      get(t, 'https://server.test', { HTTPS_PROXY: proxy.url }, { silenceLimit: 200 }),
      {
        code: 'SERVER_UNREACHABLE',
        message: /the proxy on the way to server\.test:443: .*nothing came for 0\.2 seconds/,
        isTransient: true,
      },
    );
  });
  t.test('hangs beyond the deadline: nothing of it is left', async (t) => {
    const proxy = createServer();
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    t.teardown(() => proxy.close());
    const { port } = proxy.address() as AddressInfo;
    const deadline = new AbortController();
    const { signal } = deadline;
    const environment = { HTTPS_PROXY: `http://127.0.0.1:${port}` };
    const answer = get(t, 'https://server.test', environment, { signal });
    const [socket] = (await once(proxy, 'connection')) as [Socket];
    const closed = once(socket.resume(), 'close');
    deadline.abort(new SigningError('DEADLINE_EXCEEDED', 'too long'));
    await t.rejects(answer, { code: 'DEADLINE_EXCEEDED' });
    await closed;
  });
});

t.test('no password of a proxy is in any error', async (t) => {
  const proxy = await proxyFor(t, { refusal: 403 });
  const port = await freePort();
  for (const host of [proxy.host, `127.0.0.1:${port}`]) {
    const environment = { HTTPS_PROXY: `http://ann:canary@${host}` };
    const error = await get(t, 'https://server.test', environment).catch((error: unknown) => error);
    const { message, fix, stack } = error as SigningError;
    t.notMatch(`${message} ${fix} ${stack}`, /canary|Y2FuYXJ5/);
  }
});
