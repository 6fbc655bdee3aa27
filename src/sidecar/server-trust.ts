import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readPemCertificates } from '../shared/pem.ts';
import type { Log } from './log.ts';
import type { Environment } from './proxy-settings.ts';
import { readText } from './text-file.ts';

/**
 * The CA certificates that SSL_CERT_FILE and SSL_CERT_DIR name, PEM, each once. As in OpenSSL the
 * latter may be several directories, separated by colons; as in Go every file in them counts, and
 * what cannot be read is passed over. A variable that gives nothing is a warning: it says what was
 * meant, and where a certificate is missing the error comes from the server that lacks it.
 */
export async function readEnvironmentRoots(
  environment: Environment,
  log: Pick<Log, 'warn'>,
): Promise<readonly string[]> {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = environment;
  const ofFile = file ? await readCertificates(file) : [];
  if (file && ofFile.length === 0) log.warn(nothingIn('SSL_CERT_FILE', file));
  const files = directories ? await Promise.all(directories.split(':').map(filesOf)) : [];
  const ofDirectories = await Promise.all(files.flat().map(readCertificates));
  if (directories && ofDirectories.flat().length === 0) {
    log.warn(nothingIn('SSL_CERT_DIR', directories));
  }
  return [...new Set([...ofFile, ...ofDirectories.flat()])];
}

async function filesOf(directory: string): Promise<readonly string[]> {
  if (directory === '') return [];
  const names = await readdir(directory).catch(() => []);
  return names.map((name) => join(directory, name));
}

async function readCertificates(file: string): Promise<readonly string[]> {
  const text = await readText(file).catch(() => undefined);
  return text === undefined ? [] : readPemCertificates(text).certificates;
}

function nothingIn(variable: string, value: string): string {
  return `${variable} is ${value}, and no CA certificate can be read there`;
}
