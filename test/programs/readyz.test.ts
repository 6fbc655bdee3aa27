/** What the real program says on whether it is ready. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { freePort } from '../bed/port.ts';
import { makeCertificate } from '../support/trust/certificate.ts';
import { makeKey } from '../support/trust/key.ts';
import { getting, openConnection } from '../support/connection.ts';
import { parseExposition } from '../support/exposition.ts';
import { startApi, TOKEN, trustingConfigurations } from '../support/kubernetes-api.ts';
import { IMAGE_FLAG, run, until, type Run } from '../support/program.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

interface Replica extends Run {
  /** Status, and each condition that is missing with its reason. */
  readyz(): Promise<readonly [status: number, missing: Readonly<Record<string, string>>]>;
  /** The metric. */
  toldReady(): Promise<number | undefined>;
}

/** The program, as soon as it listens. */
async function startReplica(
  t: Test,
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Replica> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const flags = [IMAGE_FLAG, `--port=${port}`, `--metrics-port=${metricsPort}`, ...args];
  const child = run(t, directory, flags, env);
  await until(() => child.output().includes('"started"'));
  const connection = await openConnection(port);
  return {
    ...child,
    readyz: async () => {
      const { status, body } = await connection.ask(getting('/readyz'));
      const { missing = [] } = body as {
        readonly missing?: readonly { readonly condition: string; readonly why: string }[];
      };
      return [status, Object.fromEntries(missing.map(({ condition, why }) => [condition, why]))];
    },
    toldReady: async () => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return parseExposition(text).find(({ name }) => name === 'kpack_notary_ready')?.value;
    },
  };
}

/** Flags for a certificate that is good. */
async function goodPair(): Promise<readonly string[]> {
  const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
  return [`--tls-cert=${certificateFile}`, `--tls-key=${keyFile}`];
}

t.test('it waits for the Kubernetes API, says what is missing, and needs it once', async (t) => {
  const directory = t.testdir();
  const api = await startApi(t, authority, []);
  api.answer((response) => response.writeHead(403).end());
  const kubeconfig = `--kubeconfig=${await api.kubeconfig(directory)}`;
  const replica = await startReplica(t, directory, [
    kubeconfig,
    '--own-namespace=kpack-notary',
    ...(await goodPair()),
  ]);
  const reason = async () => (await replica.readyz())[1]['kubernetes-api'] ?? '';
  await until(async () => (await reason()).includes('HTTP 403'));
  const [status, { certificate, 'kubernetes-api': refused }] = await replica.readyz();
  t.equal(status, 503);
  t.equal(certificate, undefined);
  for (const [group, resource, verb] of [
    ['', 'namespaces', 'get'],
    ['', 'serviceaccounts', 'get'],
    ['', 'limitranges', 'list'],
    ['kpack.io', 'builds', 'get'],
    ['kpack.io', 'images', 'get'],
  ] as const) {
    const rule = `apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"]`;
    t.match(refused, `Fix: Allow it by a ClusterRole with the rule ${rule}.`);
  }
  t.match(refused, 'GET /api/v1/namespaces/kpack-notary was answered with HTTP 403.');
  t.equal(await replica.toldReady(), 0);

  api.answer((response) => response.writeHead(401).end());
  await until(async () => (await reason()).includes('HTTP 401'));
  t.equal((await reason()).match(/Fix: /g)?.length, 1, 'one reason for all is told once');
  api.answer((_, socket) => socket.destroy());
  await until(async () => (await reason()).includes('failed: '));

  // A cluster in which kpack is not installed yet.
  const configurations = trustingConfigurations(authority);
  api.answer((response, _, count) => {
    const url = api.requests.at(-1)?.url ?? '';
    const ours = configurations.find(({ kind }) => url.includes(`/${kind.toLowerCase()}s/`));
    if (ours) return void response.writeHead(200).end(JSON.stringify(ours));
    const isKpack = url.startsWith('/apis/kpack.io/');
    const status = { kind: 'Status', reason: 'NotFound', items: [] };
    response.writeHead(url.includes('limitranges') ? 200 : 404);
    response.end(isKpack ? `404 page not found ${count}` : JSON.stringify(status));
  });
  await until(async () => (await replica.readyz())[0] === 200);
  t.equal(await replica.toldReady(), 1);

  api.stop();
  t.same(await replica.readyz(), [200, {}], 'an outage does not take it back');
  const lines = replica.output().trim().split('\n');
  const told = lines.filter((line) => line.includes('not ready yet'));
  for (const words of ['HTTP 403', 'HTTP 401', 'failed: ']) {
    t.ok(
      told.some((line) => line.includes(words)),
      `${words}: logged`,
    );
  }
  const reasons = told.map((line) => line.replace(/^.*"missing":/, ''));
  t.same(reasons, [...new Set(reasons)], 'nothing is logged twice');
  const ready = lines.findIndex((line) => line.includes('"ready"'));
  t.not(ready, -1);
  t.notMatch(lines.slice(ready).join(), 'not ready yet');
  t.notMatch(replica.output(), TOKEN);
});

const WITHOUT_TOKEN = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };

t.test('a service account without its token is told so', async (t) => {
  const replica = await startReplica(t, t.testdir(), await goodPair(), WITHOUT_TOKEN);
  const reason = async () => (await replica.readyz())[1]['kubernetes-api'] ?? '';
  await until(async () => (await reason()).includes('secrets/kubernetes.io/serviceaccount/'));
  t.match(await reason(), /Fix: .* the token of the service account/);
  t.match(replica.output(), 'not ready yet');
});

t.test('callers without a certificate of --client-ca are not told what is missing', async (t) => {
  const flags = [...(await goodPair()), `--client-ca=${authority.certificateFile}`];
  const replica = await startReplica(t, t.testdir(), flags, WITHOUT_TOKEN);
  await until(() => replica.output().includes('not ready yet'));
  t.same(await replica.readyz(), [503, {}]);
});

t.test('a certificate that is not valid now is missing, until one is', async (t) => {
  const soon = Date.now() + 86_400_000;
  const cases = {
    expired: {
      from: new Date('2020-01-01'),
      to: new Date('2021-01-01'),
      why: /^The certificate in tls\.crt expired Jan {2}1 00:00:00 2021 GMT, .* Fix: put a new pair/,
    },
    'of tomorrow': {
      from: new Date(soon),
      to: new Date(soon + 86_400_000),
      why: /^The certificate in tls\.crt is not valid before .* Fix: compare the clocks/,
    },
  };
  for (const [what, { why, ...dates }] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const key = makeKey();
      const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const directory = t.testdir({
        manifests: {},
        'tls.crt': makeCertificate({ commonName: 'webhook', key, ...dates }),
        'tls.key': pem,
      });
      const flags = ['--manifests=manifests', '--tls-cert=tls.crt', '--tls-key=tls.key'];
      const replica = await startReplica(t, directory, flags);
      const [status, { certificate }] = await replica.readyz();
      t.equal(status, 503);
      t.match(certificate, why);
      t.match(replica.output(), 'not ready yet');
      const renewed = join(directory, 'renewed');
      await writeFile(renewed, makeCertificate({ commonName: 'webhook', key }));
      await rename(renewed, join(directory, 'tls.crt'));
      await until(async () => (await replica.readyz())[0] === 200);
    });
  }
});
