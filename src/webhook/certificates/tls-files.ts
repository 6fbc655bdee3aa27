import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';

/** A serving certificate with its chain, and its key. PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** How often files are looked at. */
const POLL_MS = 2_000;

/** What new handshakes of a server go by. */
export type ServingContext = Pick<Server, 'setSecureContext'>;

/** @throws Error when a file cannot be read or holds none, or the two do not belong together */
export function readKeyPair({ certFile, keyFile }: TlsFiles): KeyPair {
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  // A context would do without what an empty file lacks, as one is while it is being written.
  parsed(certFile, 'PEM certificate', () => new X509Certificate(pair.cert));
  parsed(keyFile, 'PEM private key', () => createPrivateKey(pair.key));
  createSecureContext(pair);
  return pair;
}

function parsed(file: string, what: string, parse: () => unknown): void {
  try {
    parse();
  } catch (cause) {
    throw new Error(`${file} holds no ${what} (${(cause as Error).message})`, { cause });
  }
}

/** When a certificate expires, in seconds since 1970; of a chain, that of the server itself. */
export function expirationOf({ cert }: KeyPair): number {
  return Date.parse(new X509Certificate(cert).validTo) / 1000;
}

/**
 * Why a certificate is not valid, in words; undefined where it is.
 *
 * @param file where it was read
 * @param now in ms since 1970
 */
export function whyNotValid(file: string, cert: string, now: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (Date.parse(validFrom) > now) {
    return `The certificate in ${file} is not valid before ${validFrom}, and nobody trusts it until then. Fix: compare the clocks of this node and of whoever issued it.`;
  }
  if (Date.parse(validTo) > now) return undefined;
  return `The certificate in ${file} expired ${validTo}, and nobody trusts it any more. Fix: put a new pair there; it is read when it changes.`;
}

/** What handshakes that serve a pair go by. */
export function contextOf({ cert, key }: KeyPair): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}

/**
 * Does something again when one of these files changes. Polls, since a mounted Secret changes by a
 * symbolic link that change events miss.
 *
 * @returns ends that
 */
export function onChange(files: readonly string[], reload: () => void): () => void {
  for (const file of files) watchFile(file, { interval: POLL_MS, persistent: false }, reload);
  return () => files.forEach((file) => unwatchFile(file, reload));
}
