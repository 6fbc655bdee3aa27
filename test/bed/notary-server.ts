/**
 * The real notary-server, over TLS. Its metadata are in memory or in PostgreSQL, its timestamp and
 * snapshot keys in itself or in a notary-signer.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from './authority.ts';
import type { NotarySigner } from './notary-signer.ts';
import { freePort, onFreePort } from './port.ts';
import type { Postgres } from './postgres.ts';
import { startService, type Service } from './service.ts';

/** Whose tokens the server accepts; a {@link TokenServer} is one. */
export interface TokenTrust {
  /** URL of the token endpoint. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** Absolute path of the PEM certificates that token signing certificates chain to. */
  readonly rootCertBundle: string;
}

/** A notary-server to start. */
export interface NotaryServerOptions {
  /** Where its configuration goes; made where it is missing. */
  readonly directory: string;
  /** Of this machine, as a URL has it; `127.0.0.1` by default. */
  readonly address?: string;
  /** Issues the server's certificate. */
  readonly authority: Authority;
  /** Without it everybody may do everything. */
  readonly auth?: TokenTrust;
  /** Who holds its keys (EC P-256); by default the server itself does (Ed25519), in memory. */
  readonly trustService?: Pick<NotarySigner, 'port' | 'client'>;
  /** Where its metadata are; in memory by default. */
  readonly storage?: Pick<Postgres, 'url'>;
  /** Where ports come from; {@link freePort} by default. */
  readonly pickPort?: () => Promise<number>;
}

/** A running notary-server. What it held in memory is gone when it is stopped, killed or restarted. */
export interface NotaryServer extends Service {
  /** `https://<address>:<port>`, without a slash at the end. */
  readonly url: string;
  /** `<address>:<port>`. */
  readonly host: string;
  readonly port: number;
}

/**
 * Starts a notary-server and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export async function startNotaryServer(options: NotaryServerOptions): Promise<NotaryServer> {
  const { directory, authority, auth, trustService, storage, address = '127.0.0.1' } = options;
  await mkdir(directory, { recursive: true });
  const hosts = [address.replaceAll(/[[\]]/g, '')];
  const certificate = await authority.issue({ name: 'notary-server', hosts });
  const start = async (port: number): Promise<NotaryServer> => {
    const host = `${address}:${port}`;
    const configuration = {
      server: {
        http_addr: host,
        tls_cert_file: certificate.certificateFile,
        tls_key_file: certificate.keyFile,
      },
      trust_service: trustService ? remote(trustService, authority) : { type: 'local' },
      logging: { level: 'info' },
      storage: storage ? { backend: 'postgres', db_url: storage.url } : { backend: 'memory' },
      ...(auth === undefined ? {} : { auth: { type: 'token', options: tokenOptions(auth) } }),
    };
    const file = join(directory, `server-${port}.json`);
    await writeFile(file, JSON.stringify(configuration, undefined, 2));
    const service = await startService({
      program: 'notary-server',
      args: ['-config', file],
      directory,
      // Logged once it listens. A port that accepts might be somebody else's.
      ready: (output) => output.includes(`Starting on ${host}`),
    });
    return Object.assign(service, { url: `https://${host}`, host, port });
  };
  return onFreePort(start, options.pickPort ?? freePort);
}

function tokenOptions(auth: TokenTrust): Readonly<Record<string, string>> {
  return {
    realm: auth.realm,
    service: auth.service,
    issuer: auth.issuer,
    rootcertbundle: auth.rootCertBundle,
  };
}

function remote(
  { port, client }: Pick<NotarySigner, 'port' | 'client'>,
  authority: Authority,
): Readonly<Record<string, string>> {
  return {
    type: 'remote',
    hostname: '127.0.0.1',
    port: String(port),
    key_algorithm: 'ecdsa',
    tls_ca_file: authority.certificateFile,
    tls_client_cert: client.certificateFile,
    tls_client_key: client.keyFile,
  };
}
