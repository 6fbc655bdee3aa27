import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { IncomingMessage, RequestListener } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { Authorization } from '../../../../src/sidecar/http/authorization.ts';
import {
  createHttpClient,
  type HttpClientOptions,
} from '../../../../src/sidecar/http/http-client.ts';
import { readProxySettings } from '../../../../src/sidecar/http/proxy-settings.ts';
import { createAuthority } from '../../../bed/authority.ts';
import { startHandlerServer, type HandlerServer } from '../../../bed/handler-server.ts';
import { freePort } from '../../../bed/port.ts';
import type { HttpRequest } from '../../../../src/sidecar/http/http-message.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const directory = temporaryDirectory();
const authority = await createAuthority(directory);

function client(t: Test, options: Partial<HttpClientOptions> = {}) {
  const http = createHttpClient({
    ca: [authority.certificatePem],
    proxy: readProxySettings({}),
    signal: new AbortController().signal,
    ...options,
  });
  t.teardown(() => http.close());
  return {
    get: (url: string, request: Partial<HttpRequest> = {}) =>
      http.send({ method: 'GET', url: new URL(url), ...request }),
    post: (url: string, body: string) =>
      http.send({ method: 'POST', url: new URL(url), body: [Buffer.from(body)] }),
    send: (request: HttpRequest) => http.send(request),
  };
}

async function serve(
  t: Test,
  handle: RequestListener,
  kind: 'https' | 'http' = 'https',
): Promise<HandlerServer> {
  const server = await startHandlerServer({ handle, ...(kind === 'https' && { authority }) });
  t.teardown(() => server.stop());
  return server;
}

const location =
  (url: string, status = 302): RequestListener =>
  (_, response) =>
    response.writeHead(status, { location: url }).end();

t.test('there is time for other work once all requests are on their way', async (t) => {
  const asked: string[] = [];
  let times = 0;
  let answer: () => void = () => undefined;
  const hasWaited = new Promise<void>((resolve) => (answer = resolve));
  const server = await serve(t, (request, response) => {
    asked.push(request.url ?? '');
    void hasWaited.then(() => response.end());
  });
  const { get } = client(t, {
    whileWaiting: () => {
      times += 1;
      answer();
    },
  });
  // None is answered before the work is done, and it is not begun for some of them.
  await Promise.all(['/a', '/b', '/c'].map((path) => get(server.url + path)));
  t.equal(times, 1);
  t.equal(asked.length, 3);
  await get(server.url);
  t.equal(times, 2);
});

t.test('there is none where a request does not get away', async (t) => {
  let times = 0;
  const { get } = client(t, { whileWaiting: () => (times += 1) });
  await t.rejects(get(`https://127.0.0.1:${await freePort()}`), { code: 'SERVER_UNREACHABLE' });
  t.equal(times, 0);
  const server = await serve(t, (_, response) => response.end());
  await get(server.url);
  t.equal(times, 1, 'and there is again afterwards');
});

t.test('an answer has status, headers, body, and who gave it', async (t) => {
  const server = await serve(t, (request, response) => {
    response.writeHead(404, { 'x-method': request.method }).end('what there is');
  });
  const answer = await client(t).get(`${server.url}/a?b=c`);
  t.equal(answer.status, 404);
  t.equal(answer.headers['x-method'], 'GET');
  t.equal(Buffer.from(answer.body).toString(), 'what there is');
  t.equal(answer.url.href, `${server.url}/a?b=c`);
});

