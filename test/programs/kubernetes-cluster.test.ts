import { mkdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import {
  ClusterError,
  type Cluster,
  type ObjectReference,
} from '../../src/shared/kubernetes/cluster.ts';
import { openKubernetesCluster } from '../../src/shared/kubernetes/kubernetes-cluster.ts';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { startWebhook } from '../bed/webhook.ts';
import { buildFixture, manifestsOf } from '../support/build-fixture.ts';
import { ask, verdictOf } from '../support/asking.ts';
import { startApi, TOKEN } from '../support/kubernetes-api.ts';
import { IMAGE_FLAG, PROGRAM, until } from '../support/program.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

const BUILD: ObjectReference = {
  apiVersion: 'kpack.io/v1alpha2',
  kind: 'Build',
  namespace: 'apps',
  name: 'app-build-1',
};
const SECRET: ObjectReference = { apiVersion: 'v1', kind: 'Secret', namespace: 'apps', name: 'x' };

t.test('the Kubernetes API is asked for what a decision needs, and no more', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const api = await startApi(t, authority, manifestsOf(given));
  const directory = t.testdir();
  const kubeconfig = await api.kubeconfig(directory);
  const webhook = await startWebhook({
    program: PROGRAM,
    directory,
    authority,
    args: [`--kubeconfig=${kubeconfig}`, IMAGE_FLAG],
  });
  t.teardown(() => webhook.stop());
  await until(() => webhook.output().includes('"ready"'));
  api.requests.length = 0;
  const response = await webhook.post('mutate', { object: given.pod });
  t.equal(verdictOf(response), 'patched');

  const apps = '/namespaces/apps';
  // The check of the caBundles asks by itself, and for no decision.
  const objectRequests = () =>
    api.requests.filter(({ url }) => !url?.startsWith('/apis/admissionregistration.k8s.io/'));
  t.same(
    new Set(objectRequests().map(({ url }) => url)),
    new Set([
      '/api/v1/namespaces/apps',
      `/api/v1${apps}/serviceaccounts/builder`,
      `/apis/kpack.io/v1alpha2${apps}/builds/app-build-1`,
      `/apis/kpack.io/v1alpha2${apps}/images/app`,
      ...(given.serviceAccount.secrets ?? []).map(({ name }) => `/api/v1${apps}/secrets/${name}`),
      `/api/v1${apps}/secrets/notary-signing`,
    ]),
  );
  t.equal(objectRequests().length, 12, 'each once');
  for (const { url, method, headers } of api.requests) {
    t.equal(method, 'GET');
    t.equal(headers.authorization, `Bearer ${TOKEN}`);
    t.equal(
      headers.accept,
      url?.includes('/secrets/')
        ? 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
        : 'application/json',
      url ?? '',
    );
  }
  t.notMatch(webhook.output() + JSON.stringify(response), TOKEN);

  for (let i = 0; i < 5; i += 1) await webhook.post('validate', { object: given.pod });
  t.equal(objectRequests().length, 72);
  t.ok(api.connections() <= 16, `${api.connections()} connections, kept open`);
});

t.test('reads of the Kubernetes API', async (t) => {
  const given = buildFixture();
  const api = await startApi(t, authority, manifestsOf(given));
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));

  await t.test('follow one another on one connection', async (t) => {
    for (let i = 0; i < 20; i += 1) t.ok(await cluster.get(BUILD));
    t.ok(api.connections() <= 2, `${api.connections()} connections`);
  });
  await t.test('open another when an idle one was closed', async (t) => {
    api.closeIdle();
    t.ok(await cluster.get(BUILD));
  });
  await t.test('are tried again when a kept connection breaks under them', async (t) => {
    t.ok(await cluster.get(BUILD));
    api.answer((_, socket, count) => (count === 1 ? socket.destroy() : api.serve()));
    t.ok(await cluster.get(BUILD));
  });
  await t.test('find nothing: 404', async (t) => {
    api.serve();
    t.equal(await cluster.get({ ...BUILD, name: 'other' }), undefined);
    t.equal(await cluster.get(SECRET), undefined);
  });
  await t.test('keep to the path of the object, whatever it is called', async (t) => {
    api.serve();
    const before = api.requests.length;
    for (const name of ['a/b', '..', '../../x', '?x', '%2e%2e', 'a#b', 'ä']) {
      for (const reference of [
        { ...BUILD, name },
        { ...BUILD, apiVersion: `kpack.io/${name}` },
      ]) {
        await cluster.get(reference).catch((error: unknown) => t.type(error, ClusterError));
      }
    }
    for (const { url } of api.requests.slice(before)) {
      t.match(url, /^\/apis\/kpack\.io\/[^/?]+\/namespaces\/[^/?]+\/builds\/[^/?]+$/);
    }
  });
});

