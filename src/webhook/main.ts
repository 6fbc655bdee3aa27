/** The webhook: settings in, admission server up, SIGTERM down; or `explain`, which ends by itself. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { pino, type Logger } from 'pino';
import { helpText, isHelpWanted } from '../shared/help.ts';
import { backgroundOutput, writeOutput } from '../shared/standard-output.ts';
import { VERSION } from '../shared/version.ts';
import { proveApiAccess } from './server/api-access.ts';
import { createServer } from './server/server.ts';
import { watchClientCa } from './certificates/client-ca.ts';
import { openCluster } from '../shared/kubernetes/cluster-source.ts';
import { ClusterError } from '../shared/kubernetes/cluster.ts';
import { explainMain } from './explain/explain-main.ts';
import { createMetrics, type Metrics } from './server/metrics.ts';
import { createMetricsServer } from './server/metrics-server.ts';
import { createReadiness, type Condition, type Readiness } from './server/readiness.ts';
import { servingCertificate } from './certificates/serving-certificate.ts';
import { SettingsError } from '../shared/settings-error.ts';
import { parseSettings, type WebhookSettings } from './settings/settings.ts';
import { endOnMistake, endOnSignal } from './server/shutdown.ts';
import { contextOf } from './certificates/tls-files.ts';
import { EXPLAIN_FLAGS, WEBHOOK_FLAGS } from './settings/webhook-flags.ts';

const USAGE = `usage: webhook --certificate-secret NAME --signer-image IMAGE [FLAG ...]
       webhook --tls-cert FILE --tls-key FILE --signer-image IMAGE [FLAG ...]
       webhook explain --help

Adds the signing container to kpack's build pods, and judges what people write about signing.`;
const EXPLAIN_USAGE = `usage: webhook explain -n NAMESPACE [image/NAME | build/NAME | pod/NAME ...] [FLAG ...]

Says what would become of Images and build pods, and why. Without names: of all in the namespace.`;
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** Where access is tried when the own namespace is unknown. */
const ANY_NAMESPACE = 'default';
/** No name: then Node takes `::`, which takes IPv4 too, and 0.0.0.0 where there is no IPv6. */
const EVERYWHERE = '';
/** Where the kubelet says in which namespace a pod runs. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2);
  const isExplain = command === 'explain';
  const write = (text: string) => {
    if (!writeOutput(`${text}\n`)) process.exitCode = EXIT_FAILURE;
  };
  if (isHelpWanted(process.argv.slice(2))) {
    return write(
      isExplain ? helpText(EXPLAIN_USAGE, EXPLAIN_FLAGS) : helpText(USAGE, WEBHOOK_FLAGS),
    );
  }
  if (!isExplain) return serve();
  const isFine = await explainMain(args, process.env, write);
  if (!isFine) process.exitCode = EXIT_FAILURE;
}

async function serve(): Promise<void> {
  const settings = parseSettings(process.argv.slice(2), process.env);
  const { placement, kpackUsers, logLevel, port, metricsPort, shutdownDelay, warnings } = settings;
  const log = pino({ level: logLevel }, backgroundOutput());
  endOnMistake(log);
  const metrics = createMetrics(VERSION);
  const readiness = watchedReadiness(settings, metrics, log);
  const cluster = await openCluster(settings.cluster);
  const namespace = ownNamespace(settings);
  const certificate = await servingCertificate({
    settings: settings.certificate,
    access: cluster.access,
    ownNamespace: namespace,
    log,
    metrics,
    conditions: readiness,
  });
  const { clientCa } = settings;
  const clients = clientCa === undefined ? undefined : watchClientCa(clientCa, log);
  const app = createServer({
    tls: certificate.initial,
    clientCa: clients?.certificates(),
    log,
    metrics,
    readiness,
    cluster,
    kpackUsers,
    placement,
    ownNamespace: namespace,
    version: VERSION,
  });
  endOnSignal({ app, readiness, log, shutdownDelay });
  let stopKeeping: ReturnType<typeof certificate.keep> = () => undefined;
  app.addHook('onClose', () => stopKeeping());
  if (metricsPort !== 0) await serveMetrics(metrics, metricsPort);
  await app.listen({ port, host: EVERYWHERE, listenTextResolver: () => 'listening' });
  for (const warning of warnings) log.warn(warning);
  log.info({ port: (app.server.address() as AddressInfo).port, version: VERSION }, 'started');
  // Not before it listens: what is proven then may make it ready.
  const server = app.server as unknown as TlsServer;
  const kept = clients?.keep(server, contextOf(certificate.initial));
  const stopServing = certificate.keep(kept?.context ?? server);
  stopKeeping = () => {
    kept?.stop();
    return stopServing();
  };
  if (settings.cluster.kind !== 'manifests') {
    void proveApiAccess(cluster, namespace ?? ANY_NAMESPACE, readiness);
  }
}

/** Readiness by what has to be proven for these settings, and told by log and metric. */
function watchedReadiness({ cluster }: WebhookSettings, metrics: Metrics, log: Logger): Readiness {
  const conditions: readonly Condition[] =
    cluster.kind === 'manifests' ? ['certificate'] : ['certificate', 'ca-bundle', 'kubernetes-api'];
  return createReadiness(conditions, ({ isReady, missing }) => {
    metrics.ready(isReady);
    if (isReady) log.info('ready');
    else if (missing.length > 0) log.warn({ missing }, 'not ready yet');
  });
}

/** Until the program ends. */
async function serveMetrics(metrics: Metrics, port: number): Promise<void> {
  const server = createMetricsServer(metrics);
  server.listen({ port, host: EVERYWHERE });
  await once(server, 'listening');
}

function ownNamespace({ ownNamespace, cluster }: WebhookSettings): string | undefined {
  if (ownNamespace !== undefined || cluster.kind !== 'in-cluster') return ownNamespace;
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A failure in words; undefined for an unexpected error. */
function lineOf(error: unknown): string | undefined {
  if (error instanceof SettingsError) return error.message;
  if (error instanceof ClusterError) return error.sentence;
  const { syscall, code, port } = error as NodeJS.ErrnoException & { readonly port?: number };
  if (syscall !== 'listen') return undefined;
  const reason = code === 'EADDRINUSE' ? 'another program does' : code;
  return `cannot listen on port ${port}: ${reason}. Fix: choose another by --port or --metrics-port.`;
}

main().catch((error: unknown) => {
  // An unexpected error comes with its stack, without the line of the bundle that Node would print.
  const line = lineOf(error) ?? `unexpected error: ${(error as Error).stack}`;
  process.stderr.write(`kpack-notary webhook: ${line}\n`);
  // What has started already would keep the program up.
  process.exit(error instanceof SettingsError ? EXIT_USAGE : EXIT_FAILURE);
});
