/** What is served as our certificate, by the mode that the flags choose. */
import { keepChecking, type CheckListeners } from './certificate-check.ts';
import { certificateCluster } from './certificate-cluster.ts';
import type { AccessSource } from '../../shared/kubernetes/kubernetes-access.ts';
import type { Metrics } from '../server/metrics.ts';
import { SettingsError } from '../../shared/settings-error.ts';
import type { CertificateSettings } from '../settings/settings.ts';
import {
  expirationOf,
  proveCertificate,
  readKeyPair,
  reloadOnChange,
  serve,
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
  const { settings, access, ownNamespace } = options;
  if (settings.kind === 'files') return fileCertificate(settings, options);
  if (access === undefined || ownNamespace === undefined) {
    throw new SettingsError(
      '--certificate-secret is a Secret of our namespace, which is not known: give --own-namespace, or set POD_NAMESPACE',
    );
  }
  return ownCertificate(settings, { access, ownNamespace }, options);
}

async function ownCertificate(
  settings: Extract<CertificateSettings, { readonly kind: 'own' }>,
  place: { readonly access: AccessSource; readonly ownNamespace: string },
  listeners: ServingOptions,
): Promise<ServingCertificate> {
  // Loaded here: the library that issues certificates is for this mode alone.
  const [{ makeProvisional }, { certificateRotation }] = await Promise.all([
    import('./certificate-issuer.ts'),
    import('./certificate-rotation.ts'),
  ]);
  const { log, metrics } = listeners;
  const names = namesOf(settings.service, place.ownNamespace);
  const cluster = certificateCluster(place.access, {
    namespace: place.ownNamespace,
    secret: settings.secret,
    configuration: settings.configuration,
  });
  return {
    initial: await makeProvisional(names, Date.now()),
    keep: (server) =>
      keepChecking(
        certificateRotation({
          cluster,
          names,
          serve: (leaf, issuer) => {
            serve(server, leaf);
            metrics.serving(expirationOf(leaf));
            metrics.signing(issuer.ends / 1000);
          },
          log,
          clock: () => ({ now: Date.now(), uptime: performance.now() }),
          jitter: Math.random(),
        }),
        listeners,
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
  const { access, ownNamespace, log, metrics, conditions } = listeners;
  let served = readTls(settings);
  const use = (pair: KeyPair) => {
    served = pair;
    metrics.serving(expirationOf(pair));
  };
  use(served);
  return {
    initial: served,
    keep: (server) => {
      const stopWatching = reloadOnChange(settings, server, log, use);
      if (access === undefined) {
        proveCertificate(settings, () => served, conditions);
        return stopWatching;
      }
      const { configuration } = settings;
      const objects = { namespace: ownNamespace ?? '', secret: undefined, configuration };
      const cluster = certificateCluster(access, objects);
      const stopChecking = keepChecking(
        trustCheck(cluster, settings.certFile, () => served),
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
