/**
 * The real notary-signer: holds the timestamp and snapshot keys of a notary-server, in memory, and
 * speaks gRPC over TLS with certificates on both sides.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Authority, Certificate } from './authority.ts';
import { freePort, onFreePort } from './port.ts';
import { startService, type Service } from './service.ts';

/** A notary-signer to start. */
export interface NotarySignerOptions {
  /** Where its configuration goes; made where it is missing. */
  readonly directory: string;
  /** Issues its certificate, and that of its client. */
  readonly authority: Authority;
  /** Where ports come from; {@link freePort} by default. */
  readonly pickPort?: () => Promise<number>;
}

/** A running notary-signer. Its keys are gone when it is stopped, killed or restarted. */
export interface NotarySigner extends Service {
  readonly port: number;
  /** With which a notary-server shows who it is. */
  readonly client: Certificate;
}

/**
 * Starts a notary-signer and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export async function startNotarySigner(options: NotarySignerOptions): Promise<NotarySigner> {
  const { directory, authority } = options;
  await mkdir(directory, { recursive: true });
  const [certificate, client] = await Promise.all([
    authority.issue({ name: 'notary-signer' }),
    authority.issue({ name: 'notary-signer-client', usage: 'client' }),
  ]);
  const start = async (port: number): Promise<NotarySigner> => {
    const configuration = {
      server: {
        grpc_addr: `127.0.0.1:${port}`,
        tls_cert_file: certificate.certificateFile,
        tls_key_file: certificate.keyFile,
        client_ca_file: authority.certificateFile,
      },
      logging: { level: 'info' },
      storage: { backend: 'memory' },
    };
    const file = join(directory, `signer-${port}.json`);
    await writeFile(file, JSON.stringify(configuration, undefined, 2));
    const service = await startService({
      program: 'notary-signer',
      args: ['-config', file],
      directory,
      ready: () => answers(port, authority, client),
    });
    return Object.assign(service, { port, client });
  };
  return onFreePort(start, options.pickPort ?? freePort);
}

/** Whether our signer is there: it logs nothing, and a port that accepts might be somebody else's. */
function answers(port: number, authority: Authority, client: Certificate): Promise<boolean> {
  const { certificatePem: cert, keyPem: key } = client;
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificatePem, cert, key });
  return new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
