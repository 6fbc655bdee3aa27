/** A real API server, the built webhook behind it, and namespaces that are honest and that flood. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { startKubeApiserver, type KubeApiserver } from '../bed/kube-apiserver.ts';
import { demand, type KubeAnswer } from '../bed/kube-client.ts';
import { limitMemory } from '../bed/memory-limit.ts';
import { onFreePort } from '../bed/port.ts';
import { startService, type Service } from '../bed/service.ts';
import { KPACK_USER } from '../bed/webhook.ts';
import { buildFixture, type PodManifest } from '../support/build-fixture.ts';
import { storeBuild } from '../support/kubernetes-build.ts';
import {
  configureWebhooks,
  makeNamespace,
  ownKubeconfig,
  prepareCluster,
} from '../support/kubernetes-setup.ts';
import { IMAGE_FLAG, PROGRAM } from '../support/program.ts';
import { CROWDED } from './flood-kind.ts';

/** What floods go against. */
export interface FloodSetup {
  readonly apiserver: KubeApiserver;
  readonly webhook: Service;
  /** Where the webhook listens. */
  readonly url: string;
  /** A build pod of the namespace that floods. */
  readonly hostile: PodManifest;
  /** Posts an honest build pod, once, as kpack's controller. */
  post(): Promise<KubeAnswer<PodManifest>>;
  stop(): Promise<void>;
}

/** That of the Deployment, in bytes: Node collects sooner where it knows of one. */
const MEMORY_LIMIT = 512 * 1024 * 1024;
const FIXTURE = 'v0.17.2/02b-notary-registry-secrets';
const SIGNED = { labels: { 'notary.kpack.io/signing': 'enabled' } };

/**
 * Starts it all: about ten seconds.
 *
 * @param program the webhook, bundled
 * @throws Error where no memory can be limited
 */
export async function startFloodSetup(program = PROGRAM): Promise<FloodSetup> {
  const apiserver = await startKubeApiserver();
  const parts: { stop(): Promise<void> }[] = [apiserver];
  const stop = async () => {
    for (const part of parts) await part.stop();
  };
  try {
    const limit = limitMemory(MEMORY_LIMIT);
    parts.unshift({ stop: () => limit.remove() });
    const [shell = '', ...inGroup] = limit.prefix;
    const { admin: api, authority, directory } = apiserver;
    await prepareCluster(api);
    const kubeconfig = await ownKubeconfig(apiserver);
    const certificate = await authority.issue({ name: 'webhook' });
    const home = await mkdtemp(join(directory, 'webhook-'));
    const { webhook, url } = await onFreePort(async (port) => ({
      url: `https://localhost:${port}`,
      webhook: await startService({
        program: shell,
        args: [
          ...inGroup,
          'node',
          program,
          `--port=${port}`,
          `--tls-cert=${certificate.certificateFile}`,
          `--tls-key=${certificate.keyFile}`,
          `--kubeconfig=${kubeconfig}`,
          '--metrics-port=0',
          '--shutdown-delay=0',
          IMAGE_FLAG,
        ],
        directory: home,
        ready: port,
      }),
    }));
    parts.unshift(webhook);
    await configureWebhooks(api, { url, output: () => webhook.output() }, authority.certificatePem);
    for (const name of ['honest', 'flood']) await makeNamespace(api, name, SIGNED);
    const { pod } = await storeBuild(api, buildFixture(FIXTURE), 'honest');
    const { pod: hostile } = await storeBuild(api, buildFixture(FIXTURE), 'flood');
    demand(
      await api.create({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: CROWDED.name, namespace: 'flood' },
        secrets: Array.from({ length: CROWDED.secrets }, (_, i) => ({ name: `s${i}` })),
      }),
    );
    return {
      apiserver,
      webhook,
      url,
      hostile,
      post: () => api.create(pod, { as: KPACK_USER, dryRun: true }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
