import { readFlags, type FlagKinds } from '../shared/flags.ts';
import { parseQuantity } from './quantity.ts';
import type { SignerPlacement } from './signing-container.ts';

/** All that the webhook is told at its start. */
export interface WebhookSettings {
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  readonly port: number;
  readonly kpackUsers: readonly string[];
  readonly placement: SignerPlacement;
  readonly logLevel: string;
  readonly cluster:
    | { readonly kind: 'in-cluster' }
    | { readonly kind: 'kubeconfig'; readonly file: string }
    | { readonly kind: 'manifests'; readonly directory: string };
}

/** The command line is wrong; `message` holds all that is. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

const FLAGS = {
  'tls-cert': 'one',
  'tls-key': 'one',
  port: 'one',
  'signer-image': 'one',
  'signer-cpu': 'one',
  'signer-memory': 'one',
  'kpack-user': 'many',
  'log-level': 'one',
  kubeconfig: 'one',
  manifests: 'one',
} as const satisfies FlagKinds;

const DEFAULT_PORT = '8443';
const DEFAULT_KPACK_USER = 'system:serviceaccount:kpack:controller';
const DEFAULT_CPU = '100m';
const DEFAULT_MEMORY = '128Mi';
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** @throws SettingsError with all problems at once */
export function parseSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): WebhookSettings {
  const { values, problems: found } = readFlags(FLAGS, args, environment);
  const problems = [...found];
  const one = (name: keyof typeof FLAGS, otherwise?: string) => {
    const value = values[name].at(-1) ?? otherwise;
    if (value === undefined) problems.push(`--${name} is missing`);
    return value ?? '';
  };
  const quantity = (name: 'signer-cpu' | 'signer-memory', otherwise: string) => {
    const value = one(name, otherwise);
    if ((parseQuantity(value) ?? 0) <= 0) {
      problems.push(`--${name} is a quantity like ${otherwise}, not ${value}`);
    }
    return value;
  };

  const port = Number(one('port', DEFAULT_PORT));
  if (!Number.isInteger(port) || port < 0 || port > 65535) problems.push('--port is 0 to 65535');
  const logLevel = one('log-level', 'info');
  if (!LOG_LEVELS.includes(logLevel)) {
    problems.push(`--log-level is one of ${LOG_LEVELS.join(', ')}`);
  }
  const [kubeconfig] = values.kubeconfig;
  const [manifests] = values.manifests;
  if (kubeconfig !== undefined && manifests !== undefined) {
    problems.push('--kubeconfig and --manifests exclude each other');
  }
  const settings: WebhookSettings = {
    tlsCertFile: one('tls-cert'),
    tlsKeyFile: one('tls-key'),
    port,
    kpackUsers: values['kpack-user'].length > 0 ? values['kpack-user'] : [DEFAULT_KPACK_USER],
    placement: {
      image: one('signer-image'),
      cpu: quantity('signer-cpu', DEFAULT_CPU),
      memory: quantity('signer-memory', DEFAULT_MEMORY),
    },
    logLevel,
    cluster: clusterSource(kubeconfig, manifests),
  };
  if (problems.length > 0) throw new SettingsError(problems.join('; '));
  return settings;
}

function clusterSource(
  kubeconfig: string | undefined,
  manifests: string | undefined,
): WebhookSettings['cluster'] {
  if (kubeconfig !== undefined) return { kind: 'kubeconfig', file: kubeconfig };
  if (manifests !== undefined) return { kind: 'manifests', directory: manifests };
  return { kind: 'in-cluster' };
}
