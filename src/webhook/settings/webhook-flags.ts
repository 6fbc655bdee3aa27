import { many, one, type FlagTable } from '../../shared/flags.ts';

export const DEFAULT_PORT = '8443';
export const DEFAULT_METRICS_PORT = '9402';
export const DEFAULT_SHUTDOWN_DELAY = '15';
export const DEFAULT_KPACK_USER = 'system:serviceaccount:kpack:controller';
export const DEFAULT_CPU = '100m';
export const DEFAULT_MEMORY = '128Mi';
export const DEFAULT_SERVICE = 'kpack-notary-webhook';
export const DEFAULT_CONFIGURATION = 'kpack-notary';

const CLUSTER_FLAGS = {
  kubeconfig: one('FILE', 'the cluster to ask; without it, the one that it runs in'),
  manifests: one('DIR', 'a directory of YAML or JSON manifests in place of a cluster'),
} as const;

/** Every flag of the webhook. */
export const WEBHOOK_FLAGS = {
  'tls-cert': one('FILE', 'the serving certificate and its chain, PEM; reloaded on change'),
  'tls-key': one('FILE', 'its key, PEM; reloaded on change'),
  'client-ca': one(
    'FILE',
    'CA certificates, PEM: only callers with a client certificate of these are answered, probes aside; reloaded on change',
  ),
  'certificate-secret': one(
    'NAME',
    'in their place: the Secret, in the namespace of the webhook, of the CA that the webhook makes, renews and has trusted',
  ),
  service: one(
    'NAME',
    `the Service of the webhook, which the certificate is issued for (${DEFAULT_SERVICE})`,
  ),
  'webhook-configuration': one(
    'NAME',
    `the two webhook configurations, whose caBundle is written, or with files only checked (${DEFAULT_CONFIGURATION})`,
  ),
  'signer-image': one('IMAGE', 'the image of the signing container, best with a digest'),
  'kpack-user': many('USER', `who posts kpack's build pods (${DEFAULT_KPACK_USER})`),
  'signer-cpu': one(
    'QUANTITY',
    `CPU request of the signing container where the step before it states none; among standard containers the most (${DEFAULT_CPU})`,
  ),
  'signer-memory': one(
    'QUANTITY',
    `memory request, likewise, and memory limit (${DEFAULT_MEMORY})`,
  ),
  port: one('PORT', `of /mutate, /validate, /healthz and /readyz (${DEFAULT_PORT})`),
  'metrics-port': one('PORT', `of /metrics, plain http (${DEFAULT_METRICS_PORT}); 0: none`),
  'shutdown-delay': one(
    'SECONDS',
    `how long it keeps serving after SIGTERM while it reports not ready (${DEFAULT_SHUTDOWN_DELAY})`,
  ),
  'own-namespace': one(
    'NAME',
    'whose pods are never touched; else POD_NAMESPACE, else that of its service account',
  ),
  'log-level': one('LEVEL', 'fatal, error, warn, info, debug, trace or silent (info)'),
  ...CLUSTER_FLAGS,
} as const satisfies FlagTable;

/** Every flag of `webhook explain`. */
export const EXPLAIN_FLAGS = {
  namespace: { ...one('NAME', 'the namespace, -n for short (default)'), short: 'n' },
  ...CLUSTER_FLAGS,
  'kpack-user': WEBHOOK_FLAGS['kpack-user'],
  'signer-image': one('IMAGE', 'that the webhook is given; its registry is asked for it'),
  output: one('text|json', 'for people (the default), or for programs'),
} as const satisfies FlagTable;
