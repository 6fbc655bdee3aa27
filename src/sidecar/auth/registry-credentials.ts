import { join } from 'node:path';
import type { Gun } from '../../shared/image-reference.ts';
import { serverHost, type NotaryUrl } from '../../shared/notary-url.ts';
import type { MountedCredentials } from '../../shared/signer-flags.ts';
import { SigningError } from '../../shared/signing-error.ts';
import {
  Credentials,
  readBasicAuth,
  type CredentialLookup,
  type Login,
  type NotaryCredentials,
} from './credentials.ts';
import { parseDockerConfig, type DockerConfigEntry } from './docker-config.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { Log } from '../io/log.ts';
import { registryRepository, type RegistryRepository } from './registry-host.ts';
import { byCloseness, matchesRepository, parseRegistryPattern } from './registry-pattern.ts';
import { readText } from '../io/text-file.ts';

/** The mounted docker Secrets. */
export interface RegistryCredentials {
  /** Undefined where no Secret has any for that repository. */
  find(repository: RegistryRepository): Promise<Credentials | undefined>;
  /** What is wrong with Secrets that could have held credentials for that repository. */
  problems(repository: RegistryRepository): readonly string[];
}

const FORMS = ['.dockerconfigjson', '.dockercfg'] as const;

/**
 * Credentials for repositories: of all entries of all Secrets the one that is closest to the
 * repository, the first in the order given where several are. Nothing is read before somebody asks, and
 * a Secret that cannot be used is a warning: another may do, and many registries let anybody read.
 */
export function registryCredentials(
  secrets: readonly MountedCredentials[],
  log: Log,
): RegistryCredentials {
  const found = new Map<string, Promise<Credentials | undefined>>();
  const problems = new Map<string, string[]>();

  const search = async (repository: RegistryRepository): Promise<Credentials | undefined> => {
    const complain = (problem: string) => {
      log.warn(`${problem}; it is left out`);
      const key = keyOf(repository);
      problems.set(key, [...(problems.get(key) ?? []), problem]);
    };
    const entries: (DockerConfigEntry & { readonly file: string })[] = [];
    for (const secret of secrets) {
      try {
        entries.push(...(await readSecret(secret, repository, complain)));
      } catch (error) {
        if (!(error instanceof SigningError)) throw error;
        complain(error.message);
      }
    }
    const closest = entries.sort((a, b) => byCloseness(a.pattern, b.pattern));
    for (const entry of closest) {
      if ('login' in entry) return credentialsFor(entry.login, repository);
      complain(`${entry.file}: the entry for ${entry.pattern.host} ${entry.problem}`);
    }
    return undefined;
  };

  return {
    find: (repository) => {
      const key = keyOf(repository);
      const known = found.get(key) ?? search(repository);
      found.set(key, known);
      return known;
    },
    problems: (repository) => problems.get(keyOf(repository)) ?? [],
  };
}

/** A registry gets the docker credentials for its host and path. */
export function registryLookup(
  repository: RegistryRepository,
  registry: RegistryCredentials,
): CredentialLookup {
  return {
    find: async () => {
      const credentials = await registry.find(repository);
      return credentials && { credentials };
    },
    absence: `none are for ${repository.registry}`,
  };
}

export interface NotaryLookupOptions {
  readonly url: NotaryUrl;
  /** The repository that is signed there. */
  readonly gun: Gun;
  readonly notary: NotaryCredentials;
  readonly registry: RegistryCredentials;
  /** Reaches the registry and its token realm; made where docker credentials are used. */
  readonly registryHttp: () => HttpClient;
}

/**
 * A Notary server gets its own credentials; else tokens that are made with those of the registry,
 * where it belongs to the registry.
 */
export function notaryLookup(options: NotaryLookupOptions): CredentialLookup {
  const { url, gun, notary, registry, registryHttp } = options;
  const host = serverHost(url);
  return {
    find: async () => {
      const own = await notary.find(url);
      if (own) return { credentials: own };
      const credentials = (await registry.find(registryRepository(gun)))?.lentTo(url);
      return credentials && { credentials, http: registryHttp() };
    },
    absence:
      `none are for ${host} (docker credentials serve their registry, ` +
      `and Notary servers below it in DNS, alone)`,
    fix: `Add a basic-auth Secret with the annotation kpack.io/notary.v1: ${host} to the service account of the build.`,
  };
}

/** Docker credentials are for the registry, and for the realm that it names where docker asks. */
function credentialsFor(login: Login, { registry, host }: RegistryRepository): Credentials {
  const server = new URL(`https://${host}/`);
  return Credentials.for({ host: registry, server, realmNamedAt: new URL('/v2/', server) }, login);
}

function keyOf({ registry, name }: RegistryRepository): string {
  return `${registry}/${name}`;
}

/**
 * The entries that are for a repository.
 *
 * @throws SigningError CREDENTIALS_INVALID, FILE_UNREADABLE
 */
async function readSecret(
  { host, directory }: MountedCredentials,
  repository: RegistryRepository,
  complain: (problem: string) => void,
): Promise<readonly (DockerConfigEntry & { readonly file: string })[]> {
  if (host !== undefined) {
    const pattern = parseRegistryPattern(host);
    if (!pattern || !matchesRepository(pattern, repository)) return [];
    return [{ pattern, login: await readBasicAuth(pattern.host, directory), file: directory }];
  }
  for (const form of FORMS) {
    const file = join(directory, form);
    const text = await readText(file);
    if (text === undefined) continue;
    const { entries, hasStore } = parseDockerConfig(text, form, file);
    const matching = entries.filter(({ pattern }) => matchesRepository(pattern, repository));
    if (hasStore && !matching.some((entry) => 'login' in entry)) {
      complain(`${file} leaves credentials to a credsStore, which is not here`);
    }
    return matching.map((entry) => ({ ...entry, file }));
  }
  throw new SigningError('CREDENTIALS_INVALID', `${directory} holds no ${FORMS.join(' and no ')}`);
}
