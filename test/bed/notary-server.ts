/**
 * The real notary-server: in memory, over TLS, with its timestamp and snapshot keys in itself.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from './authority.ts';
import { startChild, type Child } from './child.ts';
import { freePort, onFreePort } from './port.ts';

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
  /** As a URL has it; `127.0.0.1` by default. */
  readonly address?: '127.0.0.1' | '[::1]';
  /** Issues the server's certificate. */
  readonly authority: Authority;
  /** Without it everybody may do everything. */
  readonly auth?: TokenTrust;
  /** Where ports come from; {@link freePort} by default. */
  readonly pickPort?: () => Promise<number>;
}

/** A running notary-server. */
export interface NotaryServer {
  /** `https://<address>:<port>`, without a slash at the end. */
  readonly url: string;
  /** `<address>:<port>`. */
  readonly host: string;
  readonly port: number;
  readonly child: Child;
  /** The end of its log. */
  output(): string;
  /** Resolves when it is gone, and all its metadata with it. May be repeated. */
  stop(): Promise<void>;
}

/**
 * Starts a notary-server and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export async function startNotaryServer(options: NotaryServerOptions): Promise<NotaryServer> {
  const { directory, authority, auth } = options;
  await mkdir(directory, { recursive: true });
  const certificate = await authority.issue({ name: 'notary-server' });
  const start = async (port: number): Promise<NotaryServer> => {
    const host = `${options.address ?? '127.0.0.1'}:${port}`;
    const configuration = {
      server: {
        http_addr: host,
        tls_cert_file: certificate.certificateFile,
        tls_key_file: certificate.keyFile,
      },
      trust_service: { type: 'local' },
      logging: { level: 'info' },
      storage: { backend: 'memory' },
      ...(auth === undefined ? {} : { auth: { type: 'token', options: tokenOptions(auth) } }),
    };
    const file = join(directory, `server-${port}.json`);
    await writeFile(file, JSON.stringify(configuration, undefined, 2));
    const child = await startChild({
      program: 'notary-server',
      args: ['-config', file],
      directory,
      // Logged once it listens. A port that accepts might be somebody else's.
      ready: (output) => output.includes(`Starting on ${host}`),
    });
    return {
      url: `https://${host}`,
      host,
      port,
      child,
      output: () => child.output(),
      stop: () => child.stop(),
    };
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
