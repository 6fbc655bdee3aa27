import { existsSync } from 'node:fs';
import t from 'tap';
import { startKubeApiserver } from '../bed/kube-apiserver.ts';
import { demand, kubeClient } from '../bed/kube-client.ts';
import { needKubernetes } from '../bed/kubernetes-programs.ts';

needKubernetes(t);

const server = await startKubeApiserver();
t.teardown(() => server.stop());
const { admin } = server;

const apps = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } };
await admin.create(apps);

t.test('a second API server knows nothing of the first, and ends without a trace', async (t) => {
  const second = await startKubeApiserver();
  t.teardown(() => second.stop());
  t.equal((await admin.get(apps)).status, 200);
  const { failure } = await second.admin.get(apps);
  t.match(failure, { code: 404, reason: 'NotFound', message: 'namespaces "apps" not found' });

  const pids = [second.service.child.pid, second.etcd.child.pid];
  t.ok(pids.every(isRunning));
  await second.stop();
  t.notOk(pids.some(isRunning));
  t.notOk(existsSync(second.directory));
  await second.stop();
  t.equal((await admin.get(apps)).status, 200);
});

t.test('what a client asks for is what the API server does', async (t) => {
  const settings = (data: Record<string, string | null>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'apps' },
    data,
  });
  const { apiVersion, kind } = settings({});

  t.equal((await admin.create(settings({}), { dryRun: true })).status, 201);
  t.equal((await admin.get(settings({}))).status, 404, 'a dry run stores nothing');
  const created = demand(await admin.create(settings({ a: '1' })));
  const replaced = demand(await admin.update({ ...created, data: { b: '2' } }));
  t.same(replaced.data, { b: '2' });
  t.equal((await admin.update({ ...created, data: {} })).failure?.reason, 'Conflict');
  t.match(demand(await admin.apply(settings({ c: '3' }))).data, { b: '2', c: '3' });
  t.same(demand(await admin.patch(settings({}), settings({ b: null }))).data, { c: '3' });
  const { items } = demand(await admin.list({ apiVersion, kind, namespace: 'apps' }));
  t.same(
    items.map(({ metadata }) => metadata.name),
    ['settings'],
  );
  t.equal((await admin.delete(settings({}))).status, 200);
  t.throws(
    () => void demand({ ok: false, status: 404, warnings: [], failure: notFound }),
    /404 .*gone/,
  );
});

t.test('rights are those of whom one asks as, or whose token it is', async (t) => {
  const metadata = { name: 'reader', namespace: 'apps' };
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata };
  demand(await admin.create(account));
  const user = 'system:serviceaccount:apps:reader';
  t.match((await admin.get(apps, { as: user })).failure, { code: 403, reason: 'Forbidden' });
  t.equal((await admin.get(apps, { as: 'root', groups: ['system:masters'] })).status, 200);

  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
    status: { token: '' },
  };
  const { status } = demand(await admin.createSubresource(account, 'token', request));
  const ca = server.authority.certificatePem;
  const reader = kubeClient({ url: server.url, ca, user: { token: status.token } });
  t.teardown(() => reader.close());
  t.match((await reader.get(apps)).failure?.message, `User "${user}" cannot get resource`);
});

t.test('a warning is read as kubectl would print it', async (t) => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'twice', namespace: 'default' },
    spec: { containers: [{ name: 'a', image: 'x', env: [env('1'), env('2')] }] },
  };
  const account = { name: 'default', namespace: 'default' };
  demand(await admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account }));
  t.same((await admin.create(pod)).warnings, [
    'spec.containers[0].env[1]: hides previous definition of "A", ' +
      'which may be dropped when using apply',
  ]);
});

const notFound = { kind: 'Status', code: 404, reason: 'NotFound', message: 'it is gone' } as const;

const env = (value: string) => ({ name: 'A', value });

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
