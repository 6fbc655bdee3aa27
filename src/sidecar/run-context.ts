import type { RegistryCredentials } from './auth/registry-credentials.ts';
import type { HttpClient } from './http/http-client.ts';
import type { Pause } from './http/retry.ts';
import type { RegistryAccess } from './image/registry-connection.ts';
import type { Log } from './io/log.ts';
import type { Memory } from './io/memory.ts';
import type { Steps } from './io/steps.ts';

/** What both kinds of signatures need in a run. */
export interface RunContext {
  readonly now: () => Date;
  readonly log: Log;
  readonly memory: Memory;
  readonly steps: Steps;
  readonly pause: Pause;
  readonly dryRun: boolean;
  /** Of `SSL_CERT_FILE` and `SSL_CERT_DIR`. */
  readonly environmentRoots: readonly string[];
  /** Opens an HTTP client that ends with the run. */
  readonly openClient: (ca: readonly string[]) => HttpClient;
  readonly registry: RegistryCredentials;
  /** The client for registries, where there is something to ask. */
  readonly registryHttp: () => HttpClient;
  readonly registryAccess: RegistryAccess;
}