t.test('redirects', async (t) => {
  t.test('are answers where nothing else is said, and to a POST', async (t) => {
    const server = await serve(t, location('https://elsewhere.test/'));
    const { get, post } = client(t);
    t.match(await get(server.url), {
      status: 302,
      headers: { location: 'https://elsewhere.test/' },
    });
    t.match(await post(server.url, 'x'), { status: 302 });
    const posted = await get(server.url, { method: 'POST', redirects: 'follow' });
    t.equal(posted.status, 302);
  });
  t.test('are followed, and show what is secret to the same server alone', async (t) => {
    const seen: (string | undefined)[] = [];
    const other = await serve(t, (request, response) => {
      seen.push(`other ${request.headers.authorization} ${request.headers.accept}`);
      if (request.url === '/back') location(`${server.url}/end`)(request, response);
      else response.end('there');
    });
    const server: HandlerServer = await serve(t, (request, response) => {
      seen.push(`${request.url} ${request.headers.authorization}`);
      if (request.url === '/1') location('/2', 307)(request, response);
      else if (request.url === '/2') location(`${other.url}/`, 301)(request, response);
      else if (request.url === '/3') location(`${other.url}/back`, 308)(request, response);
      else response.end('home');
    });
    const request = {
      headers: { accept: 'a' },
      authorization: new Authorization('Bearer canary', new URL(server.url)),
      redirects: 'follow',
    } as const;
    const { get } = client(t);
    const answer = await get(`${server.url}/1`, request);
    t.equal(answer.url.href, `${other.url}/`);
    t.equal(Buffer.from(answer.body).toString(), 'there');
    t.equal((await get(`${server.url}/3`, request)).url.pathname, '/end');
    t.same(seen, [
      '/1 Bearer canary',
      '/2 Bearer canary',
      'other undefined a',
      '/3 Bearer canary',
      'other undefined a',
      '/end undefined',
    ]);
  });
  t.test('are followed by HEAD, and by no write', async (t) => {
    const seen: string[] = [];
    const server = await serve(t, (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      if (request.url === '/1') location('/2', 307)(request, response);
      else response.end('there');
    });
    const { get } = client(t);
    for (const [method, status] of [
      ['HEAD', 200],
      ['PUT', 307],
      ['POST', 307],
    ] as const) {
      const answer = await get(`${server.url}/1`, { method, redirects: 'follow' });
      t.equal(answer.status, status, method);
    }
    t.same(seen, ['HEAD /1', 'HEAD /2', 'PUT /1', 'POST /1']);
  });
  t.test('bring no user name of their own', async (t) => {
    const seen: (string | undefined)[] = [];
    const server: HandlerServer = await serve(t, (request, response) => {
      seen.push(request.headers.authorization);
      const to = `${server.url.replace('://', '://user:pass@')}/end`;
      if (request.url === '/1') location(to)(request, response);
      else response.end('there');
    });
    const answer = await client(t).get(`${server.url}/1`, { redirects: 'follow' });
    t.equal(answer.url.href, `${server.url}/end`);
    t.same(seen, [undefined, undefined]);
  });
  t.test('end after five', async (t) => {
    let asked = 0;
    const server = await serve(t, (request, response) => {
      asked++;
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end('at last');
      else location(`/${left - 1}`)(request, response);
    });
    const { get } = client(t);
    t.equal((await get(`${server.url}/5`, { redirects: 'follow' })).status, 200);
    asked = 0;
    await t.rejects(get(`${server.url}/9`, { redirects: 'follow' }), {
      code: 'SERVER_FAILED',
      message: /redirects \/9 more than 5 times/,
      isTransient: false,
    });
    t.equal(asked, 6);
  });
  t.test('never lead from https to http, nor anywhere else', async (t) => {
    let asked = 0;
    const plain = await serve(t, (_, response) => response.end(String(asked++)), 'http');
    for (const target of [plain.url, 'ftp://127.0.0.1/']) {
      const server = await serve(t, location(target));
      await t.rejects(client(t).get(server.url, { redirects: 'follow' }), {
        code: 'SERVER_FAILED',
        message: /redirects \/ to .*, which is not https/,
      });
    }
    t.equal(asked, 0);
    const start = await serve(t, location(plain.url), 'http');
    t.equal((await client(t).get(start.url, { redirects: 'follow' })).status, 200);
  });
  t.test('that point nowhere are answers', async (t) => {
    for (const where of ['https://', undefined]) {
      const server = await serve(t, (_, response) =>
        response.writeHead(302, where === undefined ? {} : { location: where }).end(),
      );
      t.equal((await client(t).get(server.url, { redirects: 'follow' })).status, 302);
    }
  });
});

