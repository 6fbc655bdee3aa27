/** A real API server that shows a client certificate to the webhook, as docs/how-to/install.md has it. */
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { createAuthority } from '../bed/authority.ts';
import { buildFixture } from '../support/build-fixture.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { until } from '../support/program.ts';

const directory = t.testdir();
const callers = await createAuthority(join(directory, 'callers'));
const certificate = await callers.issue({ name: 'kube-apiserver', usage: 'client' });
const kubeconfig = join(directory, 'webhook-clients.kubeconfig');
const admission = join(directory, 'admission.json');
await writeFile(
  kubeconfig,
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    users: [
      {
        name: '*',
        user: {
          'client-certificate': certificate.certificateFile,
          'client-key': certificate.keyFile,
        },
      },
    ],
  }),
);
await writeFile(
  admission,
  JSON.stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: ['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook'].map((name) => ({
      name,
      configuration: {
        apiVersion: 'apiserver.config.k8s.io/v1',
        kind: 'WebhookAdmissionConfiguration',
        kubeConfigFile: kubeconfig,
      },
    })),
  }),
);

t.test('an API server that shows its certificate is answered; who shows none is not', async (t) => {
  const cluster = await startTestCluster(t, {
    args: [`--client-ca=${callers.certificateFile}`],
    apiserverArgs: [`--admission-control-config-file=${admission}`],
  });
  await cluster.namespace('apps', { labels: { 'notary.kpack.io/signing': 'enabled' } });
  const { pod } = await cluster.store(buildFixture('v0.17.2/02-notary'), 'apps');
  const answer = await cluster.post(pod, { dryRun: true });
  t.ok(answer.object?.spec.initContainers?.some(({ name }) => name === 'notary-sign'));
  const asked = await fetchPlainly(cluster.webhook.url);
  t.equal(asked, 401);
  await until(() => cluster.webhook.output().includes('without a client certificate'));
});

/** What a pod of somebody else hears. */
async function fetchPlainly(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${url}/mutate`, { method: 'POST', rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end('{}');
  });
}
