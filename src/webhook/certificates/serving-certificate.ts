/** The certificate that is served, by the mode that the flags choose. */
import { keepChecking, type CheckListeners } from './certificate-check.ts';
import { certificateCluster } from './certificate-cluster.ts';
import type { AccessSource } from '../../shared/kubernetes/kubernetes-access.ts';
import type { Metrics } from '../server/metrics.ts';
import { SettingsError } from '../../shared/settings-error.ts';
import type { CertificateSettings } from '../settings/settings.ts';
import {
  contextOf,
  expirationOf,
  onChange,
  readKeyPair,
  type KeyPair,
  type ServingContext,
} from './tls-files.ts';
import { trustCheck } from './trust-check.ts';

export interface ServingOptions extends CheckListeners {
  readonly settings: CertificateSettings;
  /** The way to the Kubernetes API; undefined where manifests stand in for a cluster. */
  readonly access: AccessSource | undefined;
  /** The namespace that the webhook runs in. */
  readonly ownNamespace: string | undefined;
  readonly metrics: Metrics;
}

export interface ServingCertificate {
  /** For the first handshakes. */
  readonly initial: KeyPair;
  /**
   * Replaces it on a server as time goes by, and sees to it that the API server trusts it.
   *
   * @returns ends that
   */
  keep(server: ServingContext): () => void | Promise<void>;
}

/** @throws SettingsError when the flags name no certificate that can be served */
export async function servingCertificate(options: ServingOptions): Promise<ServingCertificate> {
  const { settings, access, ownNamespace: namespace, log, metrics } = options;
  if (settings.kind === 'files') return fileCertificate(settings, options);
  if (access === undefined || namespace === undefined) {
    throw new SettingsError(
      '--certificate-secret is a Secret of the namespace of the webhook, which is not known: give --own-namespace, or set POD_NAMESPACE',
    );
  }
  // Loaded here: the library that issues certificates is for this mode alone.
  const [{ makeProvisional }, { certificateRotation }] = await Promise.all([
    import('./certificate-issuer.ts'),
    import('./certificate-rotation.ts'),
  ]);
  const { service, secret, configuration } = settings;
  const names = namesOf(service, namespace);
  const cluster = certificateCluster(access, { namespace, secret, configuration });
  return {
    initial: await makeProvisional(names, Date.now()),
    keep: (server) =>
      keepChecking(
        certificateRotation({
          cluster,
          names,
          serve: (leaf, issuer) => {
            server.setSecureContext(contextOf(leaf));
            metrics.serving(expirationOf(leaf));
            metrics.signing(issuer.ends / 1000);
          },
          log,
          clock: () => ({ now: Date.now(), uptime: performance.now() }),
          jitter: Math.random(),
        }),
        options,
      ),
  };
}

/** Every name that a Service has inside its cluster; the API server calls it by the third. */
function namesOf(service: string, namespace: string): readonly string[] {
  const name = `${service}.${namespace}`;
  return [service, name, `${name}.svc`, `${name}.svc.cluster.local`];
}

function fileCertificate(
  settings: Extract<CertificateSettings, { readonly kind: 'files' }>,
  listeners: ServingOptions,
): ServingCertificate {
  const { access, ownNamespace, log, metrics } = listeners;
  const { certFile, keyFile, configuration } = settings;
  let served = readTls(settings);
  metrics.serving(expirationOf(served));
  return {
    initial: served,
    keep: (server) => {
      // Open connections keep theirs. A pair that does not fit, as while it is being replaced, is left
      // until it does.
      const stopWatching = onChange([certFile, keyFile], () => {
        try {
          const pair = readKeyPair(settings);
          server.setSecureContext(contextOf(pair));
          served = pair;
          metrics.serving(expirationOf(pair));
          log.info({ file: certFile }, 'serving a new certificate');
        } catch (error) {
          log.warn({ file: certFile, err: error }, 'the new certificate cannot be served yet');
        }
      });
      const objects = { namespace: ownNamespace ?? '', secret: undefined, configuration };
      const cluster = access && certificateCluster(access, objects);
      const stopChecking = keepChecking(
        trustCheck(cluster, certFile, () => served),
        listeners,
      );
      return () => {
        stopWatching();
        return stopChecking();
      };
    },
  };
}

/** @throws SettingsError when the files hold no certificate that can be served */
function readTls(files: Parameters<typeof readKeyPair>[0]): KeyPair {
  try {
    return readKeyPair(files);
  } catch (error) {
    throw new SettingsError(
      `--tls-cert ${files.certFile} and --tls-key ${files.keyFile}: ${(error as Error).message}. Fix: name a PEM certificate and its own key, both readable by this user.`,
    );
  }
}