t.test('a server that keeps us waiting', async (t) => {
  const fails = {
    code: 'SERVER_UNREACHABLE',
    message: /nothing came for 0\.2 seconds/,
    isTransient: true,
  };
  const short = { silenceLimit: 200 };
  t.test('with its answer', async (t) => {
    const server = await serve(t, () => undefined);
    await t.rejects(client(t, short).get(server.url), fails);
    await t.rejects(client(t, short).post(server.url, 'x'), fails);
  });
  t.test('in the middle of its answer', async (t) => {
    const server = await serve(t, (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('half');
    });
    await t.rejects(client(t, short).get(server.url), fails);
  });
  t.test('with its half of TLS', async (t) => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    await t.rejects(client(t, short).get(`https://127.0.0.1:${port}`), fails);
  });
  t.test('with a drip that never ends, within the deadline', async (t) => {
    const server = await serve(t, (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const deadline = new AbortController();
    const { get } = client(t, { ...short, signal: deadline.signal });
    const answer = get(server.url);
    setTimeout(() => deadline.abort(new SigningError('DEADLINE_EXCEEDED', 'too long')), 500);
    await t.rejects(answer, { code: 'DEADLINE_EXCEEDED' });
    await t.rejects(get(server.url), { code: 'DEADLINE_EXCEEDED' }, 'nothing is sent any more');
  });
});

t.test('an answer that is not whole is none', async (t) => {
  const cut: readonly (readonly [string, RequestListener])[] = [
    ['before it began', (request) => request.socket.destroy()],
    [
      'before its length',
      (request, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('half', () => request.socket.destroy());
      },
    ],
    [
      'before its last chunk',
      (request, response) => {
        response.writeHead(200);
        response.write('half', () => request.socket.end());
      },
    ],
  ];
  for (const [what, handle] of cut) {
    const server = await serve(t, handle);
    await t.rejects(
      client(t).get(server.url),
      { code: 'SERVER_UNREACHABLE', message: /ECONNRESET/, isTransient: true },
      what,
    );
  }
});

t.test('an answer that is too long is cut', async (t) => {
  const server = await serve(t, (request, response) => {
    response.end('x'.repeat(Number(request.url?.slice(1))));
  });
  const { get } = client(t);
  t.equal((await get(`${server.url}/65536`)).body.length, 65_536);
  t.equal((await get(`${server.url}/70000`, { limit: 70_000 })).body.length, 70_000);
  await t.rejects(get(`${server.url}/65537`), {
    code: 'SERVER_FAILED',
    message: /answers \/65537 with more than 65536 bytes/,
    isTransient: false,
  });
  await t.rejects(get(`${server.url}/11`, { limit: 10 }), { code: 'SERVER_FAILED' });
});

t.test('the length of what HEAD leaves out counts for nothing', async (t) => {
  const length = String(5 * 1024 * 1024);
  const server = await serve(t, (_, response) =>
    response.writeHead(200, { 'content-length': length }).end(),
  );
  const admit = () => t.fail('nothing is held');
  const answer = await client(t).get(server.url, { method: 'HEAD', limit: 10, admit });
  t.equal(answer.headers['content-length'], length);
  t.equal(answer.body.length, 0);
});

t.test('of an error that is too long the beginning is heard', async (t) => {
  const closed: true[] = [];
  const server = await serve(t, (_, response) => {
    response.on('close', () => closed.push(true));
    response.writeHead(500);
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(16 * 1024)));
    };
    response.on('drain', more);
    more();
  });
  const { status, body } = await client(t).get(server.url, { limit: 16 * 1024 * 1024 });
  t.equal(status, 500);
  t.ok(body.length > 0 && body.length <= 65_536, `${body.length} bytes`);
  while (closed.length === 0) await pause(5);
  t.pass('the rest is not waited for');
});

t.test('what is large is asked about before it is held', async (t) => {
  const large = Buffer.alloc(5 * 1024 * 1024, 'x');
  const server = await serve(t, (request, response) => {
    if (request.url === '/said') response.writeHead(200, { 'content-length': large.length });
    response.end(large);
  });
  const limit = 8 * 1024 * 1024;
  for (const path of ['/said', '/unsaid']) {
    let admitted = 1024 * 1024;
    const admit = (bytes: number) => (admitted += bytes);
    const { body } = await client(t).get(`${server.url}${path}`, { limit, admit });
    t.ok(large.equals(body), path);
    t.ok(admitted >= large.length, path);
    const refuse = () => {
      throw new SigningError('METADATA_TOO_LARGE', 'no room');
    };
    const refused = client(t).get(`${server.url}${path}`, { limit, admit: refuse });
    await t.rejects(refused, { code: 'METADATA_TOO_LARGE', message: 'no room' }, path);
  }
  const tooLong = () => new SigningError('METADATA_TOO_LARGE', 'too long');
  await t.rejects(client(t).get(server.url, { limit: 10, tooLong }), { message: 'too long' });
});

t.test('a large body is sent whole', async (t) => {
  const parts = [Buffer.from('a'), Buffer.alloc(3 * 1024 * 1024, 'b'), Buffer.from('c')];
  const server = await serve(t, (request, response) => {
    buffer(request).then(
      (body) => response.end(String(body.equals(Buffer.concat(parts)))),
      () => response.destroy(),
    );
  });
  const { body } = await client(t).send({ method: 'POST', url: new URL(server.url), body: parts });
  t.equal(Buffer.from(body).toString(), 'true');
});

