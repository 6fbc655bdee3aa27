/** The servers that answer admissions: ours, with two clusters, and the baseline. Each is a process. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import type { Bed } from '../test/bed/bed.ts';
import { applyPatch, startWebhook, type Webhook } from '../test/bed/webhook.ts';
import { type BuildFixture, manifestsOf, type PodManifest } from '../test/support/build-fixture.ts';
import { startLoopbackServer, textOf } from './loopback-server.ts';
import { bundledProgram } from './programs.ts';

/** A running server that takes admission reviews. */
export interface AdmissionServer {
  /** Where to post. */
  readonly url: string;
  readonly pid: number;
}

/** All of them. */
export interface AdmissionServers {
  /** Reads a Kubernetes API, as in a cluster. */
  readonly webhook: AdmissionServer;
  /** The same with its cluster in memory: the decision alone. */
  readonly decision: AdmissionServer;
  /** Parses the review and sends it back, allowed. */
  readonly echo: AdmissionServer;
  /** The same, and sends the answer alone. */
  readonly allow: AdmissionServer;
  /** How many objects the Kubernetes API was asked for so far. */
  reads(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts them, each a process of its own.
 *
 * @throws Error when one does not start, or ours leaves the pod of the fixture as it is
 */
export async function startAdmissionServers(
  bed: Bed,
  fixture: BuildFixture,
): Promise<AdmissionServers> {
  const { directory, authority } = bed;
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(stops.map((end) => end()));
  };
  const keep = <Server extends { stop(): Promise<void> }>(server: Server): Server => {
    stops.push(() => server.stop());
    return server;
  };
  try {
    const { api, objects, kubeconfig } = await startKubernetesApi(bed, fixture);
    keep(api);
    const memory = keep(
      await startLoopbackServer('memory-webhook', directory, authority, [objects]),
    );
    const webhook = keep(await startVersion(bed, bundledProgram('webhook'), kubeconfig));
    await signedPod(webhook, fixture);
    return {
      webhook: { url: urlOf(webhook, 'mutate'), pid: webhook.pid },
      decision: { url: `${memory.url}/mutate`, pid: memory.pid },
      echo: keep(await startLoopbackServer('echo-server', directory, authority)),
      allow: keep(await startLoopbackServer('echo-server', directory, authority, ['allow'])),
      reads: () => readsOf(api.url, authority.certificatePem),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A Kubernetes API with the objects of a fixture, and the files that lead to it. */
export async function startKubernetesApi({ directory, authority }: Bed, fixture: BuildFixture) {
  const objects = join(directory, 'objects.json');
  await writeFile(objects, JSON.stringify(manifestsOf(fixture)));
  const api = await startLoopbackServer('kubernetes-api', directory, authority, [objects]);
  const kubeconfig = join(directory, 'kubeconfig.json');
  await writeFile(kubeconfig, kubeconfigOf(api.url, authority.certificatePem));
  return { api, objects, kubeconfig };
}

/** A webhook of some version, as bundled, that reads a Kubernetes API. */
export function startVersion(bed: Bed, program: string, kubeconfig: string): Promise<Webhook> {
  const signer = '--signer-image=registry.example.com/kpack-notary/signer:bench';
  return startWebhook({ ...bed, program, args: [`--kubeconfig=${kubeconfig}`, signer] });
}

/** Where a webhook is asked, by the address that needs no look-up of a name. */
export function urlOf({ url }: Webhook, question: 'mutate' | 'validate'): string {
  return `https://127.0.0.1:${new URL(url).port}/${question}`;
}

async function readsOf(api: string, ca: string): Promise<number> {
  const [answer] = (await once(get(`${api}/reads`, { ca, agent: false }), 'response')) as [
    IncomingMessage,
  ];
  return Number(await textOf(answer));
}

/**
 * The pod of a fixture as a webhook makes it.
 *
 * @throws Error when that has no signer
 */
export async function signedPod(webhook: Webhook, { pod }: BuildFixture): Promise<PodManifest> {
  const response = await webhook.post('mutate', { object: pod });
  assert.equal(response.allowed, true, response.status?.message);
  const patched = applyPatch(pod, response);
  const names = (patched.spec.initContainers ?? []).concat(patched.spec.containers);
  assert.ok(
    names.some(({ name }) => name === 'notary-sign'),
    'the webhook put no signer into the pod',
  );
  return patched;
}

/** A kubeconfig with a token, as JSON, which is YAML too. */
function kubeconfigOf(server: string, ca: string): string {
  const cluster = { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster }],
    users: [{ name: 'bench', user: { token: 'bench' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  });
}
