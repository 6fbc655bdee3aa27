import { ANNOTATION, CA_FILE, CREDENTIALS_ANNOTATION, SIGNING } from '../../shared/names.ts';
import type { NotaryConfig } from './notary-config.ts';
import type { ConfigProblem, ConfigSource } from './notary-field.ts';
import { hasSection } from './notary-section.ts';
import { isPlainHttp, serverHost } from '../../shared/notary-url.ts';
import { command } from '../../shared/shell-command.ts';
import { cut } from '../../shared/shown-value.ts';
import type { HostSecret } from './credentials-secret.ts';
import type { SigningMode } from './signing-label.ts';

/** What the namespace holds for a build. */
export interface SecretFacts {
  readonly namespaceName: string;
  readonly serviceAccountName: string;
  /** Secrets that were looked for and are not there. */
  readonly missingSecrets: readonly string[];
  /** In the order in which the service account names them; undefined: too many to look at. */
  readonly credentials: readonly HostSecret[] | undefined;
}

/** Longer names are cut, so that the sentence around them, with its fix, is whole. */
const LONGEST_NAME = 40;
const named = (name: string) => cut(name, LONGEST_NAME);

/** What is legal and risky about a configuration: sentences that name the fix. */
export function riskWarnings(config: NotaryConfig, facts: SecretFacts): readonly string[] {
  return [...serverWarnings(config), ...secretWarnings(config, facts)];
}

/** Those that need no look at the cluster. */
export function serverWarnings({ url, rootPins }: NotaryConfig): readonly string[] {
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

function secretWarnings(
  { url, secretName, caSecretName }: NotaryConfig,
  { namespaceName, serviceAccountName, missingSecrets, credentials }: SecretFacts,
): readonly string[] {
  const missing = (name: string | undefined, what: string, content: string) =>
    name !== undefined && missingSecrets.includes(name)
      ? [
          `the ${what} Secret ${named(name)} is not in namespace ${named(namespaceName)} yet, and build pods wait for it to start. Create it with ${content}.`,
        ]
      : [];
  const host = serverHost(url);
  const hasCredentials =
    isPlainHttp(url) || (credentials?.some((secret) => secret.host === host) ?? true);
  return [
    ...missing(secretName, 'signing', 'the key as a *.key file, and its password'),
    ...missing(caSecretName, 'CA', `the certificate under ${CA_FILE}`),
    ...(hasCredentials
      ? []
      : [
          `service account ${named(serviceAccountName)} has no credentials for ${named(host)}. If the server wants some, add a basic-auth Secret to it whose annotation ${CREDENTIALS_ANNOTATION} is that host.`,
        ]),
  ];
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
  return `nothing is signed: neither this ${kind} nor its Namespace names a Notary server and a key. Set ${ANNOTATION.url} and ${ANNOTATION.secretRef}.`;
}

/** An Image in a Namespace that has to be mended by others. */
export function malformedNamespaceWarning({ field, object }: ConfigProblem): string {
  return `builds are going to be refused, since ${cut(field)} of ${named(object)} is malformed. Have an admin correct it.`;
}

export function uncheckedWarning(reason: string): string {
  return `Namespace, service account and Secrets could not be checked (${cut(reason)}). They are when the build pod is made.`;
}
