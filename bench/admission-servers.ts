/** The servers that answer admissions: ours, with two clusters, and the baseline. Each is a process. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import type { Bed } from '../test/bed/bed.ts';
import { applyPatch, startWebhook, type Webhook } from '../test/bed/webhook.ts';
import { manifestsOf, type BuildFixture } from '../test/build-fixture.ts';
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
  const startOurs = async (kubeconfig: string): Promise<AdmissionServer> => {
    const webhook = keep(
      await startWebhook({
        program: bundledProgram('webhook'),
        directory,
        authority,
        args: [
          `--kubeconfig=${kubeconfig}`,
          '--signer-image=registry.example.com/kpack-notary/signer:bench',
        ],
      }),
    );
    await demandSigner(webhook, fixture);
    const { port } = new URL(webhook.url);
    return { url: `https://127.0.0.1:${port}/mutate`, pid: webhook.pid };
  };
  try {
    const manifests = manifestsOf(fixture);
    const objects = join(directory, 'objects.json');
    await writeFile(objects, JSON.stringify(manifests));
    const api = keep(await startLoopbackServer('kubernetes-api', directory, authority, [objects]));
    const kubeconfig = join(directory, 'kubeconfig.json');
    await writeFile(kubeconfig, kubeconfigOf(api.url, authority.certificatePem));
    const memory = keep(
      await startLoopbackServer('memory-webhook', directory, authority, [objects]),
    );
    return {
      webhook: await startOurs(kubeconfig),
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

async function readsOf(api: string, ca: string): Promise<number> {
  const [answer] = (await once(get(`${api}/reads`, { ca, agent: false }), 'response')) as [
    IncomingMessage,
  ];
  return Number(await textOf(answer));
}

async function demandSigner(webhook: Webhook, { pod }: BuildFixture): Promise<void> {
  const response = await webhook.post('mutate', { object: pod });
  assert.equal(response.allowed, true, response.status?.message);
  const patched = applyPatch(pod, response);
  const names = (patched.spec.initContainers ?? []).concat(patched.spec.containers);
  assert.ok(
    names.some(({ name }) => name === 'notary-sign'),
    'the webhook put no signer into the pod',
  );
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
