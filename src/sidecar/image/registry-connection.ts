import type { Gun } from '../../shared/image-reference.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { createAuthorizedClient, type AuthorizedClient } from '../auth/authorized-client.ts';
import { registryLookup, type RegistryCredentials } from '../auth/registry-credentials.ts';
import { registryRepository, type RegistryRepository } from '../auth/registry-host.ts';
import type { TokenScope } from '../auth/token-realm.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';
import { createRetries, retry, type Pause, type RetryLimits } from '../http/retry.ts';
import type { Log } from '../io/log.ts';
import { registryFailure, type RegistryTask } from './registry-failure.ts';

/** What it takes to ask a registry. */
export interface RegistryAccess {
  /** The client, where there is something to ask; it stays open. */
  readonly http: () => HttpClient;
  readonly credentials: RegistryCredentials;
  readonly signal: AbortSignal;
  readonly pause: Pause;
  readonly log: Log;
}

/** A request for what is in the repository. */
export interface RepositoryRequest extends Omit<HttpRequest, 'url' | 'authorization'> {
  /** Below `/v2/<name>/`, or a URL of the registry itself. */
  readonly path: string | URL;
  /** What it is for, where it fails. */
  readonly task: RegistryTask;
}

/** One repository at its registry. */
export interface RegistryConnection {
  readonly repository: RegistryRepository;
  /** The URL of a path below `/v2/<name>/`. */
  url(path: string): URL;
  /**
   * Any answer but 401. It is tried once.
   *
   * @throws SigningError CREDENTIALS_*, PUSH_DENIED (to a write), SERVER_*, DEADLINE_EXCEEDED
   */
  send(request: RepositoryRequest): Promise<HttpResponse>;
  /**
   * Does something, and again while it fails for a reason that may pass. Each failure is a warning.
   *
   * @param limits for an outage where nothing else is said
   */
  persist<T>(work: () => Promise<T>, limits?: RetryLimits): Promise<T>;
}

/**
 * @param actions what tokens are asked for
 * @throws SigningError IMAGE_REFERENCE_INVALID: no such host can be
 */
export function connectRegistry(
  gun: Gun,
  access: RegistryAccess,
  actions: TokenScope['actions'],
): RegistryConnection {
  const { http, credentials, pause, log } = access;
  const repository = registryRepository(gun);
  const clientOf = (scheme: 'https' | 'http'): AuthorizedClient =>
    createAuthorizedClient({
      http: http(),
      server: `${scheme}://${repository.host}`,
      scope: { repository: repository.name, actions },
      credentials: registryLookup(repository, credentials),
    });
  const clients = { https: clientOf('https'), http: clientOf('http') };
  /** That of the first answer; requests that are on their way at the same time may each try. */
  let spoken: keyof typeof clients | undefined;

  const urlBy = (scheme: keyof typeof clients, path: string) =>
    new URL(`${scheme}://${repository.host}/v2/${repository.name}/${path}`);
  const sendBy = async (
    scheme: keyof typeof clients,
    { path, task: _, ...request }: RepositoryRequest,
  ): Promise<HttpResponse> => {
    const url = typeof path === 'string' ? urlBy(scheme, path) : path;
    const answer = await clients[scheme].send({ ...request, url });
    spoken ??= scheme;
    return answer;
  };

  /** Another request may have seen it meanwhile. */
  const speaksTls = () => spoken === 'https';

  /** A registry on this machine may speak plain http; whether it speaks TLS is seen by trying. */
  const sendByAnyScheme = async (request: RepositoryRequest): Promise<HttpResponse> => {
    if (spoken) return sendBy(spoken, request);
    try {
      return await sendBy('https', request);
    } catch (error) {
      const isMute = error instanceof SigningError && error.code === 'SERVER_UNREACHABLE';
      if (!isMute || !repository.isLoopback || speaksTls()) throw error;
      return sendBy('http', request);
    }
  };
  return {
    repository,
    url: (path) => urlBy(spoken ?? 'https', path),
    send: (request) =>
      sendByAnyScheme(request).catch((error: unknown) => {
        throw error instanceof SigningError
          ? registryFailure(repository, request.task, error, credentials.problems(repository))
          : error;
      }),
    persist: (work, limits) =>
      retry(work, createRetries(pause, limits), ({ message }) =>
        log.warn(`trying again: ${message}`),
      ),
  };
}