t.test('connections are kept', async (t) => {
  t.test('and used again', async (t) => {
    const server = await serve(t, (_, response) => response.end());
    const { get } = client(t);
    for (let i = 0; i < 3; i++) await get(server.url);
    t.equal(server.connections(), 1);
  });
  t.test('and many at once are no reason for a warning', async (t) => {
    const warnings: string[] = [];
    const hear = ({ message }: Error) => void warnings.push(message);
    process.on('warning', hear);
    t.teardown(() => process.off('warning', hear));
    const server = await serve(t, (_, response) => response.end());
    const { get } = client(t);
    await Promise.all(Array.from({ length: 30 }, () => get(server.url)));
    t.same(warnings, []);
  });
  t.test('and a read does not fail when the server closes one meanwhile', async (t) => {
    // The answer goes out, and the connection is cut when the next request comes over it.
    const used = new WeakMap<object, number>();
    const seen: string[] = [];
    const server = await serve(t, (request: IncomingMessage, response) => {
      const before = used.get(request.socket) ?? 0;
      used.set(request.socket, before + 1);
      seen.push(`${request.method} ${before}`);
      if (before > 0) request.socket.destroy();
      else response.end('there');
    });
    const { get, post } = client(t);
    await get(server.url);
    t.equal(Buffer.from((await get(server.url)).body).toString(), 'there');
    t.same(seen, ['GET 0', 'GET 1', 'GET 0']);
    await t.rejects(post(server.url, 'x'), { code: 'SERVER_UNREACHABLE', isTransient: true });
    t.same(seen.splice(0).slice(3), ['POST 1'], 'what became of a POST is unknown');
    await get(server.url);
    t.equal((await get(server.url, { method: 'HEAD' })).status, 200);
    t.same(seen.splice(0), ['GET 0', 'HEAD 1', 'HEAD 0']);
    await get(server.url);
    await t.rejects(get(server.url, { method: 'PUT' }), { code: 'SERVER_UNREACHABLE' });
    t.match(seen.at(-1), 'PUT 1');
  });
});

