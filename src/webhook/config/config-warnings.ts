import { ANNOTATION, CA_FILE, CREDENTIALS_ANNOTATION, SIGNING } from '../../shared/names.ts';
import type { NotaryConfig, V1Config } from './notary-config.ts';
import type { ConfigProblem, ConfigSource } from './notary-field.ts';
import { hasSection } from './notary-section.ts';
import { isPlainHttp, serverHost } from '../../shared/notary-url.ts';
import { command } from '../../shared/shell-command.ts';
import { cut } from '../../shared/shown-value.ts';
import { parseTagReference } from '../../shared/image-reference.ts';
import { registryHost } from '../../shared/registry-host.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { HostSecret, RegistrySecret } from './credentials-secret.ts';
import type { SigningMode } from './signing-label.ts';

/** What the namespace holds for a build. */
export interface SecretFacts {
  readonly namespaceName: string;
  readonly serviceAccountName: string;
  /** Secrets that were looked for and are not there. */
  readonly missingSecrets: readonly string[];
  /** In the order in which the service account names them; undefined: too many to look at. */
  readonly credentials: readonly HostSecret[] | undefined;
  /** Secrets with credentials for registries that the build may have; undefined: unknown. */
  readonly registrySecrets: readonly RegistrySecret[] | undefined;
  readonly tags: readonly string[];
}

/** Longer names are cut, so that the sentence around them, with its fix, is whole. */
const LONGEST_NAME = 40;
const named = (name: string) => cut(name, LONGEST_NAME);

/** What is legal and risky about a configuration: sentences that name the fix. */
export function riskWarnings(config: NotaryConfig, facts: SecretFacts): readonly string[] {
  const { v1, v2 } = config;
  return [
    ...serverWarnings(config),
    ...missingWarnings(config, facts),
    ...(v1 ? credentialsWarnings(v1, facts) : []),
    ...(v2 ? registryWarnings(facts) : []),
  ];
}

/** Those that need no look at the cluster. */
export function serverWarnings({ v1 }: NotaryConfig): readonly string[] {
  if (!v1) return [];
  const { url, rootPins } = v1;
  return [
    ...(isPlainHttp(url)
      ? [
          `${named(url)} is plain http: what it serves can be changed on the way, and credentials are never sent there. Use an https URL.`,
        ]
      : []),
    ...(rootPins.length === 0
      ? [
          `no root pin: the first root key that ${named(serverHost(url))} serves is trusted. Set ${ANNOTATION.rootPin} to the id of the root key: docs/how-to/root-pins.md says how to find it.`,
        ]
      : []),
  ];
}

function missingWarnings(
  { v1, v2, registryCaSecretName }: NotaryConfig,
  { namespaceName, missingSecrets }: SecretFacts,
): readonly string[] {
  const missing = (name: string | undefined, what: string, content: string) =>
    name !== undefined && missingSecrets.includes(name)
      ? [
          `the ${what} Secret ${named(name)} is not in namespace ${named(namespaceName)} yet, and build pods wait for it to start. Create it with ${content}.`,
        ]
      : [];
  const certificate = `the certificate under ${CA_FILE}`;
  return [
    ...missing(v1?.secretName, 'signing', 'the key as a *.key file, and its password'),
    ...missing(v1?.caSecretName, 'CA', certificate),
    ...missing(v2?.secretName, 'v2 signing', 'the certificate chain in tls.crt, and tls.key'),
    ...missing(v2?.timestamp?.caSecretName, 'timestamp CA', certificate),
    ...missing(registryCaSecretName, 'registry CA', certificate),
  ];
}

function credentialsWarnings(
  { url }: V1Config,
  { serviceAccountName, credentials }: SecretFacts,
): readonly string[] {
  const host = serverHost(url);
  const hasCredentials =
    isPlainHttp(url) || (credentials?.some((secret) => secret.host === host) ?? true);
  return hasCredentials
    ? []
    : [
        `service account ${named(serviceAccountName)} has no credentials for ${named(host)}. If the server wants some, add a basic-auth Secret to it whose annotation ${CREDENTIALS_ANNOTATION} is that host.`,
      ];
}

/**
 * Whether the signer pushes v2 signatures to registries without credentials: it has those of docker Secrets
 * alone, and not what kpack itself may have got from its cloud.
 */
function registryWarnings({
  serviceAccountName,
  registrySecrets,
  tags,
}: SecretFacts): readonly string[] {
  const hosts = registrySecrets?.map(({ host }) => host);
  // Which registries a docker configuration names, nobody has read.
  if (!hosts || hosts.includes(undefined)) return [];
  const served = new Set(hosts.map((host = '') => registryHost(host)));
  const registries = new Set(tags.flatMap((tag) => registryOf(tag) ?? []));
  const [first, ...others] = [...registries].filter((registry) => !served.has(registry));
  if (first === undefined) return [];
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  return [
    `service account ${named(serviceAccountName)} has no docker Secret for ${named(first)}${more}, and workload identity is not supported yet. Add such a Secret to it, unless everybody may push there.`,
  ];
}

function registryOf(tag: string): string | undefined {
  try {
    const { gun } = parseTagReference(tag);
    return registryHost(gun.slice(0, gun.indexOf('/')));
  } catch (error) {
    // The signer says what is wrong with the tag.
    if (error instanceof SigningError) return undefined;
    throw error;
  }
}

/** What a namespace makes of a configuration: nothing where it has not opted in. */
export function labelWarnings(namespaceName: string, mode: SigningMode): readonly string[] {
  const namespace = named(namespaceName);
  switch (mode) {
    case 'off':
      return [
        `namespace ${namespace} has not opted in, so kpack-notary signs nothing there. Have an admin run ${command`kubectl label namespace ${cut(namespaceName)} notary.kpack.io/signing=enabled --overwrite`}`,
      ];
    case 'invalid':
      return [
        `builds in namespace ${namespace} are refused, since its label ${SIGNING} is none of enabled, audit and disabled. Have an admin correct it.`,
      ];
    case 'enabled':
    case 'audit':
      return [];
  }
}

/** What opting out takes away beside the signature, where kpack itself would sign. */
export function optOutWarnings(source: ConfigSource, mode: SigningMode): readonly string[] {
  return hasSection(source) && mode === 'enabled' ? [KPACK_SIGNATURE_GOES] : [];
}

/** An Image that kpack's own signer would sign, and that opts out. */
export const KPACK_SIGNATURE_GOES = `${SIGNING}: disabled removes kpack's own Notary signature as well. Remove the annotation to have builds signed.`;

/** An Image whose settings meet no server and key to be settings of. */
export function nothingToSignWarning({ kind }: ConfigSource): string {
  return `nothing is signed: neither this ${kind} nor its Namespace names a Notary server and a key. Set ${ANNOTATION.url} and ${ANNOTATION.secretRef}, or ${ANNOTATION.v2SecretRef}.`;
}

/** An Image in a Namespace that has to be mended by others. */
export function malformedNamespaceWarning({ field, object }: ConfigProblem): string {
  return `builds are going to be refused, since ${cut(field)} of ${named(object)} is malformed. Have an admin correct it.`;
}

export function uncheckedWarning(reason: string): string {
  return `Namespace, service account and Secrets could not be checked (${cut(reason)}). They are when the build pod is made.`;
}
