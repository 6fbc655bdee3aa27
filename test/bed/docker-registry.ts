/**
 * The real docker-registry, blobs in a directory: plain HTTP, or TLS, for everybody, or
 * for those with a password or a token. Two may serve one directory: one to push to, one to judge.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority, Certificate } from './authority.ts';
import { succeed } from './command.ts';
import type { TokenTrust } from './notary-server.ts';
import { freePort, onFreePort } from './port.ts';
import { startService, type Service } from './service.ts';

/** Passwords by user name. */
export type RegistryAccounts = Readonly<Record<string, string>>;

/** A docker-registry to start. */
export interface RegistryOptions {
  /** Where its configuration and blobs go; made where it is missing. */
  readonly directory: string;
  /** IPv4, of this machine; `127.0.0.1` by default. */
  readonly address?: string;
  /** Issues the certificate for TLS; without it plain HTTP. */
  readonly authority?: Authority;
  /** Whom it serves; everybody by default. */
  readonly auth?: { readonly tokens: TokenTrust } | { readonly accounts: RegistryAccounts };
  /** Where ports come from; {@link freePort} by default. */
  readonly pickPort?: () => Promise<number>;
}

/** A running registry. Its blobs stay in the directory when it is stopped, killed or restarted. */
export interface Registry extends Service {
  /** `<address>:<port>`, as image names start. */
  readonly host: string;
  /** `http://<address>:<port>`, or https; without a slash at the end. */
  readonly url: string;
}

/**
 * Starts a docker-registry and waits until it listens.
 *
 * @throws Error with its log when it does not start
 */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const { directory, authority, auth, address = '127.0.0.1' } = options;
  await mkdir(directory, { recursive: true });
  const certificate = await authority?.issue({ name: 'registry', hosts: [address] });
  const start = async (port: number): Promise<Registry> => {
    const host = `${address}:${port}`;
    const configuration = {
      version: 0.1,
      log: { level: 'info', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: join(directory, 'blobs') },
        delete: { enabled: true },
      },
      http: { addr: host, ...(certificate && { tls: tlsOptions(certificate) }) },
      ...(auth && { auth: await authOptions(auth, directory, port) }),
    };
    // JSON is YAML too.
    const file = join(directory, `registry-${port}.yml`);
    await writeFile(file, JSON.stringify(configuration, undefined, 2));
    const service = await startService({
      program: 'docker-registry',
      args: ['serve', file],
      directory,
      // Logged once it listens. A port that accepts might be somebody else's.
      ready: (output) => output.includes(`listening on ${host}${certificate ? ', tls' : ''}`),
    });
    const url = `${certificate ? 'https' : 'http'}://${host}`;
    return Object.assign(service, { host, url });
  };
  return onFreePort(start, options.pickPort ?? freePort);
}

function tlsOptions({ certificateFile, keyFile }: Certificate): object {
  return { certificate: certificateFile, key: keyFile };
}

async function authOptions(
  auth: NonNullable<RegistryOptions['auth']>,
  directory: string,
  port: number,
): Promise<object> {
  if ('tokens' in auth) {
    const { realm, service, issuer, rootCertBundle } = auth.tokens;
    return { token: { realm, service, issuer, rootcertbundle: rootCertBundle } };
  }
  const htpasswdFile = join(directory, `htpasswd-${port}`);
  const lines = Object.entries(auth.accounts).map(
    async ([user, password]) => `${user}:${await bcrypt(password, directory)}\n`,
  );
  await writeFile(htpasswdFile, (await Promise.all(lines)).join(''));
  return { htpasswd: { realm: 'bed-registry', path: htpasswdFile } };
}

/** The only hash that the registry takes, and that perl's crypt can make; the salt is no secret. */
function bcrypt(password: string, directory: string): Promise<string> {
  const salt = `$2b$04$${'bedregistry'.repeat(2)}`;
  const args = ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, salt];
  return succeed({ program: 'perl', args, directory });
}
