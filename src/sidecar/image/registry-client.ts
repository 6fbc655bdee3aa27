import type { Gun } from '../../shared/image-reference.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { createAuthorizedClient, type AuthorizedClient } from '../auth/authorized-client.ts';
import { registryLookup, type RegistryCredentials } from '../auth/registry-credentials.ts';
import { registryRepository } from '../auth/registry-host.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { createRetries, retry, type Pause } from '../http/retry.ts';
import type { Log } from '../io/log.ts';
import type { Manifest } from '../tuf/publication.ts';
import { MANIFEST_TYPES, readManifest, type ManifestReference } from './manifest.ts';
import { registryFailure, registryRefusal } from './registry-failure.ts';

/** What it takes to ask a registry. */
export interface RegistryAccess {
  /** The client, where there is something to ask; it stays open. */
  readonly http: () => HttpClient;
  readonly credentials: RegistryCredentials;
  readonly signal: AbortSignal;
  readonly pause: Pause;
  readonly log: Log;
}

export interface RegistryClient {
  /**
   * The manifest that a tag or digest names, from its very bytes.
   *
   * @throws SigningError MANIFEST_NOT_FOUND, MANIFEST_MISMATCH, CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED
   */
  manifest(reference: ManifestReference): Promise<Manifest>;
}

/** What registries take for a manifest at most. */
const LIMIT_BYTES = 4 * 1024 * 1024;

/** @throws SigningError IMAGE_REFERENCE_INVALID: no such host can be */
export function createRegistryClient(gun: Gun, access: RegistryAccess): RegistryClient {
  const { http, credentials, pause, log } = access;
  const repository = registryRepository(gun);
  const clientOf = (scheme: 'https' | 'http'): AuthorizedClient =>
    createAuthorizedClient({
      http: http(),
      server: `${scheme}://${repository.host}`,
      scope: { repository: repository.name, actions: 'pull' },
      credentials: registryLookup(repository, credentials),
    });
  const clients = { https: clientOf('https'), http: clientOf('http') };
  let scheme: keyof typeof clients = 'https';

  const get = (reference: ManifestReference): Promise<HttpResponse> => {
    const version = 'tag' in reference ? reference.tag : `sha256:${reference.sha256}`;
    return clients[scheme].send({
      method: 'GET',
      url: new URL(`${scheme}://${repository.host}/v2/${repository.name}/manifests/${version}`),
      headers: { accept: MANIFEST_TYPES.join(', ') },
      limit: LIMIT_BYTES,
      redirects: 'follow',
    });
  };

  /** A registry on this machine may speak plain http; whether it speaks TLS is seen by trying. */
  const getByAnyScheme = async (reference: ManifestReference): Promise<HttpResponse> => {
    try {
      return await get(reference);
    } catch (error) {
      const isMute = error instanceof SigningError && error.code === 'SERVER_UNREACHABLE';
      if (!isMute || !repository.isLoopback || scheme === 'http') throw error;
      scheme = 'http';
      return await get(reference).catch((cause: unknown) => {
        scheme = 'https';
        throw cause;
      });
    }
  };

  const attempt = async (reference: ManifestReference): Promise<Manifest> => {
    const answer = await getByAnyScheme(reference).catch((error: unknown) => {
      throw error instanceof SigningError
        ? registryFailure(repository, reference, error, credentials.problems(repository))
        : error;
    });
    if (answer.status !== 200) throw registryRefusal(repository, reference, answer);
    return readManifest(repository, reference, answer);
  };

  return {
    manifest: (reference) =>
      retry(
        () => attempt(reference),
        createRetries(pause),
        ({ message }) => log.warn(`trying again: ${message}`),
      ),
  };
}