t.test('a service account of 30,000 Secrets is not parsed, and refused by name', async (t) => {
  for (const [count, isParsed, verdict] of [
    [200, true, 'patched'],
    [30_000, false, '422 SECRETS_TOO_MANY'],
  ] as const) {
    const given = buildFixture();
    const names = Array.from({ length: count }, (_, i) => `s${i}`);
    const fields = names.map(
      (name) => [`k:{"name":"${name}"}`, { '.': {}, 'f:name': {} }] as const,
    );
    given.serviceAccount.secrets = names.map((name) => ({ name }));
    Object.assign(given.serviceAccount.metadata, {
      managedFields: [{ manager: 'kubectl', fieldsV1: Object.fromEntries(fields) }],
    });
    const api = await startApi(t, authority, manifestsOf(given));
    const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
    const account = await cluster.get({ ...SECRET, kind: 'ServiceAccount', name: 'builder' });
    t.equal(Array.isArray(account?.secrets), isParsed);
    t.equal(verdictOf(await ask('mutate', given.pod, cluster)), verdict);
  }
});

t.test('what the Kubernetes API answers otherwise is no object', async (t) => {
  const status = (code: number, reason: string) =>
    JSON.stringify({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      reason,
      code,
    });
  const send = (code: number, body: string) => (response: ServerResponse) => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(body);
  };
  const cases: Record<string, readonly [(response: ServerResponse) => void, RegExp, RegExp?]> = {
    'forbidden (403)': [
      send(403, status(403, 'Forbidden')),
      /builds\/app-build-1 was answered with HTTP 403/,
      /apiGroups: \["kpack\.io"\], resources: \["builds"\], verbs: \["get"\]/,
    ],
    'unauthorized (401)': [send(401, status(401, 'Unauthorized')), /HTTP 401/, /check the token/],
    'an error (500)': [send(500, status(500, 'InternalError')), /HTTP 500/],
    'too many requests (429)': [send(429, status(429, 'TooManyRequests')), /HTTP 429/],
    'a redirect (302)': [
      (response) => void response.writeHead(302, { location: 'https://evil.example' }).end(),
      /HTTP 302/,
    ],
    'a path that is not served (404)': [send(404, '404 page not found\n'), /404/],
    'no JSON': [send(200, '<html>'), /something else than JSON/],
    nothing: [send(200, ''), /something else than JSON/],
    'half an object': [send(200, '{"metadata": {"name"'), /something else than JSON/],
    null: [send(200, 'null'), /something else than an object/],
    'a list': [send(200, '[]'), /something else than an object/],
    'no metadata': [send(200, '{}'), /something else than an object/],
    'metadata: null': [send(200, '{"metadata":null}'), /something else than an object/],
    'metadata without a name': [send(200, '{"metadata":{}}'), /something else/],
    'another object': [send(200, '{"metadata":{"name":"other"}}'), /something else/],
    'a broken connection': [
      (response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"metadata"');
        setImmediate(() => response.destroy());
      },
      /failed: /,
    ],
    'too much': [
      (response) => void response.end(`{"metadata":{"name":"${'x'.repeat(5 * 1024 * 1024)}"}}`),
      /failed: the answer is too long/,
    ],
  };
  const api = await startApi(t, authority, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  for (const [what, [answer, message, fix]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      api.answer(answer);
      const error = await failure(cluster, BUILD);
      t.match(error?.message, message);
      if (fix) t.match(error?.fix, fix);
      t.notMatch(error?.message, TOKEN);
    });
  }
  await t.test('the permission is that for the kind', async (t) => {
    api.answer(send(403, status(403, 'Forbidden')));
    const rule = /apiGroups: \[""\], resources: \["secrets"\], verbs: \["get"\]/;
    t.match((await failure(cluster, SECRET))?.fix, rule);
  });
});

t.test('a Kubernetes API that hangs is given up after two seconds', async (t) => {
  const hangs: Record<string, (response: ServerResponse) => void> = {
    'no answer': () => undefined,
    'half an answer': (response) => void response.writeHead(200).write('{"metadata":'),
    'an answer that never ends': (response) => {
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    },
  };
  const directory = t.testdir();
  await Promise.all(
    Object.entries(hangs).map(async ([what, hang]) => {
      const own = await startApi(t, authority, []);
      own.answer(hang);
      await mkdir(join(directory, what));
      const cluster = openKubernetesCluster(await own.kubeconfig(join(directory, what)));
      const started = performance.now();
      t.ok(await failure(cluster, BUILD), what);
      const milliseconds = performance.now() - started;
      t.ok(milliseconds > 1_500 && milliseconds < 20_000, `${what}: ${milliseconds} ms`);
    }),
  );
});

t.test('a Kubernetes API that is not there is an error at once', async (t) => {
  const api = await startApi(t, authority, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  api.stop();
  t.match((await failure(cluster, BUILD))?.message, /ECONNREFUSED/);
});

t.test('a Kubernetes API of another CA is not believed', async (t) => {
  const given = buildFixture();
  const api = await startApi(t, authority, manifestsOf(given));
  const stranger = await createAuthority(t.testdir());
  const cluster = openKubernetesCluster(
    await api.kubeconfig(t.testdir({ other: {} }), stranger.certificatePem),
  );
  t.match((await failure(cluster, BUILD))?.message, /certificate/);
  t.equal(api.requests.length, 0, 'and hears no token');
});

/** What a read fails with; undefined when it does not. */
async function failure(
  cluster: Cluster,
  reference: ObjectReference,
): Promise<ClusterError | undefined> {
  try {
    await cluster.get(reference);
    return undefined;
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
}
