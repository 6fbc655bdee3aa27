/** A real API server and two replicas behind one address, which are restarted while it asks. */
import t from 'tap';
import type { ReadinessState } from '../../src/webhook/server/readiness.ts';
import { startKubeApiserver } from '../bed/kube-apiserver.ts';
import { demand, type KubeAnswer } from '../bed/kube-client.ts';
import { needKubernetes } from '../bed/kubernetes-programs.ts';
import { startReplicaAddress } from '../bed/replica-address.ts';
import { KPACK_USER, startWebhook } from '../bed/webhook.ts';
import { buildFixture, type PodManifest } from '../support/build-fixture.ts';
import { getting, openConnection } from '../support/connection.ts';
import { storeBuild } from '../support/kubernetes-build.ts';
import { decisionsOf } from '../support/kubernetes-calls.ts';
import {
  configureWebhooks,
  makeNamespace,
  ownKubeconfig,
  prepareCluster,
} from '../support/kubernetes-setup.ts';
import { allContainers, SIGNER } from '../support/pod.ts';
import { IMAGE_FLAG, PROGRAM, until } from '../support/program.ts';

needKubernetes(t);
const apiserver = await startKubeApiserver();
t.teardown(() => apiserver.stop());
const { admin: api, authority, directory } = apiserver;
await prepareCluster(api);

const startReplica = async (kubeconfig: string) =>
  startWebhook({
    program: PROGRAM,
    directory,
    authority,
    args: [
      `--kubeconfig=${kubeconfig}`,
      IMAGE_FLAG,
      '--own-namespace=kpack-notary',
      '--shutdown-delay=1',
    ],
  });

t.test('no admission is lost while replicas are restarted', async (t) => {
  const kubeconfig = await ownKubeconfig(apiserver);
  const replicas = await Promise.all([startReplica(kubeconfig), startReplica(kubeconfig)]);
  for (const replica of replicas) t.teardown(() => replica.stop());
  const address = await startReplicaAddress(replicas.map(({ url }) => url));
  t.teardown(() => address.stop());
  const output = () => replicas.map((replica) => replica.output()).join('');
  // They are ready when they are trusted, and in force when they are ready.
  await configureWebhooks(api, { url: address.url, output }, authority.certificatePem);
  await until(() => address.ready() === replicas.length);
  await makeNamespace(api, 'apps', { labels: { 'notary.kpack.io/signing': 'enabled' } });
  const { pod } = await storeBuild(api, buildFixture('v0.17.2/02-notary'), 'apps');

  let isOver = false;
  const answers: KubeAnswer<PodManifest>[] = [];
  const ask = async () => {
    while (!isOver) answers.push(await api.create(pod, { as: KPACK_USER, dryRun: true }));
  };
  const more = (count: number) => {
    const before = answers.length;
    return until(() => answers.length >= before + count);
  };
  const clients = Array.from({ length: 4 }, ask);
  const rounds = 2;
  for (let round = 0; round < rounds; round += 1) {
    for (const replica of replicas) {
      await replica.terminate();
      await more(10);
      await replica.restart();
      await until(() => address.ready() === replicas.length);
      await more(10);
    }
  }
  isOver = true;
  await Promise.all(clients);

  const lost = answers.filter(({ ok }) => !ok);
  t.same(lost, [], `lost of ${answers.length}`);
  for (const answer of answers.filter(({ ok }) => ok)) {
    const names = allContainers(demand(answer)).map(({ name }) => name);
    if (!names.includes(SIGNER)) t.fail(`unsigned: ${names.join()}`);
  }
  for (const replica of replicas) {
    t.equal(replica.output().match(/"msg":"ended"/g)?.length, rounds, 'ended by itself');
    t.notMatch(replica.output(), 'are cut');
    t.ok(decisionsOf(replica.output()).length > answers.length / 4, 'had its share');
  }
  t.comment(`${answers.length} admissions through ${rounds * replicas.length} restarts`);
});

t.test('a replica waits for its rights, and says which are missing', async (t) => {
  const metadata = { name: 'powerless', namespace: 'kpack-notary' };
  demand(await api.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata }));
  const replica = await startReplica(await ownKubeconfig(apiserver, 'powerless'));
  t.teardown(() => replica.stop());
  const connection = await openConnection(Number(new URL(replica.url).port));
  const readyz = async () => {
    const { status, body } = await connection.ask(getting('/readyz'));
    const { missing = [] } = body as { readonly missing?: ReadinessState['missing'] };
    const access = missing.find(({ condition }) => condition === 'kubernetes-api');
    return { status, why: access?.why ?? '' };
  };
  await until(async () => (await readyz()).why.includes('HTTP 403'));
  const { status, why } = await readyz();
  t.equal(status, 503);
  for (const resource of ['namespaces', 'serviceaccounts', 'limitranges', 'builds', 'images']) {
    t.match(why, `resources: ["${resource}"]`);
  }
  const group = 'rbac.authorization.k8s.io';
  for (const role of ['kpack-notary-webhook', 'kpack-notary-webhook-configurations']) {
    demand(
      await api.create({
        apiVersion: `${group}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: `powerless-${role}` },
        roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', ...metadata }],
      }),
    );
  }
  await until(async () => (await readyz()).status === 200);
});
