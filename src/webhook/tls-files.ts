import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type Server } from 'node:tls';
import type { FastifyBaseLogger } from 'fastify';

/** A serving certificate with its chain, and its key. PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const POLL_MS = 2_000;

/** @throws Error when a file cannot be read, or the two do not belong together */
export function readKeyPair({ certFile, keyFile }: TlsFiles): KeyPair {
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  createSecureContext(pair);
  return pair;
}

/**
 * Serves new handshakes with the files as they come to be; open connections keep theirs. A pair
 * that does not fit, as while it is being replaced, is left until it does. Polls, since a mounted
 * Secret changes by a symbolic link that change events miss.
 *
 * @returns ends the watching
 */
export function reloadOnChange(
  files: TlsFiles,
  server: Server,
  log: FastifyBaseLogger,
): () => void {
  const reload = () => {
    try {
      server.setSecureContext({ ...readKeyPair(files), minVersion: 'TLSv1.2' });
      log.info({ file: files.certFile }, 'serving a new certificate');
    } catch (error) {
      log.warn({ file: files.certFile, err: error }, 'the new certificate cannot be served yet');
    }
  };
  for (const file of [files.certFile, files.keyFile]) {
    watchFile(file, { interval: POLL_MS, persistent: false }, reload);
  }
  return () => {
    for (const file of [files.certFile, files.keyFile]) unwatchFile(file, reload);
  };
}
