/** No admission is lost while replicas come and go, and while their certificates change. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { demand, type KubeReference } from '../bed/kube-client.ts';
import { demandSigner, postBuild, prepareBuild, runBuild, type ReadyBuild } from './build.ts';
import { webhookCalls } from '../support/kubernetes-calls.ts';
import { DEPLOYMENT, NAMESPACE, replicas, rolledOut } from './installation.ts';
import { describe, startLoad, type Load } from './load.ts';
import type { Scene } from './scene.ts';
import { signed } from './signing-chapter.ts';
import type { Story } from './story.ts';
import { until } from './until.ts';

/** Pods. Of each our webhook is asked twice at least, by mutating and by validating admission. */
export const PER_SECOND = 25;
const RESTARTS = 10;
const ROTATIONS = 5;
const FIXTURE = 'v0.17.2/02-notary';

/** Sends the pod of a build again and again, without storing it. */
export function startAdmissions(scene: Scene, { pod }: ReadyBuild): Load {
  return startLoad(PER_SECOND, async () => {
    const answer = await postBuild(scene, pod, { dryRun: true });
    demandSigner(demand(answer));
  });
}

export async function rolloutChapter(scene: Scene, story: Story): Promise<void> {
  story.chapter('50 requests a second to the webhook, and no admission is lost');
  const { cluster } = scene;
  const name = 'load';
  await scene.namespace(name, { 'notary.kpack.io/signing': 'enabled' });
  const ready = await prepareBuild(scene, { fixture: FIXTURE, name });
  const underLoad = async (work: () => Promise<void>): Promise<string> => {
    const begin = performance.now();
    const before = await webhookCalls(cluster.api);
    const load = startAdmissions(scene, ready);
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
  await story.check(`${RESTARTS} rolling restarts`, () =>
    underLoad(async () => {
      for (let i = 0; i < RESTARTS; i += 1) {
        await cluster.kubectl('-n', NAMESPACE, 'rollout', 'restart', `deployment/${DEPLOYMENT}`);
        await rolledOut(cluster);
      }
    }),
  );
  await story.check(`${ROTATIONS} rotations of the authority, whose Secret is deleted`, () =>
    underLoad(async () => {
      for (let i = 0; i < ROTATIONS; i += 1) await rotate(scene);
    }),
  );
  await story.check(
    'and a real build in between',
    async () => signed(scene, await runBuild(scene, ready)),
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
 * Deletes the authority, and waits until every replica serves by another one that the API server is
 * told to trust.
 */
async function rotate(scene: Scene): Promise<void> {
  const { api } = scene.cluster;
  const pods = await replicas(scene.cluster);
  const addresses = pods.map(({ status }) => status?.podIP ?? '');
  const before = await Promise.all(addresses.map((address) => servedAt(scene, address)));
  demand(await api.delete(AUTHORITY));
  await until('certificates of another authority', async () => {
    const now = await Promise.all(addresses.map((address) => servedAt(scene, address)));
    return now.every((issuer, i) => issuer !== undefined && issuer !== before[i]);
  });
}

/** The key of the issuer that a replica serves by, if a client with the live caBundle trusts it. */
async function servedAt({ cluster }: Scene, address: string): Promise<string | undefined> {
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
