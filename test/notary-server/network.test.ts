import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { startForwardProxy } from '../bed/forward-proxy.ts';
import { passTo, startHandlerServer } from '../bed/handler-server.ts';
import { notaryCli } from '../bed/notary-cli.ts';
import { startNotaryServer } from '../bed/notary-server.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { CANARIES, failsWith } from '../support/signer-failure.ts';
import { reportToml, runSigner, type SignerRunOptions } from '../support/signer-run.ts';

const SHA256 = 'c'.repeat(64);
const GUN = 'registry.example.test/demo/app';
const PROXY_PASSWORD = 'canary-proxy-password';

t.test('ways to a Notary server', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const { authority, notary } = bed;
  const secret = await secretOf(bed, await initRepository(bed, GUN));
  const { 'ca.crt': _, ...withoutCa } = secret;
  const sign = (tag: string, options: Partial<SignerRunOptions> = {}) =>
    runSigner({
      directory: bed.directory,
      notaryUrl: notary.url,
      secret,
      report: reportToml([`${GUN}:${tag}`], SHA256, 7),
      ...options,
    });
  const isSigned = async (tag: string) =>
    (await bed.cli('judge').lookup(GUN, tag))?.sha256 === SHA256;

  // A name that the proxy alone can resolve, in front of the real server.
  const front = await startHandlerServer({
    authority,
    hosts: ['notary.test'],
    handle: passTo(notary.url, authority),
  });
  t.teardown(() => front.stop());
  const behind = { notaryUrl: 'https://notary.test:4443' };
  const hosts = { 'notary.test:4443': front.port };

  t.test('through a proxy, with user name and password', async (t) => {
    const account = { username: 'ann', password: PROXY_PASSWORD };
    const proxy = await startForwardProxy({ hosts, account });
    t.teardown(() => proxy.stop());
    const env = { HTTPS_PROXY: `http://ann:${PROXY_PASSWORD}@${proxy.host}` };
    const result = await sign('proxy', { ...behind, env });
    t.equal(result.code, 0, result.stdout);
    t.ok(await isSigned('proxy'));
    t.ok(proxy.requests.length > 0);
    t.same([...new Set(proxy.requests)], ['CONNECT notary.test:4443']);
  });
  t.test('through a proxy that does not let us', async (t) => {
    const proxy = await startForwardProxy({ hosts, account: { username: 'ann', password: 'x' } });
    t.teardown(() => proxy.stop());
    const env = { https_proxy: `ann:${PROXY_PASSWORD}@${proxy.host}` };
    const result = await sign('none', { ...behind, env });
    failsWith(t, result, 'SERVER_UNREACHABLE');
    t.match(
      result.lastLine,
      `the proxy ${proxy.host} does not let the signer through to notary.test:4443`,
    );
    t.match(result.lastLine, /HTTP 407\)\. Fix: Give HTTPS_PROXY .* user name and password/);
  });
  t.test('around a proxy, as NO_PROXY says', async (t) => {
    const proxy = await startForwardProxy({ hosts });
    t.teardown(() => proxy.stop());
    const env = { HTTPS_PROXY: proxy.url, NO_PROXY: 'example.com, .test' };
    failsWith(t, await sign('none', { ...behind, env }), 'SERVER_UNREACHABLE');
    t.same(proxy.requests, []);
  });

  t.test('under a CA that SSL_CERT_FILE names', async (t) => {
    failsWith(t, await sign('none', { secret: withoutCa }), 'SERVER_UNTRUSTED');
    const env = { SSL_CERT_FILE: authority.certificateFile };
    t.equal((await sign('ca-file', { secret: withoutCa, env })).code, 0);
    t.ok(await isSigned('ca-file'));
  });
  t.test('under a CA in a directory that SSL_CERT_DIR names', async (t) => {
    const directory = join(bed.directory, 'certificates');
    await mkdir(directory);
    await symlink(authority.certificateFile, join(directory, 'ca.crt'));
    const env = { SSL_CERT_DIR: `/nowhere:${directory}` };
    t.equal((await sign('ca-dir', { secret: withoutCa, env })).code, 0);
    t.ok(await isSigned('ca-dir'));
  });
  t.test('a variable for CAs that names nothing is a warning', async (t) => {
    const result = await sign('ca-none', { env: { SSL_CERT_FILE: '/nowhere/ca.crt' } });
    t.equal(result.code, 0);
    t.match(result.stdout, /warning: SSL_CERT_FILE is \/nowhere\/ca\.crt/);
  });

  t.test('below a path', async (t) => {
    const below = await startHandlerServer({
      authority,
      handle: passTo(notary.url, authority, '/trust/notary'),
    });
    t.teardown(() => below.stop());
    const result = await sign('path', { notaryUrl: `${below.url}/trust/notary/` });
    t.equal(result.code, 0, result.stdout);
    t.ok(await isSigned('path'));
  });

  t.test('behind a gate that wants user name and password', async (t) => {
    const pass = passTo(notary.url, authority);
    const basic = `Basic ${Buffer.from(`robot:${CANARIES.userPassword}`).toString('base64')}`;
    const gate = await startHandlerServer({
      authority,
      handle: (request, response) => {
        if (request.headers.authorization === basic) pass(request, response);
        else response.writeHead(401, { 'www-authenticate': 'Basic realm="gate"' }).end();
      },
    });
    t.teardown(() => gate.stop());
    const as = (password: string) => ({
      notaryUrl: gate.url,
      credentials: { [gate.host]: { username: 'robot', password } },
    });
    failsWith(t, await sign('none', { notaryUrl: gate.url }), 'CREDENTIALS_MISSING');
    const refused = await sign('none', as(CANARIES.wrongPassword));
    failsWith(t, refused, 'CREDENTIALS_REFUSED');
    t.match(refused.lastLine, `${gate.host} refused robot (credentials for ${gate.host})`);
    t.equal((await sign('gate', as(CANARIES.userPassword))).code, 0);
    t.ok(await isSigned('gate'));
  });

  t.test('and nothing else was signed', async (t) => {
    t.notOk(await isSigned('none'));
  });
});

t.test('a Notary server on IPv6', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const { authority } = bed;
  const server = await startNotaryServer({
    directory: join(bed.directory, 'notary-server-6'),
    address: '[::1]',
    authority,
  });
  t.teardown(() => server.stop());
  const cli = (home: string) => notaryCli({ server, authority, home: join(bed.directory, home) });
  const owner = cli('owner');
  await initRepository(bed, GUN, owner);
  const result = await runSigner({
    directory: bed.directory,
    notaryUrl: server.url,
    secret: await secretOf(bed, owner),
    report: reportToml([`${GUN}:1`], SHA256, 7),
  });
  t.equal(result.code, 0, result.stdout);
  t.match(result.receipt.repositories, [{ server: server.url }]);
  t.equal((await cli('judge').lookup(GUN, '1'))?.sha256, SHA256);
});