t.test('what a network says', async (t) => {
  t.test('where nobody listens', async (t) => {
    const port = await freePort();
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      await t.rejects(client(t).get(`https://${host}:${port}`), {
        code: 'SERVER_UNREACHABLE',
        message: /connect ECONNREFUSED .*\d/,
        isTransient: true,
      });
    }
  });
  t.test('of a name that does not exist', async (t) => {
    const error = await client(t)
      .get('https://nowhere.invalid')
      .catch((error: unknown) => error);
    t.match(error, { code: 'SERVER_UNREACHABLE', message: /https:\/\/nowhere\.invalid .*nowhere/ });
  });
  t.test('of a certificate that nobody trusts, or is for others', async (t) => {
    const server = await serve(t, (_, response) => response.end());
    await t.rejects(client(t, { ca: [] }).get(server.url), {
      code: 'SERVER_UNTRUSTED',
      message: /is not trusted: no CA that is known here issued it: .*UNABLE_TO_GET_ISSUER_CERT/,
      fix: /under ca\.crt/,
      isTransient: false,
    });
    const handle: RequestListener = (_, response) => response.end();
    const other = await startHandlerServer({ authority, address: '127.0.0.2', handle });
    t.teardown(() => other.stop());
    await t.rejects(client(t).get(other.url), {
      code: 'SERVER_UNTRUSTED',
      message: /ERR_TLS_CERT_ALTNAME_INVALID/,
      fix: 'Use a host name that the certificate names, or have it issued for 127.0.0.2.',
    });
  });
  t.test('of https to an http port, and of http to what speaks neither', async (t) => {
    const plain = await serve(t, (_, response) => response.end(), 'http');
    await t.rejects(client(t).get(plain.url.replace('http', 'https')), {
      code: 'SERVER_UNREACHABLE',
      message: /does not speak TLS$/,
      fix: /port and scheme/,
      isTransient: false,
    });
    const other = createServer((socket) => socket.on('error', () => undefined).end('220 mail\r\n'));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.teardown(() => other.close());
    const { port } = other.address() as AddressInfo;
    await t.rejects(client(t).get(`http://127.0.0.1:${port}`), {
      code: 'SERVER_UNREACHABLE',
      message: /does not speak HTTP$/,
      isTransient: false,
    });
  });
  t.test('of a server that wants a client certificate', async (t) => {
    const { certificatePem: cert, keyPem: key } = await authority.issue({ name: 'mutual' });
    for (const [maxVersion, message] of [
      // OpenSSL has no better word in that version.
      ['TLSv1.2', /^TLS handshake with https:\S+ failed: [a-z0-9/ ]*alert handshake failure$/],
      ['TLSv1.3', /^https:\S+ demands a client certificate, and the signer has none$/],
    ] as const) {
      const options = { cert, key, ca: cert, requestCert: true, maxVersion };
      const server = createTlsServer(options, (socket) => socket.on('error', () => undefined));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.teardown(() => server.close());
      const { port } = server.address() as AddressInfo;
      await t.rejects(client(t).get(`https://127.0.0.1:${port}`), {
        code: 'SERVER_UNREACHABLE',
        message,
        fix: /without (?:a certificate|client certificates)/,
        isTransient: false,
      });
    }
    const page =
      '<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>';
    const nginx = await serve(t, (_, response) => response.writeHead(400).end(page));
    await t.rejects(client(t).get(nginx.url), {
      code: 'SERVER_UNREACHABLE',
      message: /demands a client certificate, and the signer has none$/,
    });
  });
  t.test('of answers that are no valid HTTP', async (t) => {
    const head = 'HTTP/1.1 200 OK\r\n';
    const answers: readonly (readonly [answer: string, says: RegExp])[] = [
      [
        `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
        /(?:Content-Length|Transfer-Encoding) can't be present with/i,
      ],
      [`${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, /Content-Length/],
      [`${head}X-Header : 1\r\nContent-Length: 2\r\n\r\n{}`, /header/i],
      [`${head}Content-Length: two\r\n\r\n{}`, /Content-Length/],
      [`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, /chunk size/],
      [
        `${head}X-Long: ${'x'.repeat(70_000)}\r\nContent-Length: 2\r\n\r\n{}`,
        /its headers are longer than 65536 bytes/,
      ],
    ];
    for (const [answer, says] of answers) {
      const other = createServer((socket) => {
        socket.on('error', () => undefined).once('data', () => socket.write(answer));
      });
      other.listen(0, '127.0.0.1');
      await once(other, 'listening');
      t.teardown(() => other.close());
      const { port } = other.address() as AddressInfo;
      const error = (await client(t)
        .get(`http://127.0.0.1:${port}`)
        .catch((error: unknown) => error)) as SigningError;
      t.match(error, { code: 'SERVER_FAILED', isTransient: false }, String(says));
      t.match(error.message, /answers with HTTP that is not valid: .* \(HPE_[A-Z_]+\)$/);
      t.match(error.message, says);
    }
  });
  t.test('of headers that are long, and not too long', async (t) => {
    const server = await serve(t, (_, response) => {
      response.writeHead(200, { 'x-long': 'x'.repeat(60_000) }).end('there');
    });
    t.equal((await client(t).get(server.url)).status, 200);
  });
  t.test('of answers that are compressed, which nobody asked for', async (t) => {
    const asked: (string | undefined)[] = [];
    const server = await serve(t, (request, response) => {
      asked.push(request.headers['accept-encoding']);
      const status = request.url === '/absent' ? 404 : 200;
      const encoding = request.url === '/plain' ? 'identity' : 'gzip';
      response.writeHead(status, { 'content-encoding': encoding }).end(gzipSync('{}'));
    });
    const { get } = client(t);
    await t.rejects(get(`${server.url}/v2/`), {
      code: 'SERVER_FAILED',
      message: /answers \/v2\/ encoded as gzip, and was asked not to encode it$/,
      fix: /compression/,
      isTransient: false,
    });
    t.equal((await get(`${server.url}/absent`)).status, 404, 'what is absent is absent');
    t.equal((await get(`${server.url}/plain`)).status, 200);
    t.same(asked, ['identity', 'identity', 'identity']);
  });
  t.test('of a server that goes over to another protocol', async (t) => {
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
    const other = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.write(answer));
    });
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.teardown(() => other.close());
    const { port } = other.address() as AddressInfo;
    await t.rejects(client(t).get(`http://127.0.0.1:${port}`), {
      code: 'SERVER_FAILED',
      message: /with another protocol \(HTTP 101\)$/,
    });
  });
});

t.test('servers on IPv6', async (t) => {
  const server = await startHandlerServer({
    authority,
    address: '::1',
    handle: (request, response) => response.end(request.headers.host),
  });
  t.teardown(() => server.stop());
  const { body } = await client(t).get(server.url);
  t.equal(Buffer.from(body).toString(), `[::1]:${server.port}`);
});
