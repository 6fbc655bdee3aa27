import { join } from 'node:path';
import type { RegistrySecret } from '../shared/signer-flags.ts';
import { SigningError } from '../shared/signing-error.ts';
import { directorySource, type Credentials, type CredentialSource } from './credentials.ts';
import { parseDockerConfig, type DockerConfig } from './docker-config.ts';
import type { Log } from './log.ts';
import { registryHost } from './registry-host.ts';
import { readText } from './text-file.ts';

/** The mounted docker Secrets. */
export interface RegistryCredentials extends CredentialSource {
  /** What is wrong with Secrets that could have held credentials for this registry. */
  problems(host: string): readonly string[];
}

const FORMS = ['.dockerconfigjson', '.dockercfg'] as const;

/**
 * Credentials for registries: the first Secret that has some for a host, in the order given. Nothing
 * is read before somebody asks, and a Secret that cannot be used is a warning: another may do, and
 * many registries let anybody read.
 */
export function registryCredentials(
  secrets: readonly RegistrySecret[],
  log: Log,
): RegistryCredentials {
  const found = new Map<string, Promise<Credentials | undefined>>();
  const problems = new Map<string, string[]>();

  const search = async (host: string): Promise<Credentials | undefined> => {
    const complain = (problem: string) => {
      log.warn(`${problem}; it is left out`);
      problems.set(host, [...(problems.get(host) ?? []), problem]);
    };
    for (const secret of secrets) {
      try {
        const credentials = await readSecret(secret, host, log, complain);
        if (credentials) return credentials;
      } catch (error) {
        if (!(error instanceof SigningError)) throw error;
        complain(error.message);
      }
    }
    return undefined;
  };

  return {
    find: (asked) => {
      const host = registryHost(asked) ?? asked;
      const known = found.get(host) ?? search(host);
      found.set(host, known);
      return known;
    },
    problems: (asked) => problems.get(registryHost(asked) ?? asked) ?? [],
  };
}

/** @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE */
async function readSecret(
  { host, directory }: RegistrySecret,
  wanted: string,
  log: Log,
  complain: (problem: string) => void,
): Promise<Credentials | undefined> {
  if (host !== undefined) {
    if (registryHost(host) !== wanted) return undefined;
    return directorySource([{ host: wanted, directory }], log).find(wanted);
  }
  const { file, config } = await readDockerConfig(directory);
  for (const entry of config.entries) {
    if (entry.host !== wanted) continue;
    if ('credentials' in entry) return entry.credentials;
    complain(`${file}: the entry for ${wanted} ${entry.problem}`);
  }
  if (config.hasStore) complain(`${file} leaves credentials to a credsStore, which is not here`);
  return undefined;
}

async function readDockerConfig(
  directory: string,
): Promise<{ readonly file: string; readonly config: DockerConfig }> {
  for (const form of FORMS) {
    const file = join(directory, form);
    const text = await readText(file);
    if (text !== undefined) return { file, config: parseDockerConfig(text, form, file) };
  }
  throw new SigningError('CREDENTIALS_INVALID', `${directory} holds no ${FORMS.join(' and no ')}`);
}
