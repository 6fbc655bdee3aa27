import type { Gun } from '../../shared/image-reference.ts';
import { DOCKER_HUB, registryHost } from '../../shared/registry-host.ts';
import { SigningError } from '../../shared/signing-error.ts';

/** Where a repository is looked up. */
export interface RegistryRepository {
  /** The registry as people name it, and as credentials are found: Docker Hub is `docker.io`. */
  readonly registry: string;
  /** `host[:port]` that answers. */
  readonly host: string;
  readonly name: string;
  /** Whether plain http will do where the registry does not speak TLS: on this machine alone. */
  readonly isLoopback: boolean;
}

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/;

/**
 * Where the image of a repository is.
 *
 * @throws SigningError IMAGE_REFERENCE_INVALID: no such host can be
 */
export function registryRepository(gun: Gun): RegistryRepository {
  const slash = gun.indexOf('/');
  const registry = registryHost(gun.slice(0, slash));
  if (registry === undefined) {
    throw new SigningError(
      'IMAGE_REFERENCE_INVALID',
      `${gun.slice(0, slash)} of ${gun} is no host that could be asked`,
    );
  }
  return {
    registry,
    host: registry === DOCKER_HUB ? 'registry-1.docker.io' : registry,
    name: gun.slice(slash + 1),
    isLoopback: isLoopbackHost(registry),
  };
}

/** Whether `host[:port]` is this machine. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}
