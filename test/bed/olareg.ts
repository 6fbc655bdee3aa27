/**
 * The real olareg, a registry of OCI 1.1 with the referrers API: plain HTTP, for everybody.
 */
import { join } from 'node:path';
import type { Registry } from './docker-registry.ts';
import { onFreePort } from './port.ts';
import { startService } from './service.ts';

/** An olareg to start. */
export interface OlaregOptions {
  /** Where the program is: see `goTools`. */
  readonly program: string;
  /** An existing directory. */
  readonly directory: string;
  /**
   * Where its blobs are; in its memory by default. In a directory they stay when it is killed or
   * restarted, but manifests that are pushed at the same moment may be lost there.
   */
  readonly storage?: 'memory' | 'directory';
}

/**
 * Starts an olareg and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export function startOlareg({
  program,
  directory,
  storage = 'memory',
}: OlaregOptions): Promise<Registry> {
  return onFreePort(async (port) => {
    const host = `127.0.0.1:${port}`;
    const service = await startService({
      program,
      args: [
        ...['serve', '--addr', '127.0.0.1', '--port', String(port), '--verbosity', 'info'],
        ...(storage === 'memory' ? ['--store-type', 'mem'] : ['--dir', join(directory, 'olareg')]),
        '--api-delete',
      ],
      directory,
      ready: port,
    });
    return Object.assign(service, { host, url: `http://${host}` });
  });
}
