/**
 * The real olareg, a registry of OCI 1.1 with the referrers API: plain HTTP, for everybody, blobs in a
 * directory.
 */
import { join } from 'node:path';
import type { Registry } from './docker-registry.ts';
import { onFreePort } from './port.ts';
import { startService } from './service.ts';

/** An olareg to start. */
export interface OlaregOptions {
  /** Where the program is: see `goTools`. */
  readonly program: string;
  /** An existing directory; blobs go into one below it. */
  readonly directory: string;
}

/**
 * Starts an olareg and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export function startOlareg({ program, directory }: OlaregOptions): Promise<Registry> {
  return onFreePort(async (port) => {
    const host = `127.0.0.1:${port}`;
    const service = await startService({
      program,
      args: [
        ...['serve', '--addr', '127.0.0.1', '--port', String(port), '--verbosity', 'info'],
        ...['--dir', join(directory, 'olareg'), '--api-delete'],
      ],
      directory,
      ready: port,
    });
    return Object.assign(service, { host, url: `http://${host}` });
  });
}
