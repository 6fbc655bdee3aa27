/**
 * A Notary server that the author of an Image runs, with a certificate that their own CA issued: it
 * gets neither the password with which the build pushes, nor a token for anything else.
 */
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { createAuthority } from '../bed/authority.ts';
import { startHandlerServer } from '../bed/handler-server.ts';
import { ensureInstalled } from '../bed/installed.ts';
import { startTokenServer } from '../bed/token-server.ts';
import { CANARIES, failsWith } from '../support/signer-failure.ts';
import { reportToml, runSigner, type SignerRunOptions } from '../support/signer-run.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

const directory = temporaryDirectory();
await ensureInstalled(['openssl']);
const authority = await createAuthority(join(directory, 'authority'));
const { keyPem } = await authority.issue({ name: 'alice' });

const GUN = 'registry.example.test/demo/app';
const FOREIGN = 'repository:other/app:push,pull registry:catalog:*';
const { userPassword: password } = CANARIES;
const IDENTITY_TOKEN = `${password}-identity`;
const docker = (entry: object) => [
  { files: { '.dockerconfigjson': JSON.stringify({ auths: { 'registry.example.test': entry } }) } },
];

/** A server that records what it is sent, and asks for what a header says. */
async function startHostile(t: Test, challenge: (url: string) => string) {
  const heard: string[] = [];
  const server = await startHandlerServer({
    authority,
    handle: (request, response) => {
      void text(request).then((body) => {
        heard.push([request.method, request.url, ...request.rawHeaders, body].join('\n'));
        if (request.url?.startsWith('/token')) response.end('{"token":"canary-hostile-token"}');
        else response.writeHead(401, { 'www-authenticate': challenge(server.url) }).end();
      });
    },
  });
  t.teardown(() => server.stop());
  return { ...server, heard };
}

const sign = (notaryUrl: string, options: Partial<SignerRunOptions>) =>
  runSigner({
    directory,
    notaryUrl,
    secret: { 'alice.key': keyPem, 'ca.crt': authority.certificatePem },
    report: reportToml([`${GUN}:1`], 'c'.repeat(64), 7),
    ...options,
  });

t.test('that names a realm of its own does not get the docker credentials there', async (t) => {
  for (const [kind, entry] of [
    ['a password', { username: 'robot', password }],
    ['an identity token', { identitytoken: IDENTITY_TOKEN }],
  ] as const) {
    t.test(kind, async (t) => {
      const hostile = await startHostile(t, (url) => `Bearer realm="${url}/token",service="s"`);
      const result = await sign(hostile.url, { registrySecrets: docker(entry) });
      failsWith(t, result, 'CREDENTIALS_MISSING');
      const heard = hostile.heard.join('\n');
      t.match(heard, '/token?service=s', 'a stranger asked there');
      t.notMatch(heard, /basic|refresh_token|canary-user/i);
    });
  }
});

t.test('that wants user name and password does not get them', async (t) => {
  const hostile = await startHostile(t, () => 'Basic realm="x"');
  const registrySecrets = docker({ username: 'robot', password });
  failsWith(t, await sign(hostile.url, { registrySecrets }), 'CREDENTIALS_MISSING');
  t.notMatch(hostile.heard.join('\n'), /authorization/i);
});

t.test('that names the realm of the registry, and scopes of others', async (t) => {
  const tokens = await startTokenServer({
    authority,
    accounts: { robot: { password, actions: ['pull', 'push', '*'] } },
    identityTokens: { [IDENTITY_TOKEN]: 'robot' },
  });
  t.teardown(() => tokens.stop());
  const challenge = (realm: string) => () =>
    `Bearer realm="${realm}",service="${tokens.service}",scope="${FOREIGN}"`;
  const scopes = [`repository:${GUN}:push,pull`];
  const requestsOf = async (options: Partial<SignerRunOptions>, host: string) => {
    const before = tokens.requests.length;
    const result = await sign(`https://${host}`, options);
    return { result, requests: tokens.requests.slice(before) };
  };

  t.test('gets no token that is made with docker credentials', async (t) => {
    for (const entry of [{ username: 'robot', password }, { identitytoken: IDENTITY_TOKEN }]) {
      const hostile = await startHostile(t, challenge(tokens.realm));
      const registrySecrets = docker(entry);
      const { result, requests } = await requestsOf({ registrySecrets }, hostile.host);
      failsWith(t, result, 'CREDENTIALS_MISSING');
      t.same(requests, [{ scopes }]);
      t.notMatch(hostile.heard.join('\n'), /authorization/i);
    }
  });
  t.test('gets a token for the signed repository alone, with its own Secret', async (t) => {
    for (const query of ['', `?scope=${encodeURIComponent('repository:other/app:push,pull')}`]) {
      const hostile = await startHostile(t, challenge(tokens.realm + query));
      const credentials = { [hostile.host]: { username: 'robot', password } };
      const { result, requests } = await requestsOf({ credentials }, hostile.host);
      failsWith(t, result, 'CREDENTIALS_REFUSED');
      const asked = { account: 'robot', scopes };
      t.same(requests, [asked, asked]);
    }
  });
});
