/**
 * The real olareg, a registry of OCI 1.1 with the referrers API: plain HTTP, for everybody, blobs in memory.
 */
import { startChild } from './child.ts';
import type { Registry } from './docker-registry.ts';
import { onFreePort } from './port.ts';

/** An olareg to start. */
export interface OlaregOptions {
  /** Where the program is: see `goTools`. */
  readonly program: string;
  /** An existing directory. */
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
    const child = await startChild({
      program,
      args: [
        ...['serve', '--addr', '127.0.0.1', '--port', String(port), '--verbosity', 'info'],
        ...['--store-type', 'mem', '--api-delete'],
      ],
      directory,
      ready: port,
    });
    return { host, url: `http://${host}`, child, stop: () => child.stop() };
  });
}
