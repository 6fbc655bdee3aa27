import { readFlags } from '../../shared/flags.ts';
import { show } from '../../shared/shown-value.ts';
import { clusterSource, type ClusterSource } from '../../shared/kubernetes/cluster-source.ts';
import { parseQuantity } from '../injection/quantity.ts';
import { usageError } from '../../shared/settings-error.ts';
import { readSignerImage } from './signer-image.ts';
import type { SignerContainerSettings } from '../injection/signing-container.ts';
import {
  DEFAULT_CONFIGURATION,
  DEFAULT_CPU,
  DEFAULT_KPACK_USER,
  DEFAULT_MEMORY,
  DEFAULT_METRICS_PORT,
  DEFAULT_PORT,
  DEFAULT_SHUTDOWN_DELAY,
  DEFAULT_SERVICE,
  WEBHOOK_FLAGS,
} from './webhook-flags.ts';

/** All that the webhook is told at its start. */
export interface WebhookSettings {
  readonly certificate: CertificateSettings;
  /** File with the CA certificates of callers; undefined: whoever calls is answered. */
  readonly clientCa: string | undefined;
  readonly port: number;
  /** 0: no metrics are served. */
  readonly metricsPort: number;
  /** Seconds from SIGTERM until the webhook stops listening. */
  readonly shutdownDelay: number;
  /** The namespace that the webhook itself runs in, where it is told. */
  readonly ownNamespace: string | undefined;
  readonly kpackUsers: readonly string[];
  readonly placement: SignerContainerSettings;
  readonly logLevel: string;
  readonly cluster: ClusterSource;
  /** What is legal, and should be thought about. */
  readonly warnings: readonly string[];
}

/** Where the serving certificate comes from. */
export type CertificateSettings =
  | {
      readonly kind: 'files';
      readonly certFile: string;
      readonly keyFile: string;
      /** Name of both webhook configurations. */
      readonly configuration: string;
    }
  | {
      readonly kind: 'own';
      /** Name of the Secret of the CA. */
      readonly secret: string;
      /** Name of the Service of the webhook. */
      readonly service: string;
      readonly configuration: string;
    };

/** As the downward API usually names it in pods. */
const NAMESPACE_VARIABLE = 'POD_NAMESPACE';
/** Nobody waits longer than that for a pod to end. */
const LONGEST_SHUTDOWN_DELAY = 3600;
/** As the API has names of objects; and short enough for the first part of a DNS name. */
const OBJECT_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** @throws SettingsError with all problems at once */
export function parseSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): WebhookSettings {
  const ownWords = Object.entries(environment).filter(([, value]) => !isServiceLink(value));
  const { values, problems: found } = readFlags(WEBHOOK_FLAGS, args, Object.fromEntries(ownWords));
  const problems = [...found];
  const one = (name: keyof typeof WEBHOOK_FLAGS, otherwise?: string) => {
    const value = values[name].at(-1) ?? otherwise;
    if (value === undefined) problems.push(`--${name} is missing`);
    return value ?? '';
  };
  const checked = (
    name: keyof typeof WEBHOOK_FLAGS,
    otherwise: string | undefined,
    isRight: (value: string) => boolean,
    expected: string,
  ) => {
    const value = one(name, otherwise);
    if (!isRight(value)) problems.push(`--${name} is ${expected}, not ${show(value)}`);
    return value;
  };
  const quantity = (name: 'signer-cpu' | 'signer-memory', otherwise: string) => {
    const isPositive = (value: string) => (parseQuantity(value) ?? 0) > 0;
    return checked(name, otherwise, isPositive, `a quantity like ${otherwise}`);
  };
  const portOf = (name: 'port' | 'metrics-port', otherwise: string) => {
    const isPort = (value: string) => /^\d{1,5}$/.test(value) && Number(value) <= 65535;
    return Number(checked(name, otherwise, isPort, '0 to 65535'));
  };
  const objectName = (
    name: 'certificate-secret' | 'service' | 'webhook-configuration',
    otherwise?: string,
  ) => checked(name, otherwise, (value) => OBJECT_NAME.test(value), 'a name like kpack-notary');

  const port = portOf('port', DEFAULT_PORT);
  const metricsPort = portOf('metrics-port', DEFAULT_METRICS_PORT);
  if (port === metricsPort && port !== 0) problems.push('--port and --metrics-port are the same');
  const shutdownDelay = checked(
    'shutdown-delay',
    DEFAULT_SHUTDOWN_DELAY,
    (value) => /^\d+(?:\.\d+)?$/.test(value) && Number(value) <= LONGEST_SHUTDOWN_DELAY,
    `0 to ${LONGEST_SHUTDOWN_DELAY} seconds`,
  );
  const image = one('signer-image');
  const signerImage = image === '' ? undefined : readSignerImage(image);
  if (signerImage?.problem !== undefined) problems.push(signerImage.problem);
  const isLevel = (value: string) => LOG_LEVELS.includes(value);
  const logLevel = checked('log-level', 'info', isLevel, `one of ${LOG_LEVELS.join(', ')}`);
  const cluster = clusterSource(values, problems);
  const certificateSettings = (): CertificateSettings => {
    const configuration = objectName('webhook-configuration', DEFAULT_CONFIGURATION);
    const service = objectName('service', DEFAULT_SERVICE);
    if (values['certificate-secret'].length === 0) {
      const files = ['tls-cert', 'tls-key'] as const;
      if (files.every((file) => values[file].length === 0)) {
        problems.push('--certificate-secret, or --tls-cert and --tls-key, is missing');
        return { kind: 'files', certFile: '', keyFile: '', configuration };
      }
      const [certFile, keyFile] = [one('tls-cert'), one('tls-key')];
      return { kind: 'files', certFile, keyFile, configuration };
    }
    if (values['tls-cert'].length > 0 || values['tls-key'].length > 0) {
      problems.push('--certificate-secret excludes --tls-cert and --tls-key');
    }
    if (values.manifests.length > 0) {
      problems.push('--certificate-secret needs a cluster, which --manifests is not');
    }
    return { kind: 'own', secret: objectName('certificate-secret'), service, configuration };
  };
  const settings: WebhookSettings = {
    certificate: certificateSettings(),
    clientCa: values['client-ca'].at(-1),
    port,
    metricsPort,
    shutdownDelay: Number(shutdownDelay),
    ownNamespace: values['own-namespace'].at(-1) ?? (environment[NAMESPACE_VARIABLE] || undefined),
    kpackUsers: values['kpack-user'].length > 0 ? values['kpack-user'] : [DEFAULT_KPACK_USER],
    placement: {
      image,
      cpu: quantity('signer-cpu', DEFAULT_CPU),
      memory: quantity('signer-memory', DEFAULT_MEMORY),
    },
    logLevel,
    cluster,
    warnings: signerImage?.warnings ?? [],
  };
  if (problems.length > 0) throw usageError(problems);
  return settings;
}

/**
 * What Kubernetes sets by itself, as KPACK_NOTARY_METRICS_PORT of a Service kpack-notary-metrics.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
function isServiceLink(value: string | undefined): boolean {
  return /^(?:tcp|udp|sctp):\/\//.test(value ?? '');
}
