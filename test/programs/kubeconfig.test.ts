import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { startForwardProxy } from '../bed/forward-proxy.ts';
import { freePort } from '../bed/port.ts';
import { buildFixture, manifestsOf } from '../support/build-fixture.ts';
import { runExplain } from '../support/explain-run.ts';
import { startApi } from '../support/kubernetes-api.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

interface KubeConfig {
  'current-context': string;
  contexts: { context: { user: string } }[];
  clusters: { cluster: Record<string, unknown> }[];
  users: { user: object }[];
}

/** What `webhook explain image/app` says with a kubeconfig that was changed. */
async function explainWith(t: Test, change: (config: KubeConfig) => void) {
  const given = buildFixture();
  const api = await startApi(t, authority, manifestsOf(given));
  const directory = t.testdir();
  const file = await api.kubeconfig(directory);
  const config = JSON.parse(await readFile(file, 'utf8')) as KubeConfig;
  change(config);
  await writeFile(join(directory, 'changed'), JSON.stringify(config));
  const run = await runExplain(directory, ['--kubeconfig=changed', '-n', 'apps', 'image/app']);
  t.notMatch(run.stdout + run.stderr, /canary/);
  return run;
}

const setCluster = (members: Record<string, unknown>) => (config: KubeConfig) =>
  void Object.assign(config.clusters[0]?.cluster ?? {}, members);
const setExec = (script: string) => (config: KubeConfig) => {
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'sh',
    args: ['-c', script],
  };
  config.users = config.users.map((user) => ({ ...user, user: { exec } }));
};

t.test('a proxy-url is the way to the API server, with its password', async (t) => {
  const account = { username: 'robot', password: 'canary' };
  const proxy = await startForwardProxy({ account });
  t.teardown(() => proxy.stop());
  const through = (userinfo: string) =>
    explainWith(t, setCluster({ 'proxy-url': `http://${userinfo}${proxy.host}` }));
  const good = await through('robot:canary@');
  t.match(good.stdout, /^Image apps\/app: would be signed$/m, good.stderr);
  t.match(proxy.requests, [/^CONNECT localhost:\d+$/]);
  const refused = await through('');
  t.equal(refused.exitCode, 1);
  t.match(refused.stderr, /^kpack-notary webhook: GET .* failed: .*407.*\n$/);
});

t.test('an exec plug-in gives the credentials', async (t) => {
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'canary-of-a-token' },
  };
  const { stdout, stderr } = await explainWith(t, setExec(`echo '${JSON.stringify(credential)}'`));
  t.match(stdout, /^Image apps\/app: would be signed$/m, stderr);
});

t.test('what a kubeconfig cannot do is told in one line, without its secrets', async (t) => {
  const nobody = await freePort();
  const cases: Record<string, readonly [(config: KubeConfig) => void, number, RegExp]> = {
    'a plug-in that prints something else': [
      setExec('echo canary'),
      1,
      /failed: sh, which the kubeconfig names for credentials, gave none; run it by hand to see why$/,
    ],
    'a plug-in that fails': [setExec('echo canary >&2; echo more >&2; exit 3'), 1, /gave none/],
    'a plug-in that says nothing': [setExec('echo {}'), 1, /gave none/],
    'a proxy of another kind': [
      setCluster({ 'proxy-url': 'socks5://robot:canary@127.0.0.1:1' }),
      2,
      /--kubeconfig changed cannot be used: the proxy-url of its cluster is no http or https URL/,
    ],
    'a proxy that is away': [
      setCluster({ 'proxy-url': `http://robot:canary@127.0.0.1:${nobody}` }),
      1,
      /failed: .*ECONNREFUSED/,
    ],
    'a server without a scheme': [
      setCluster({ server: 'localhost:6443' }),
      2,
      /the server of its cluster is no https URL/,
    ],
    'a server that is away': [
      setCluster({ server: `https://localhost:${nobody}` }),
      1,
      /failed: .*ECONNREFUSED/,
    ],
    'a user that is not there': [
      ({ contexts: [first] }) => void Object.assign(first?.context ?? {}, { user: 'other' }),
      2,
      /its context names no user that it has/,
    ],
    'a context that is not there': [
      (config) => void (config['current-context'] = 'other'),
      2,
      /it names no cluster/,
    ],
  };
  for (const [what, [change, exitCode, told]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const run = await explainWith(t, change);
      t.equal(run.exitCode, exitCode);
      t.match(run.stderr.trimEnd(), told);
      t.equal(run.stderr.trimEnd().split('\n').length, 1);
      t.equal(run.stdout, '');
    });
  }
});
