import { isObject, parseObject } from '../../shared/json.ts';
import { command } from '../../shared/shell-command.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { loginOf, type Login } from './credentials.ts';
import { parseRegistryPattern, type RegistryPattern } from './registry-pattern.ts';

/**
 * What a docker Secret holds: `.dockerconfigjson` is docker's config.json, `.dockercfg` its older
 * form, the `auths` of it alone.
 */
export type DockerConfigForm = '.dockerconfigjson' | '.dockercfg';

/** A docker configuration, as far as it names credentials. */
export interface DockerConfig {
  /** In the order of the file; what a helper serves comes last. */
  readonly entries: readonly DockerConfigEntry[];
  /** Whether a program (`credsStore`) holds the credentials for all registries that have no entry. */
  readonly hasStore: boolean;
}

export type DockerConfigEntry =
  | { readonly pattern: RegistryPattern; readonly login: Login }
  /** An entry that cannot be used, and why. */
  | { readonly pattern: RegistryPattern; readonly problem: string };

/** What Go's standard decoder takes; with or without padding, as the kubelet does. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * Reads a docker configuration. Entries without credentials (of registries that a program serves) are
 * left out. Nothing of the content comes into a message.
 *
 * @param file for messages
 * @throws SigningError CREDENTIALS_INVALID
 */
export function parseDockerConfig(
  text: string,
  form: DockerConfigForm,
  file: string,
): DockerConfig {
  const config = parseObject(text);
  if (!config) throw invalid(`${file} is not a JSON object`);
  const auths = form === '.dockercfg' ? config : (config['auths'] ?? {});
  if (!isObject(auths)) throw invalid(`auths in ${file} is not an object`);
  const entries = Object.entries(auths).flatMap(([key, entry]) => readEntry(key, entry));
  if (form === '.dockercfg') return { entries, hasStore: false };
  const { credHelpers, credsStore } = config;
  const helped = Object.keys(isObject(credHelpers) ? credHelpers : {}).flatMap((key) => {
    const pattern = parseRegistryPattern(key);
    return pattern ? [{ pattern, problem: 'names a credential helper, which is not here' }] : [];
  });
  return { entries: [...entries, ...helped], hasStore: Boolean(credsStore) };
}

function readEntry(key: string, entry: unknown): readonly DockerConfigEntry[] {
  const pattern = parseRegistryPattern(key);
  if (!pattern) return [];
  if (!isObject(entry)) return [{ pattern, problem: 'is not an object' }];
  const { auth, username, password, identitytoken } = entry;
  for (const member of [auth, username, password, identitytoken]) {
    if (member !== undefined && typeof member !== 'string') {
      return [{ pattern, problem: 'holds credentials that are not text' }];
    }
  }
  const text = entry as Readonly<Record<string, string | undefined>>;
  if (text['identitytoken']) {
    return [{ pattern, login: { kind: 'identity-token', token: text['identitytoken'] } }];
  }
  if (text['auth']) {
    const pair = readPair(text['auth']);
    return pair
      ? [{ pattern, login: loginOf(...pair) }]
      : [{ pattern, problem: 'has an auth that is not base64 of user:password' }];
  }
  if (!text['username']) return [];
  return [{ pattern, login: loginOf(text['username'], text['password'] ?? '') }];
}

/** `user:password` in base64; the password may hold colons. */
function readPair(auth: string): [username: string, password: string] | undefined {
  const encoded = auth.replace(/[\r\n]/g, '');
  if (!BASE64.test(encoded)) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString();
  const colon = pair.indexOf(':');
  if (colon < 1) return undefined;
  return [pair.slice(0, colon), pair.slice(colon + 1)];
}

function invalid(what: string): SigningError {
  return new SigningError('CREDENTIALS_INVALID', what, {
    fix: `Make it anew: ${command`kubectl -n <namespace> create secret docker-registry <name> --docker-server=<host> --docker-username=<user> --docker-password=<password> --dry-run=client -o yaml | kubectl apply -f -`}, then build again.`,
  });
}
