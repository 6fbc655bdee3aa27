import { createServer } from 'node:https';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createHttpClient } from '../../src/sidecar/http/http-client.ts';
import { readProxySettings } from '../../src/sidecar/http/proxy-settings.ts';
import { ensureInstalled } from '../bed/installed.ts';
import { notaryCli } from '../bed/notary-cli.ts';
import { dockerCli } from '../bed/docker-cli.ts';
import { makeKeyDirectory } from '../support/private-key.ts';
import { makeCertificate } from '../support/trust/certificate.ts';
import { makeKey } from '../support/trust/key.ts';
import { buildRepository, entry, GUN } from '../support/trust/repository.ts';
import { serveRepositories } from './support/trust/served.ts';

await ensureInstalled(['notary', 'docker', 'openssl']);
const { directory, run, opensslKey } = makeKeyDirectory();
const path = (name: string) => join(directory, name);
const keys = Object.fromEntries(
  ['root', 'inter', 'server', 'other'].map((name) => [
    name,
    opensslKey(name, ['ec_paramgen_curve:P-256']).file,
  ]),
);

/** A certificate of one name, issued by another or by itself. */
function issue(name: string, issuer: string, ...extensions: readonly string[]): string {
  const [key = '', issuerKey = ''] = [keys[name], keys[issuer]];
  const self = ['req', '-x509', '-key', key, '-subj', `/CN=${name}`, '-days', '30'];
  const more = extensions.flatMap((extension) => ['-addext', extension]);
  if (name === issuer) return run('openssl', [...self, ...more, '-out', path(`${name}.crt`)]);
  run('openssl', [
    'req',
    '-new',
    '-key',
    key,
    '-subj',
    `/CN=${name}`,
    ...more,
    '-out',
    path('csr'),
  ]);
  const signing = ['-CA', path(`${issuer}.crt`), '-CAkey', issuerKey, '-CAcreateserial'];
  return run('openssl', [
    ...['x509', '-req', '-in', path('csr'), '-days', '30', '-copy_extensions', 'copy'],
    ...[...signing, '-out', path(`${name}.crt`)],
  ]);
}
const read = (name: string) => readFileSync(path(`${name}.crt`), 'utf8');
issue('root', 'root');
issue('other', 'other');
issue('inter', 'root', 'basicConstraints=critical,CA:TRUE');
issue('server', 'inter', 'subjectAltName=DNS:localhost,IP:127.0.0.1');

async function serve(t: Test, cert: string, key: string, listener = serveRepositories([])) {
  const server = createServer({ cert, key }, listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `https://${host}`, host };
}

function get(t: Test, url: string, ca: readonly string[]) {
  const http = createHttpClient({
    ca,
    proxy: readProxySettings({}),
    signal: new AbortController().signal,
  });
  t.teardown(() => http.close());
  return http.send({ method: 'GET', url: new URL(`${url}/v2/`) });
}

t.test('every certificate of the chain is an anchor, as for the tools', async (t) => {
  const key = readFileSync(keys['server'] ?? '', 'utf8');
  const repository = buildRepository({ targets: { latest: entry('ab'.repeat(32), 1) } });
  const listener = serveRepositories([repository]);
  const server = await serve(t, read('server') + read('inter'), key, listener);
  for (const [name, isTrusted] of [
    ['root', true],
    ['inter', true],
    ['server', true],
    ['other', false],
  ] as const) {
    const authority = { certificateFile: path(`${name}.crt`) };
    const notary = notaryCli({ server, authority, home: path(`notary-${name}`) });
    const docker = dockerCli({ server, authority, home: path(`docker-${name}`) });
    const tools = [notary.lookup(GUN, 'latest'), docker.trustInspect(`${GUN}:latest`)];
    for (const tool of tools) {
      t.equal(
        await tool.then(
          (seen) => seen !== undefined,
          () => false,
        ),
        isTrusted,
        `a tool, by ${name}`,
      );
    }
    if (isTrusted) {
      t.equal((await get(t, server.url, [read(name)])).status, 200, name);
    } else {
      await t.rejects(get(t, server.url, [read(name)]), {
        code: 'SERVER_UNTRUSTED',
        message: /no CA that is known here issued it/,
        fix: /under ca\.crt/,
      });
    }
  }
});

t.test('a server certificate out of its time is refused, whoever trusts it', async (t) => {
  const key = makeKey();
  const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const hours = (number: number) => new Date(Date.now() + number * 3600_000);
  for (const [times, message] of [
    [{ to: hours(-1) }, /has expired \(CERT_HAS_EXPIRED\)$/],
    [{ from: hours(1) }, /is not valid yet \(CERT_NOT_YET_VALID\)$/],
  ] as const) {
    const certificate = makeCertificate({ commonName: '127.0.0.1', key, ...times });
    const { url } = await serve(t, certificate, pem);
    await t.rejects(get(t, url, [certificate]), {
      code: 'SERVER_UNTRUSTED',
      message,
      fix: /clock of the node/,
      isTransient: false,
    });
  }
});
