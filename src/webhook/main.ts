/** The webhook: settings in, admission server up, SIGTERM down. */
import { statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:tls';
import { pino } from 'pino';
import { createApp } from './app.ts';
import type { Cluster } from './cluster.ts';
import { manifestCluster } from './manifest-cluster.ts';
import { parseSettings, SettingsError, type WebhookSettings } from './settings.ts';
import { readKeyPair, reloadOnChange } from './tls-files.ts';
import { VERSION } from '../shared/version.ts';

const EXIT_USAGE = 2;

async function main(): Promise<void> {
  const settings = parseSettings(process.argv.slice(2), process.env);
  const { placement, kpackUsers, logLevel, port, tlsCertFile, tlsKeyFile } = settings;
  const log = pino({ level: logLevel });
  const files = { certFile: tlsCertFile, keyFile: tlsKeyFile };
  const app = createApp({
    tls: readTls(files),
    log,
    cluster: await openCluster(settings.cluster),
    kpackUsers,
    placement,
    version: VERSION,
  });
  const stopWatching = reloadOnChange(files, app.server as unknown as Server, log);
  app.addHook('onClose', stopWatching);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void app.close());
  }
  // `::` takes IPv4 too, and works where a cluster has IPv6 alone.
  await app.listen({ port, host: '::', listenTextResolver: () => 'listening' });
  log.info({ port: (app.server.address() as AddressInfo).port, version: VERSION }, 'ready');
}

function readTls(files: Parameters<typeof readKeyPair>[0]): ReturnType<typeof readKeyPair> {
  try {
    return readKeyPair(files);
  } catch (error) {
    throw new SettingsError(
      `--tls-cert ${files.certFile} and --tls-key ${files.keyFile}: ${(error as Error).message}`,
    );
  }
}

/** @throws SettingsError when there is no such cluster */
async function openCluster(source: WebhookSettings['cluster']): Promise<Cluster> {
  if (source.kind === 'manifests') {
    const { directory } = source;
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new SettingsError(`--manifests ${directory} is not a directory`);
    }
    return manifestCluster(directory);
  }
  // Loaded here: offline use does without the largest library we have.
  const { openKubernetesCluster } = await import('./kubernetes-cluster.ts');
  const kubeconfig = source.kind === 'kubeconfig' ? source.file : undefined;
  try {
    return openKubernetesCluster(kubeconfig);
  } catch (error) {
    const { message } = error as Error;
    throw new SettingsError(
      kubeconfig === undefined
        ? `not in a cluster, and neither --kubeconfig nor --manifests is given: ${message}`
        : `--kubeconfig ${kubeconfig} cannot be used: ${message.split('\n')[0] ?? ''}`,
    );
  }
}

main().catch((error: unknown) => {
  if (!(error instanceof SettingsError)) throw error;
  process.stderr.write(`kpack-notary webhook: ${error.message}\n`);
  process.exitCode = EXIT_USAGE;
});
