/**
 * A Notary server that belongs to a registry, as that of Harbor, Docker Hub and ACR: the docker Secret
 * will do, by the registry's own token realm. The servers are real; a proxy leads their names to them.
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { startRegistry } from '../bed/docker-registry.ts';
import { startForwardProxy } from '../bed/forward-proxy.ts';
import { passTo, startHandlerServer } from '../bed/handler-server.ts';
import { CANARIES, failsWith } from '../support/signer-failure.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const SHA256 = 'c'.repeat(64);

t.test('one token server for registry and Notary server', async (t) => {
  const robot = { username: 'robot', password: CANARIES.userPassword };
  const bed = await startBed({
    auth: { accounts: { robot: { password: robot.password, actions: ['pull', 'push'] } } },
  });
  t.teardown(() => bed.stop());
  const { authority, tokens } = bed;
  if (!tokens) throw new Error('the bed has no token server');
  const registry = await startRegistry({
    directory: join(bed.directory, 'registry-tls'),
    authority,
    auth: { tokens },
  });
  t.teardown(() => registry.stop());

  /** What a name leads to. */
  const names: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {};
  const toNotary = passTo(bed.notary.url, authority);
  const toRegistry = passTo(registry.url, authority);
  for (const name of ['harbor.test', 'registry-1.docker.io', 'moved.test']) {
    names[name] = toRegistry;
  }
  for (const name of [
    'notary.harbor.test',
    'core.harbor.test',
    'notary.docker.io',
    'harbor.test:4443',
    'notary.moved.test',
  ]) {
    names[name] = toNotary;
  }
  names['app.azurecr.test'] = (request, response) =>
    (request.url?.includes('/_trust/') ? toNotary : toRegistry)(request, response);
  names['open.test'] = (_, response) => response.end('{}');
  names['notary.open.test'] = toNotary;
  // A registry that has moved to another token server.
  names['moved.test'] = (_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://new.test/token"' }).end();
  const pings: string[] = [];
  const front = await startHandlerServer({
    authority,
    hosts: Object.keys(names).map((name) => name.replace(/:.*/, '')),
    handle: (request, response) => {
      const { host = '', authorization } = request.headers;
      if (request.url === '/v2/') pings.push(`${host} ${authorization}`);
      names[host]?.(request, response);
    },
  });
  t.teardown(() => front.stop());
  const proxy = await startForwardProxy({
    hosts: Object.fromEntries(
      Object.keys(names).map((name) => [name.includes(':') ? name : `${name}:443`, front.port]),
    ),
  });
  t.teardown(() => proxy.stop());

  const owner = bed.docker('owner', robot);
  const { publicKeyFile, privateKeyFile } = await owner.keyGenerate('alice');
  const secret = {
    'alice.key': await readFile(privateKeyFile, 'utf8'),
    password: owner.passphrase,
    'ca.crt': authority.certificatePem,
  };
  const base64 = Buffer.from(`robot:${robot.password}`).toString('base64');
  const sign = async (gun: string, notary: string, auths: object, env = {}) => {
    const before = tokens.requests.length;
    pings.length = 0;
    const result = await runSigner({
      directory: bed.directory,
      notaryUrl: `https://${notary}`,
      secret,
      report: reportToml([`${gun}:1`], SHA256, 7),
      registrySecrets: [{ files: { '.dockerconfigjson': JSON.stringify({ auths }) } }],
      env: { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: authority.certificateFile, ...env },
    });
    return { result, asked: tokens.requests.slice(before), pings: [...pings] };
  };
  const scopesOf = (gun: string) => [`repository:${gun}:push,pull`];

  for (const [like, gun, notary, key, registryName] of [
    ['Harbor', 'harbor.test/demo/app', 'notary.harbor.test', 'https://harbor.test', 'harbor.test'],
    [
      'Docker Hub',
      'docker.io/demo/app',
      'notary.docker.io',
      'https://index.docker.io/v1/',
      'registry-1.docker.io',
    ],
    ['ACR', 'app.azurecr.test/demo/app', 'app.azurecr.test', '*.azurecr.test', 'app.azurecr.test'],
  ] as const) {
    t.test(`as ${like} has it: the docker credentials for the registry will do`, async (t) => {
      await owner.signerAdd('alice', publicKeyFile, gun);
      const { result, asked, pings } = await sign(gun, notary, { [key]: { auth: base64 } });
      t.equal(result.code, 0, result.stdout);
      t.same(asked, [{ account: 'robot', scopes: scopesOf(gun) }]);
      t.same(pings, [`${registryName} undefined`], 'the registry is asked for its realm, once');
      t.same(await bed.docker('judge', robot).trustInspect(gun), [
        { tag: '1', sha256: SHA256, signers: ['alice'] },
      ]);
    });
  }

  const gun = 'harbor.test/demo/app';
  const harbor = { 'harbor.test': robot };
  for (const [what, name, notary, auths] of [
    ['credentials for another registry', gun, 'notary.harbor.test', { 'other.test': robot }],
    ['those for another path', gun, 'notary.harbor.test', { 'harbor.test/other': robot }],
    ['those for the realm', gun, 'notary.harbor.test', { [new URL(tokens.realm).host]: robot }],
    ['those for the Notary server', gun, 'notary.harbor.test', { 'notary.harbor.test': robot }],
    ['a sibling of the registry', 'core.harbor.test/demo/app', 'notary.harbor.test', harbor],
    ['another port of the registry', gun, 'harbor.test:4443', harbor],
  ] as const) {
    t.test(`${what}: they are not shown`, async (t) => {
      const { result, asked } = await sign(name, notary, auths);
      failsWith(t, result, 'CREDENTIALS_MISSING');
      t.same(asked, [{ scopes: scopesOf(name) }], 'strangers might have got a token');
      t.match(
        result.lastLine,
        `Fix: Add a basic-auth Secret with the annotation kpack.io/notary.v1: ${notary} to`,
      );
    });
  }
  for (const [what, name, names] of [
    ['another realm', 'moved.test', 'names, https://new.test/token'],
    ['no realm', 'open.test', 'names, which is none'],
  ] as const) {
    t.test(`a registry that names ${what} at /v2/: they are not shown`, async (t) => {
      const auths = { [name]: robot };
      const { result, asked } = await sign(`${name}/demo/app`, `notary.${name}`, auths);
      failsWith(t, result, 'CREDENTIALS_MISSING');
      t.match(
        result.lastLine,
        `wants a token of ${tokens.realm}, and docker credentials are for the realm that ` +
          `https://${name}/v2/ ${names}. Fix: Add a basic-auth Secret`,
      );
      t.same(asked, []);
    });
  }
  t.test('a CA that the signing Secret alone knows: nobody vouches for the realm', async (t) => {
    const { result, asked } = await sign(gun, 'notary.harbor.test', harbor, { SSL_CERT_FILE: '' });
    failsWith(t, result, 'SERVER_UNTRUSTED');
    t.match(result.lastLine, 'the certificate of harbor.test');
    t.same(asked, []);
  });
});
