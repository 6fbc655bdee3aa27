/**
 * The real docker-registry: plain HTTP on loopback, blobs in a directory.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild, type Child } from './child.ts';
import { freePort, onFreePort } from './port.ts';

/** A docker-registry to start. */
export interface RegistryOptions {
  /** Where its configuration and blobs go; made where it is missing. */
  readonly directory: string;
  /** Where ports come from; {@link freePort} by default. */
  readonly pickPort?: () => Promise<number>;
}

/** A running docker-registry. */
export interface Registry {
  /** `127.0.0.1:<port>`, as image names start. */
  readonly host: string;
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  readonly child: Child;
  /** Resolves when it is gone; its blobs stay in the directory. May be repeated. */
  stop(): Promise<void>;
}

/**
 * Starts a docker-registry and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const start = async (port: number): Promise<Registry> => {
    const host = `127.0.0.1:${port}`;
    const configuration = {
      version: 0.1,
      log: { level: 'info', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: join(directory, 'blobs') },
        delete: { enabled: true },
      },
      http: { addr: host },
    };
    // JSON is YAML too.
    const file = join(directory, `registry-${port}.yml`);
    await writeFile(file, JSON.stringify(configuration, undefined, 2));
    const child = await startChild({
      program: 'docker-registry',
      args: ['serve', file],
      directory,
      // Logged once it listens. A port that accepts might be somebody else's.
      ready: (output) => output.includes(`listening on ${host}`),
    });
    return { host, url: `http://${host}`, child, stop: () => child.stop() };
  };
  return onFreePort(start, options.pickPort ?? freePort);
}
