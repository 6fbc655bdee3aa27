/** The real etcd, for one kube-apiserver: its own member alone, plain HTTP on loopback. */
import { join } from 'node:path';
import { onFreePort } from './port.ts';
import { startService, type Service } from './service.ts';

/** An etcd to start. */
export interface EtcdOptions {
  /** The program. */
  readonly program: string;
  /** Where its data go; exists. */
  readonly directory: string;
}

/** A running etcd. */
export interface Etcd extends Service {
  readonly url: string;
}

/**
 * Starts an etcd and waits until it serves.
 *
 * @throws Error with its log when it does not start
 */
export function startEtcd({ program, directory }: EtcdOptions): Promise<Etcd> {
  return onFreePort(async (port) => {
    const url = `http://127.0.0.1:${port}`;
    const peer = 'http://127.0.0.1:0';
    const service = await startService({
      program,
      args: [
        '--name=bed',
        `--data-dir=${join(directory, `etcd-${port}`)}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=bed=${peer}`,
        // Nothing in it outlives the test.
        '--unsafe-no-fsync',
      ],
      directory,
      // A port that answers might be somebody else's.
      ready: (output) => output.includes('ready to serve client requests'),
      timeLimit: 60_000,
    });
    return Object.assign(service, { url });
  });
}
