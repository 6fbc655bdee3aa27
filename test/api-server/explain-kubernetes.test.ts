import t from 'tap';
import { demand } from '../bed/kube-client.ts';
import { buildFixture } from '../support/build-fixture.ts';
import { runExplain } from '../support/explain-run.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { ownKubeconfig } from '../support/kubernetes-setup.ts';
import { until } from '../support/program.ts';

const cluster = await startTestCluster(t);
const ENABLED = { labels: { 'notary.kpack.io/signing': 'enabled' } };

t.test('what explain says of an Image is what becomes of its pod', async (t) => {
  await cluster.namespace('explained', ENABLED);
  const { pod } = await cluster.store(
    buildFixture('v0.17.2/02b-notary-registry-secrets'),
    'explained',
  );
  const args = ['-n', 'explained', `--kubeconfig=${await explainerKubeconfig('explained')}`];
  let run = await runExplain(cluster.apiserver.directory, args);
  await until(async () => {
    // Its rights come into force a moment later, one after the other.
    if (!`${run.stdout}${run.stderr}`.includes('HTTP 403')) return true;
    run = await runExplain(cluster.apiserver.directory, args);
    return false;
  });
  t.match(run.stdout, /^Image explained\/app: would be signed$/m);
  t.match(run.stdout, /by spec\.notary of Image app$/m);
  t.match(run.stdout, /credentials +Secret notary-creds$/m);
  t.equal(run.exitCode, 0, run.stdout + run.stderr);
  t.ok((await cluster.post(pod)).ok);
  const decisions = await cluster.decisions('explained');
  t.ok(decisions.some(({ code, decision }) => code === 'INJECTED' && decision === 'patch'));
  const after = await runExplain(cluster.apiserver.directory, args);
  t.match(after.stdout, /^Pod explained\/app-build-1-build-pod: would be signed$/m);
  t.match(after.stdout, /it has its container notary-sign$/m);
});

t.test("the webhook's own account explains what it is asked by name", async (t) => {
  await cluster.namespace('asked', ENABLED);
  await cluster.store(buildFixture('v0.17.2/02-notary'), 'asked');
  const args = ['-n', 'asked', `--kubeconfig=${await ownKubeconfig(cluster.apiserver)}`];
  const named = await runExplain(cluster.apiserver.directory, [...args, 'image/app']);
  t.match(named.stdout, /^Image asked\/app: would be signed$/m);
  t.equal(named.exitCode, 0, named.stdout + named.stderr);
  const all = await runExplain(cluster.apiserver.directory, args);
  t.equal(all.exitCode, 1);
  t.match(all.stderr, /apiGroups: \["kpack\.io"\], resources: \["images"\], verbs: \["list"\]/);
});

t.test('a permission that is taken away is named in the refusal', async (t) => {
  const reference = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'kpack-notary-webhook' },
    rules: [] as { resources: string[] }[],
  };
  const { rules } = demand(await cluster.api.get(reference));
  t.teardown(() => cluster.api.patch(reference, { rules }));
  for (const [resource, verb, fixture] of [
    ['builds', 'get', 'v0.17.2/02-notary'],
    ['limitranges', 'list', 'v0.17.2/07b-standard-containers-notary'],
  ] as const) {
    await cluster.namespace(`without-${resource}`, ENABLED);
    const { pod } = await cluster.store(buildFixture(fixture), `without-${resource}`);
    const isAdmitted = async () => (await cluster.post(pod, { dryRun: true })).ok;
    await until(isAdmitted);
    const without = rules.filter(({ resources }) => !resources.includes(resource));
    t.equal(without.length, rules.length - 1);
    await cluster.api.patch(reference, { rules: without });
    await until(async () => !(await isAdmitted()));
    const answer = await cluster.post(pod);
    t.notOk(answer.ok);
    const rule = `resources: .*${resource}.*verbs: .*${verb}`;
    t.match(JSON.stringify(answer), new RegExp(`CLUSTER_UNAVAILABLE.*HTTP 403.*${rule}`));
    await cluster.api.patch(reference, { rules });
  }
});

/** For an account with the webhook's rights, and what docs/reference/webhook.md says that it takes beside. */
async function explainerKubeconfig(namespace: string): Promise<string> {
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'explainer', namespace },
  };
  const group = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', name: 'explainer', namespace }];
  const bind = (name: string, kind: 'Role' | 'ClusterRole') => ({
    apiVersion: `${group}/v1`,
    kind: `${kind}Binding`,
    metadata: { name: `explainer-${name}`, ...(kind === 'Role' && { namespace }) },
    roleRef: { apiGroup: group, kind, name },
    subjects,
  });
  const role = {
    apiVersion: `${group}/v1`,
    kind: 'Role',
    metadata: { name: 'explainer', namespace },
    rules: [
      { apiGroups: ['kpack.io'], resources: ['images', 'builds'], verbs: ['list'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
    ],
  };
  const objects = [
    account,
    role,
    bind('explainer', 'Role'),
    bind('kpack-notary-webhook', 'ClusterRole'),
    bind('kpack-notary-webhook-secrets', 'ClusterRole'),
  ];
  for (const object of objects) demand(await cluster.api.create(object));
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
    status: { token: '' },
  };
  const { status } = demand(await cluster.api.createSubresource(account, 'token', request));
  return cluster.apiserver.kubeconfig('explainer', status.token);
}
