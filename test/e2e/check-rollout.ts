/** No admission is lost while replicas come and go, and while their certificates change. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { demandSigner, postBuild, prepareBuild, runBuild, type ReadyBuild } from './build.ts';
import { webhookCalls } from '../support/kubernetes-calls.ts';
import { DEPLOYMENT, NAMESPACE, replicas, rolledOut } from './installation.ts';
import { describe, startLoad, type Load } from './load.ts';
import type { Environment } from './environment.ts';
import { signed } from './check-signing.ts';
import type { Report } from './report.ts';
import { until } from './until.ts';

/** Pods. Of each our webhook is asked twice at least, by mutating and by validating admission. */
export const PER_SECOND = 25;
const RESTARTS = 10;
const ROTATIONS = 5;
const FIXTURE = 'v0.17.2/02-notary';

/** Sends the pod of a build again and again, without storing it. */
export function startAdmissions(environment: Environment, { pod }: ReadyBuild): Load {
  return startLoad(PER_SECOND, async () => {
    const answer = await postBuild(environment, pod, { dryRun: true });
    demandSigner(demand(answer));
  });
}

export async function checkRollout(environment: Environment, report: Report): Promise<void> {
  report.section('50 requests a second to the webhook, and no admission is lost');
  const { cluster } = environment;
  const name = 'load';
  await environment.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
  const ready = await prepareBuild(environment, { fixture: FIXTURE, name });
  const underLoad = async (work: () => Promise<void>): Promise<string> => {
    const begin = performance.now();
    const before = await webhookCalls(cluster.api);
    const load = startAdmissions(environment, ready);
    // The load has to end, whatever came of the work.
    const [done] = await Promise.allSettled([work()]);
    const report = await load.stop();
    const [first] = report.failures;
    if (done.status === 'rejected') throw done.reason;
    if (first !== undefined) throw new Error(`${describe(report)}; the first: ${first.reason}`);
    const seconds = (performance.now() - begin) / 1000;
    const calls = (await webhookCalls(cluster.api)) - before;
    const rate = (calls / seconds).toFixed(0);
    return `${describe(report)}; ${calls} calls of the webhook in ${seconds.toFixed(0)} s, ${rate} a second`;
  };
  await report.check(`${RESTARTS} rolling restarts`, () =>
    underLoad(async () => {
      for (let i = 0; i < RESTARTS; i += 1) {
        await cluster.kubectl('-n', NAMESPACE, 'rollout', 'restart', `deployment/${DEPLOYMENT}`);
        await rolledOut(cluster);
      }
    }),
  );
  await report.check(`${ROTATIONS} rotations of the CA, whose Secret is deleted`, () =>
    underLoad(async () => {
      for (let i = 0; i < ROTATIONS; i += 1) await rotate(environment);
    }),
  );
  await report.check(
    'and a real build in between',
    async () => signed(environment, await runBuild(environment, ready)),
    name,
  );
}

const AUTHORITY = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'kpack-notary-authority', namespace: NAMESPACE },
};
const CONFIGURATION = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'kpack-notary' },
};

/**
 * Deletes the CA, and waits until every replica serves by another one that the API server is
 * told to trust.
 */
async function rotate(environment: Environment): Promise<void> {
  const { api } = environment.cluster;
  const pods = await replicas(environment.cluster);
  const addresses = pods.map(({ status }) => status?.podIP ?? '');
  const before = await Promise.all(addresses.map((address) => servedAt(environment, address)));
  demand(await api.delete(AUTHORITY));
  await until('certificates of another CA', async () => {
    const now = await Promise.all(addresses.map((address) => servedAt(environment, address)));
    return now.every((issuer, i) => issuer !== undefined && issuer !== before[i]);
  });
}

/** The key of the issuer that a replica serves by, if a client with the live caBundle trusts it. */
async function servedAt({ cluster }: Environment, address: string): Promise<string | undefined> {
  const { webhooks } = demand(
    await cluster.api.get<KubeReference & WebhookConfiguration>(CONFIGURATION),
  );
  const ca = Buffer.from(webhooks?.[0]?.clientConfig.caBundle ?? '', 'base64');
  const servername = `${DEPLOYMENT}.${NAMESPACE}.svc`;
  const socket = connect({ host: address, port: 8443, ca, servername });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
    return socket.getPeerCertificate(true).issuerCertificate.fingerprint256;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

interface WebhookConfiguration {
  readonly webhooks?: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}
